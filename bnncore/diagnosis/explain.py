"""Where each part of a classifier comes from, what else was considered, and why that lost.

Nothing is decided here: the resolution, ``bnncore.backends.choose`` and ``bnncore.boards.matching`` are those that the
classifier itself runs by.
"""

from __future__ import annotations

from collections.abc import Iterator

from bnncore.backends import Job, choose
from bnncore.boards.matching import board_of, consider_bitstreams, fitting
from bnncore.classifier import Classifier
from bnncore.discovery.index import Claim
from bnncore.discovery.kinds import BACKEND, BITSTREAM, PARAMETERS, TOPOLOGY
from bnncore.discovery.names import canonical, is_name
from bnncore.discovery.registry import Registry
from bnncore.discovery.resolve import Choice

__all__ = ["explain"]


def explain(registry: Registry, classifier: Classifier) -> tuple[Choice, ...]:
    """Return every choice behind a classifier, for each part the chosen one first; opens no backend.

    Args:
        registry: that the classifier was made with.
        classifier: from ``bnncore.get`` or ``bnncore.load``, with the options that shall be explained.
    """
    job, found = classifier.job, classifier.resolution
    parts = _loaded(classifier) if found is None else found.choices()
    backends = tuple(_backends(registry, job, classifier.options.backend))
    on_board = any(each.chosen and each.what == "fpga" for each in backends)
    return (*parts, *_bitstreams(registry, job, on_board), *backends)


def _loaded(classifier: Classifier) -> Iterator[Choice]:
    """Yield the parts of parameters that were loaded from a path, which no plugin offers."""
    for kind, what in ((PARAMETERS, classifier.name), (TOPOLOGY, classifier.topology.name)):
        yield Choice(part=kind.word, what=what, owner="your files", chosen=True, reason="loaded by its path")


def _bitstreams(registry: Registry, job: Job, on_board: bool) -> Iterator[Choice]:
    """Yield the bitstreams of the topology; for a board also those of other topologies on it.

    One is chosen for a board that is named or at hand: that which the backend ``fpga`` loads, where it runs.
    """
    topology, board = job.topology.name, board_of(job)
    considered = () if board is None else consider_bitstreams(job.topology, job.find_bitstream, board)
    fit, by_place = fitting(considered), {canonical(each.place): each for each in considered}
    found = []
    for claim in registry.index.of(BITSTREAM):
        place = claim.parts["board"]
        here = by_place.get(canonical(place))
        chosen = False
        if not _same(claim.parts["topology"], topology):
            if board is None or not _same(place, board.name):
                continue
            reason = f"for another topology than {topology}"
        elif board is None:
            reason = f"used on board {place}"
        elif here is None or (here.problem is None and here is not fit):
            reason = f"for another board than {board.name}"
        elif here is fit:
            chosen = True
            reason = f"for {topology} on {place}"
            if not _same(place, board.name):
                reason += f", which has the part of {board.name}"
            if not on_board:
                reason += "; used where the backend fpga runs"
        else:
            reason = str(here.problem)
        if claim.blocked:
            # Another distribution may offer the same.
            chosen, reason = False, claim.blocked
        found.append(_choice(claim, chosen, reason))
    yield from sorted(found, key=lambda each: not each.chosen)


def _same(name: str, other: str) -> bool:
    """Say whether two words are the same name; what a file or a device tree says need not be one."""
    return is_name(name) and is_name(other) and canonical(name) == canonical(other)


def _choice(claim: Claim, chosen: bool, reason: str) -> Choice:
    return Choice(part=claim.kind.word, what=claim.declared, owner=claim.owner, chosen=chosen, reason=reason)


def _backends(registry: Registry, job: Job, asked: str) -> Iterator[Choice]:
    candidates = {canonical(each.backend.name): each for each in choose(registry, job, asked, thorough=True)}
    for name, candidate in sorted(candidates.items(), key=lambda each: not each[1].chosen):
        yield _choice(registry.owner(BACKEND, name), candidate.chosen, candidate.reason)
    for claim, error in registry.broken_backends():
        yield _choice(claim, False, str(error))
    for claim in registry.index.of(BACKEND):
        if claim.blocked:
            yield _choice(claim, False, claim.blocked)
