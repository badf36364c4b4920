"""Choosing what runs a network on this machine."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from bnncore.discovery.host import PluginWarning
from bnncore.discovery.imports import import_function
from bnncore.errors import BackendError, BnnError, PluginError
from bnncore.records import Backend

if TYPE_CHECKING:
    from bnnhw.executor import Executor
    from bnnhw.network import Network
    from bnnhw.topology import Topology

    from bnncore.discovery.registry import Registry
    from bnncore.records import Bitstream

__all__ = ["Candidate", "Job", "candidates", "open_executor"]


@frozen(kw_only=True, eq=False)
class Job:
    """One network to be run on this machine; what a backend's functions are given.

    Attributes:
        topology: its shapes.
        network: opens, checks and returns the network; call it only to run.
        parameters_id: tells one parameter set from another: SHA-256 (hex) of its file, or a unique text.
        bitstream: returns the accelerator that the index offers for this topology and a board
            name, or None.
        board: name of the board asked for, or None for the one at hand.
        threads: most threads to use, or None for the default.
        bitstreams: folder where the user keeps bitstreams, or None for the one that the environment names.
    """

    topology: Topology
    network: Callable[[], Network]
    parameters_id: str
    bitstream: Callable[[str], Bitstream | None]
    board: str | None = None
    threads: int | None = None
    bitstreams: Path | None = None


@frozen(kw_only=True)
class Candidate:
    """A backend that was considered, and why it cannot run the job, or None if it can."""

    backend: Backend
    obstacle: str | None


def candidates(registry: Registry, job: Job) -> tuple[Candidate, ...]:
    """Return every backend with its obstacle, in the order in which ``auto`` considers them."""
    return tuple(
        Candidate(backend=backend, obstacle=_obstacle(backend, job)) for backend in registry.backends()
    )


def open_executor(registry: Registry, name: str, job: Job) -> Executor:
    """Make a network ready on a named backend, or with ``auto`` on the best that can run it.

    Raises:
        BackendError: if the named backend, or with ``auto`` every one, cannot run here, with the reasons.
        PluginError: if the backend's plugin is broken.
    """
    if name != "auto":
        backend = registry.backend(name)
        obstacle = _obstacle(backend, job)
        if obstacle:
            raise BackendError(f"backend {backend.name!r} cannot run here: {obstacle}")
        return _open(backend, job)
    reasons = []
    for candidate in candidates(registry, job):
        backend = candidate.backend
        if backend.priority <= 0:
            continue
        if candidate.obstacle:
            reasons.append(f"{backend.name}: {candidate.obstacle}")
            continue
        try:
            return _open(backend, job)
        except BackendError as error:
            # Hardware that is there but fails is worth a word; the answer is the same on the next one.
            warnings.warn(f"{error}; trying the next backend", PluginWarning, stacklevel=2)
            reasons.append(f"{backend.name}: {error}")
    raise BackendError(f"no backend can run here: {'; '.join(reasons) or 'none is installed'}")


def _obstacle(backend: Backend, job: Job) -> str | None:
    try:
        result = import_function(backend.obstacle)(job)
    except BnnError as error:
        return str(error)
    if result is not None and not isinstance(result, str):
        raise PluginError(f"backend {backend.name!r}: {backend.obstacle} returned {type(result).__name__}")
    return result


def _open(backend: Backend, job: Job) -> Executor:
    executor: Executor = import_function(backend.executor)(job)
    return executor
