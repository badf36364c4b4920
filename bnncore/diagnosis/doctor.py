"""The checks behind ``bnncore doctor``: each finding says what was looked at and what to do."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from bnncore.backends import candidates
from bnncore.diagnosis.board import examine_board
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.index import DATASETS, TOPOLOGIES
from bnncore.discovery.registry import Registry
from bnncore.errors import BnnError
from bnncore.opening import open_classifier

__all__ = ["Finding", "examine"]

_DISTRIBUTIONS = ("bnncore", "bnncore-hw", "numpy", "pillow", "pluggy", "attrs", "cffi", "click", "pynq")
_VARIABLES = (
    "BNNCORE_DISABLE",
    "BNNCORE_ALLOW",
    "BNNCORE_STRICT",
    "BNNCORE_CPU_ISA",
    "BNNCORE_THREADS",
    "BNNCORE_BITSTREAMS",
    "BNNCORE_BITSTREAMS_ACCEPT",
    "BNNCORE_FOREIGN_OVERLAY",
    "BNNCORE_CACHE",
)


def examine(registry: Registry) -> Iterator[Finding]:
    """Look at the machine, every plugin and every backend; imports them all."""
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.machine()}, {sys.platform}")
    yield from _libraries()
    yield from examine_board(registry)
    for variable in _VARIABLES:
        if os.environ.get(variable):
            yield Finding("note", variable, f"is set to {os.environ[variable]!r}")
    for fault in registry.index.faults:
        yield Finding("problem", "metadata", fault)
    for claim in registry.index.claims:
        if claim.blocked:
            yield Finding("note", f"{claim.group} {claim.declared}", f"blocked: {claim.blocked}")
    for name in registry.index.names(TOPOLOGIES):
        yield _topology(registry, name)
    for name in registry.index.names(DATASETS):
        yield _dataset(registry, name)
    yield from _backends(registry)
    yield _kernels()


def _libraries() -> Iterator[Finding]:
    for distribution in _DISTRIBUTIONS:
        try:
            yield Finding("ok", distribution, version(distribution))
        except PackageNotFoundError:
            if distribution == "pynq":
                yield Finding("ok", distribution, "not installed; only boards need it")
            else:
                yield Finding("problem", distribution, f"not installed; pip install {distribution}")


def _topology(registry: Registry, name: str) -> Finding:
    try:
        topology = registry.topology(name)
    except BnnError as error:
        return Finding("problem", f"topology {name}", str(error))
    owner = registry.owner(TOPOLOGIES, name).owner
    return Finding("ok", f"topology {topology.name}", f"{topology.weights:,} weights, from {owner}")


def _dataset(registry: Registry, name: str) -> Finding:
    """Open a dataset on the reference and replay its golden vectors on every topology."""
    try:
        tested = []
        for topology in registry.dataset(name).topologies:
            with open_classifier(registry, name, backend="numpy", topology=topology) as classifier:
                vectors = classifier.selftest().vectors
            tested.append(f"{topology}: {vectors} golden vectors agree")
    except BnnError as error:
        return Finding("problem", f"dataset {name}", str(error))
    return Finding("ok", f"dataset {name}", "; ".join(tested))


def _backends(registry: Registry) -> Iterator[Finding]:
    names = registry.index.names(DATASETS)
    for name in names:
        try:
            job = open_classifier(registry, name).job
        except BnnError:
            continue
        for candidate in candidates(registry, job):
            backend = candidate.backend
            if candidate.obstacle is None:
                yield Finding("ok", f"backend {backend.name}", backend.summary or "can run")
            else:
                yield Finding("note", f"backend {backend.name}", f"cannot run here: {candidate.obstacle}")
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
