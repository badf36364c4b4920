"""Where each part of a classifier comes from, what else was considered, and why that lost.

Nothing is decided here: the resolution, ``bnncore.backends.choose`` and ``bnncore.boards.matching`` are those that the
classifier itself runs by.
"""

from __future__ import annotations

from collections.abc import Iterator

from bnncore.backends import Job, choose
from bnncore.boards.matching import board_of, match_bitstream, relatives
from bnncore.classifier import Classifier
from bnncore.discovery.index import Claim
from bnncore.discovery.kinds import BACKEND, BITSTREAM, PARAMETERS, TOPOLOGY
from bnncore.discovery.names import canonical
from bnncore.discovery.registry import Registry
from bnncore.discovery.resolve import Choice
from bnncore.errors import BnnError

__all__ = ["Choice", "explain"]


def explain(registry: Registry, classifier: Classifier) -> tuple[Choice, ...]:
    """Return every choice behind a classifier, for each part the chosen one first; opens no backend.

    Args:
        registry: that the classifier was made with.
        classifier: from ``bnncore.get`` or ``bnncore.load``, with the options that shall be explained.
    """
    job, found = classifier.job, classifier.resolution
    parts = _loaded(classifier) if found is None else found.choices()
    return (*parts, *_bitstreams(registry, job), *_backends(registry, job, classifier.options.backend))


def _loaded(classifier: Classifier) -> Iterator[Choice]:
    """Yield the parts of parameters that were loaded from a path, which no plugin offers."""
    for kind, what in ((PARAMETERS, classifier.name), (TOPOLOGY, classifier.topology.name)):
        yield Choice(part=kind.word, what=what, owner="your files", chosen=True, reason="loaded by its path")


def _bitstreams(registry: Registry, job: Job) -> Iterator[Choice]:
    """Yield the bitstreams of the topology; for a board also those of other topologies on it."""
    topology, board = job.topology.name, board_of(job)
    names = () if board is None else relatives(board)
    used, problem = None, None
    if board is not None:
        try:
            matched = match_bitstream(job, board)
        except BnnError as error:
            problem = str(error)
        else:
            used = None if matched is None else canonical(f"{topology}.{matched[0]}")
    for claim in sorted(registry.index.of(BITSTREAM), key=lambda each: each.name != used or bool(each.blocked)):
        fits = canonical(claim.parts["topology"]) == canonical(topology)
        place = claim.parts["board"]
        here = canonical(place) in map(canonical, names if fits else names[:1])
        if not (fits or here):
            continue
        chosen = claim.name == used and not claim.blocked
        if claim.blocked:
            reason = claim.blocked
        elif not fits:
            reason = f"for another topology than {topology}"
        elif board is None:
            reason = f"used on board {place}"
        elif chosen:
            same = canonical(place) == canonical(board.name)
            reason = f"for {topology} on {place}" + ("" if same else f", which has the part of {board.name}")
        else:
            reason = (problem if here else None) or f"for another board than {board.name}"
        yield _choice(claim, chosen, reason)


def _choice(claim: Claim, chosen: bool, reason: str) -> Choice:
    return Choice(part=claim.kind.word, what=claim.declared, owner=claim.owner, chosen=chosen, reason=reason)


def _backends(registry: Registry, job: Job, asked: str) -> Iterator[Choice]:
    candidates = {canonical(each.backend.name): each for each in choose(registry, job, asked)}
    for name, candidate in sorted(candidates.items(), key=lambda each: not each[1].chosen):
        yield _choice(registry.owner(BACKEND, name), candidate.chosen, candidate.reason)
    for claim in registry.index.of(BACKEND):
        if claim.blocked:
            yield _choice(claim, False, claim.blocked)
        elif claim.name not in candidates:
            yield _choice(claim, False, _fault(registry, claim.name))


def _fault(registry: Registry, name: str) -> str:
    """Return why a backend was left out before it was asked whether it can run."""
    try:
        registry.backend(name)
    except BnnError as error:
        return str(error)
    return "was left out, and works now"
