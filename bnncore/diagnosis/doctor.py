"""The checks behind ``bnncore doctor``: each finding says what was looked at and what to do."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from functools import partial

from bnncore import environment
from bnncore.backends import choose
from bnncore.diagnosis.board import examine_board
from bnncore.diagnosis.finding import Finding, State
from bnncore.diagnosis.metadata import examine_lists, examine_metadata
from bnncore.diagnosis.supervised import SECONDS, Section, look
from bnncore.discovery.index import Claim
from bnncore.discovery.installed import find_installed
from bnncore.discovery.kinds import BITSTREAM, DATASET, TOPOLOGY
from bnncore.discovery.registry import Registry
from bnncore.errors import BlockedError, BnnError
from bnncore.opening import open_classifier
from bnncore.options import Options

__all__ = ["examine", "examine_safely", "sections"]

_DISTRIBUTIONS = ("bnncore", "bnncore-hw", "numpy", "pillow", "pluggy", "attrs", "cffi", "click", "pynq")


def examine(registry: Registry) -> Iterator[Finding]:
    """Look at the machine, every plugin and every backend; imports them all, into this process."""
    for _, section in sections(registry):
        yield from section()


def examine_safely(seconds: float = SECONDS) -> Iterator[Finding]:
    """Do what ``examine`` does in another process, so that a plugin that hangs or ends it is a problem like others.

    Args:
        seconds: how long one call of a plugin's code may take.
    """
    return look(f"{__name__}:sections", None, seconds)


def sections(registry: Registry, given: None = None) -> tuple[Section, ...]:
    """Return what is looked at, part by part."""
    index = registry.index
    return (
        ("this machine", _machine),
        ("board", partial(examine_board, registry)),
        ("metadata", partial(_metadata, registry)),
        *(
            (f"{claim.kind.word} {claim.name}", partial(_record, registry, claim))
            for kind in (TOPOLOGY, BITSTREAM)
            for claim in index.of(kind)
            # Those of bnncore are tested with it.
            if not claim.blocked and (kind == TOPOLOGY or not claim.own)
        ),
        *((f"dataset {name}", partial(_dataset, registry, name)) for name in index.names(DATASET)),
        ("backends", partial(_backends, registry)),
        ("C kernels", lambda: iter((_kernels(),))),
    )


def _machine() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.machine()}, {sys.platform}")
    yield from _libraries()


def _metadata(registry: Registry) -> Iterator[Finding]:
    for variable in environment.VARIABLES:
        if variable.value:
            yield Finding("note", variable.name, f"is set to {variable.value!r}{_no_folder(variable)}")
    yield from examine_metadata(registry.index)
    yield from examine_lists(registry)
    for claim in registry.index.claims:
        if claim.blocked:
            yield Finding("note", f"{claim.group} {claim.declared}", f"blocked: {claim.blocked}")


def _no_folder(variable: environment.Variable) -> str:
    """Say so of a variable that names a folder, where there is none; a cache is made when it is needed."""
    folders = {environment.BITSTREAMS: os.path.isdir, environment.CACHE: _may_be_folder}
    right = folders.get(variable, bool)
    return "" if right(variable.value) else ", where there is no folder"


def _may_be_folder(path: str) -> bool:
    # As bnncore.files takes it; a user without a home is told so there.
    place = os.path.expanduser(path)  # noqa: PTH111  # raises nothing
    return os.path.isdir(place) or not os.path.lexists(place)  # noqa: PTH112  # raises nothing


def _libraries() -> Iterator[Finding]:
    for distribution in _DISTRIBUTIONS:
        found = find_installed(distribution)
        if found is not None and found.whole:
            yield Finding("ok", distribution, found.version)
        elif found is not None:
            text = f"its metadata in {found.place} are broken; reinstall {distribution}"
            yield Finding("problem", distribution, text)
        elif distribution == "pynq":
            yield Finding("ok", distribution, "not installed; only boards need it")
        else:
            yield Finding("problem", distribution, f"not installed; pip install {distribution}")


def _record(registry: Registry, claim: Claim) -> Iterator[Finding]:
    """Look at a record that nothing else here opens."""
    kind = claim.kind
    try:
        record = registry.describe(registry.owner(kind, claim.name))
    except BnnError as error:
        yield Finding("problem", f"{kind.word} {claim.name}", str(error))
    else:
        what = f"{record.weights:,} weights" if kind == TOPOLOGY else f"for {', '.join(record.boards)}"
        yield Finding("ok", f"{kind.word} {claim.declared}", f"{what}, from {claim.owner}")


def _dataset(registry: Registry, name: str) -> Iterator[Finding]:
    """Replay the golden vectors of all parameters of a dataset on the reference: its own, then those of others."""
    try:
        offers = registry.offers(registry.dataset(name))
    except BnnError as error:
        yield Finding("problem", f"dataset {name}", str(error))
        return
    for topology, reason in offers.blocked.items():
        yield Finding("note", f"parameters {name}.{topology}", f"blocked: {reason}")
    tested = []
    for topology, claims in offers.claims.items():
        for claim in claims:
            own = claim == offers.own
            subject = f"dataset {name}" if own else f"parameters {name}.{topology} of {claim.distribution}"
            try:
                text = _replayed(registry, name, topology, None if own else claim.distribution)
            except BlockedError as error:
                yield Finding("note", subject, f"{topology}: {error}")
            except BnnError as error:
                yield Finding("problem", subject, str(error))
            else:
                if own:
                    tested.append(text)
                else:
                    yield Finding("ok", subject, text)
    if tested:
        yield Finding("ok", f"dataset {name}", "; ".join(tested))


def _replayed(registry: Registry, name: str, topology: str, distribution: str | None) -> str:
    options = Options(backend="numpy")
    with open_classifier(registry, name, options, topology=topology, distribution=distribution) as classifier:
        if not classifier.has_golden_vectors:
            classifier.network  # noqa: B018  # opened and checked
            return f"{topology}: opens, and has no golden vectors"
        return f"{topology}: {classifier.selftest().vectors} golden vectors agree"


def _backends(registry: Registry) -> Iterator[Finding]:
    """Look at every backend, and replay golden vectors on those that run here; a board is left as it is."""
    for name in registry.index.names(DATASET):
        try:
            classifier = open_classifier(registry, name)
        except BnnError:
            continue
        for candidate in choose(registry, classifier.job, thorough=True):
            backend = candidate.backend
            subject = f"backend {backend.name}"
            if candidate.obstacle is not None:
                state: State = "problem" if candidate.faulty else "note"
                yield Finding(state, subject, f"cannot run here: {candidate.obstacle}")
                continue
            try:
                # To open the accelerator would replace what a board has loaded.
                if backend.name != "fpga" and classifier.has_golden_vectors:
                    with open_classifier(registry, name, Options(backend=backend.name)) as opened:
                        opened.selftest()
            except BnnError as error:
                yield Finding("problem", subject, str(error))
            else:
                yield Finding("ok", subject, backend.summary or "can run")
        for claim, fault in registry.broken_backends():
            yield Finding("problem", f"backend {claim.name}", str(fault))
        return
    yield Finding("note", "backends", "not tried: no dataset works")


def _kernels() -> Finding:
    """Say which of the C kernels' variants is used, and why."""
    try:
        from bnnhw.cpu.executor import choose, variants
        from bnnhw.cpu.threads import thread_count

        name, why = choose()
        others = [f"{each} (not on this processor)" if not runs else each for each, runs in variants().items()]
        text = f"{name}, {why}; compiled: {', '.join(others)}; up to {thread_count()} threads"
    except BnnError as error:
        return Finding("note", "C kernels", str(error))
    return Finding("ok", "C kernels", text)
