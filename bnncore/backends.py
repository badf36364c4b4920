"""Choosing what runs a network on this machine: decided once, for who opens it and who tells of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

from bnncore.deprecation import JOB_BITSTREAM, JOB_BITSTREAMS, warn_deprecated
from bnncore.discovery.host import PluginWarning
from bnncore.discovery.imports import import_function
from bnncore.discovery.kinds import BACKEND
from bnncore.errors import BackendError, BnnError, PluginError, SettingError
from bnncore.foreign import failure, foreign_code
from bnncore.plain_text import brief
from bnncore.records import Backend
from bnncore.spelling import argument

if TYPE_CHECKING:
    from bnnhw.executor import Executor
    from bnnhw.network import Network
    from bnnhw.topology import Topology

    from bnncore.discovery.index import Claim
    from bnncore.discovery.registry import Registry
    from bnncore.records import Bitstream

__all__ = ["Candidate", "Job", "choose", "open_executor"]


@frozen(kw_only=True, eq=False)
class Job:
    """One network to be run on this machine; what a backend's functions are given.

    Attributes:
        topology: its shapes.
        network: opens, checks and returns the network; call it only to run.
        parameters_id: tells one parameter set from another: SHA-256 (hex) of its file, or a unique text.
        find_bitstream: returns the accelerator that the index offers for this topology and a board
            name, or None.
        board: name of the board asked for, or None for the one at hand.
        threads: most threads to use, or None for the default.
        bitstream_folder: where the user keeps bitstreams, or None for the one that the environment names.
    """

    topology: Topology
    network: Callable[[], Network]
    parameters_id: str
    find_bitstream: Callable[[str], Bitstream | None]
    board: str | None = None
    threads: int | None = None
    bitstream_folder: Path | None = None

    @property
    def bitstream(self) -> Callable[[str], Bitstream | None]:
        """The old name of ``find_bitstream``."""
        warn_deprecated(JOB_BITSTREAM)
        return self.find_bitstream

    @property
    def bitstreams(self) -> Path | None:
        """The old name of ``bitstream_folder``."""
        warn_deprecated(JOB_BITSTREAMS)
        return self.bitstream_folder


# Made at every start, as bnnhw.environment.Variable.
class Candidate(NamedTuple):
    """A backend that was considered for a job.

    Attributes:
        backend: its record.
        obstacle: why it cannot run the job, or None if it can.
        chosen: whether it is the one to use.
        reason: why it is, or why it is not.
        faulty: whether the obstacle is a fault of its own code.
    """

    backend: Backend
    obstacle: str | None
    chosen: bool
    reason: str
    faulty: bool = False


def choose(
    registry: Registry, job: Job, name: str = "auto", *, thorough: bool = False
) -> tuple[Candidate, ...]:
    """Return every backend, in the order in which ``auto`` considers them; at most one is chosen.

    Args:
        registry: offers the backends.
        job: what is to be run.
        name: ``auto`` for the first that can run it, or the only one to be taken.
        thorough: also import the executors of backends that are not taken, and warn of none that is broken: for who
            tells of them all.

    Raises:
        PluginError: if the backend that was named has no usable owner.
    """
    named = None if name == "auto" else registry.backend(name)
    found: list[Candidate] = []
    taken = False
    for backend in registry.backends(warn=named is None and not thorough):
        wanted = (backend.priority > 0 if named is None else backend == named) and not taken
        owner = registry.owner(BACKEND, backend.name)
        faulty = False
        try:
            obstacle = _obstacle(owner, backend, job)
            if obstacle is None and (wanted or thorough):
                # Not asked of the others: to import an executor can take long.
                import_function(backend.executor, owner.owner)
        except BnnError as error:
            obstacle, faulty = str(error), not isinstance(error, BackendError)
        taken = taken or (wanted and obstacle is None)
        found.append(
            Candidate(
                backend=backend,
                obstacle=obstacle,
                chosen=wanted and obstacle is None,
                reason=obstacle or _reason(backend, wanted, named),
                faulty=faulty,
            )
        )
    return tuple(found)


def open_executor(registry: Registry, name: str, job: Job) -> Executor:
    """Make a network ready on a named backend, or with ``auto`` on the best that can run it.

    Raises:
        BackendError: if the named backend, or with ``auto`` every one, cannot run here, with the reasons.
        PluginError: if the named backend's plugin is broken.
    """
    if name != "auto":
        owner = registry.owner(BACKEND, name)
        backend = registry.describe(owner)
        try:
            obstacle = _obstacle(owner, backend, job)
        except BnnError as error:
            obstacle = str(error)
        if obstacle:
            raise BackendError(f"backend {backend.name!r} cannot run here: {obstacle}")
        return _open(owner, backend, job)
    reasons = []
    for candidate in choose(registry, job):
        backend = candidate.backend
        if backend.priority <= 0:
            continue
        if candidate.obstacle:
            reasons.append(f"{backend.name}: {candidate.obstacle}")
            continue
        owner = registry.owner(BACKEND, backend.name)
        try:
            return _open(owner, backend, job)
        except BnnError as error:
            # Of bnncore's own, one of another kind is of the network, which is the next one's, too; and a setting is a
            # slip of the pen: what the next backend does would not be what was asked for.
            if isinstance(error, SettingError) or (
                owner.own and not isinstance(error, (BackendError, PluginError))
            ):
                raise
            # What is there but fails is worth a word; the answer is the same on the next one.
            warnings.warn(f"{error}; trying the next backend", PluginWarning, stacklevel=2)
            reasons.append(f"{backend.name}: {error}")
    raise BackendError(f"no backend can run here: {'; '.join(reasons) or 'none is installed'}")


def _reason(backend: Backend, chosen: bool, named: Backend | None) -> str:
    """Say why a backend that can run is used, or is not."""
    if chosen:
        return "the first that can run here" if named is None else f"named with {argument('backend')}"
    if named is None and backend.priority > 0:
        return "can run, but comes later"
    return f"can run, only with {argument('backend', backend.name)}"


def _obstacle(owner: Claim, backend: Backend, job: Job) -> str | None:
    """Ask a backend why it cannot run a job.

    Raises:
        BnnError: if asking it fails; a reason not to take it, too.
    """
    whose = f"{backend.obstacle} of {owner.owner}"
    function = import_function(backend.obstacle, owner.owner)
    with foreign_code(owner.owner, lambda error: failure(whose, error, PluginError)):
        result = function(job)
        if result is None:
            return None
        if isinstance(result, str) and (words := brief(result)):
            return words
        found = brief(repr(result))
    raise PluginError(f"{whose} returned {found}, expected words for people, or None")


def _open(owner: Claim, backend: Backend, job: Job) -> Executor:
    """Open a backend's executor; what a plugin lets through becomes an error that says whose it is."""
    where = f"backend {backend.name!r} of {owner.owner}"

    def fault(error: BaseException) -> BaseException:
        # bnncore's own say what they mean; a warning that is an error was made one by the user.
        meant = owner.own and isinstance(error, (BnnError, Warning))
        return error if meant else failure(f"{where}: {backend.executor}", error, PluginError)

    open_one = import_function(backend.executor, owner.owner)
    with foreign_code(owner.owner, fault):
        found: Executor = open_one(job)
    if owner.own:
        # Tested with all the rest: what they return is right, and a check would take as long as a small network.
        return found
    # Needs numpy, as every executor does.
    from bnncore.checked_executor import CheckedExecutor

    return CheckedExecutor(found, name=backend.name, owner=owner.owner, outputs=job.topology.outputs)
