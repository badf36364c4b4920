"""Where each part of a classifier comes from, what else was considered, and why that lost."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from bnncore.backends import candidates
from bnncore.discovery.index import BACKENDS, BITSTREAMS, DATASETS, TOPOLOGIES, Claim
from bnncore.discovery.names import canonical
from bnncore.discovery.registry import Registry
from bnncore.opening import open_classifier
from bnncore.records import Preprocessing

__all__ = ["Choice", "explain"]


@frozen(kw_only=True)
class Choice:
    """One thing that was considered for one part.

    Attributes:
        part: ``dataset``, ``parameters``, ``topology``, ``preprocessing``, ``bitstream`` or ``backend``.
        what: its name.
        owner: distribution and version that offer it.
        chosen: whether it is used.
        reason: why it is, or why it is not.
    """

    part: str
    what: str
    owner: str
    chosen: bool
    reason: str


def explain(
    registry: Registry,
    name: str,
    *,
    topology: str | None = None,
    source: str | None = None,
    board: str | None = None,
) -> tuple[Choice, ...]:
    """Return every choice behind ``bnncore.get``, for each part the chosen one first.

    Args:
        registry: where to look.
        name: of the dataset.
        topology: as in ``get``.
        source: as in ``get``.
        board: name of a board, for its bitstream and what the FPGA backend says of it; None for this machine.

    Raises:
        BnnError: as ``get`` would, if the name cannot be resolved.
    """
    dataset = registry.dataset(name)
    network = registry.topology(registry.choose_topology(dataset, topology, source))
    choices = [
        *_named(registry, "dataset", DATASETS, dataset.name),
        *_parameters(registry, name, network.name, source),
        *_named(registry, "topology", TOPOLOGIES, network.name),
        _preprocessing(registry, name, network.name, source),
        *_bitstreams(registry, network.name, board),
        *_backends(registry, name, network.name, source, board),
    ]
    return tuple(choices)


def _named(registry: Registry, part: str, group: str, name: str) -> Iterator[Choice]:
    """Yield the owner of a name, then those that are blocked; several owners are an error before this."""
    owner = registry.owner(group, name)
    yield Choice(
        part=part, what=owner.declared, owner=owner.owner, chosen=True, reason="the only one of this name"
    )
    for claim in registry.index.of(group, owner.name):
        if claim.blocked:
            yield Choice(part=part, what=claim.declared, owner=claim.owner, chosen=False, reason=claim.blocked)


def _parameters(registry: Registry, name: str, topology: str, source: str | None) -> Iterator[Choice]:
    dataset = registry.dataset(name)
    offers = registry.offers(dataset)
    chosen = offers.choose_owner(topology, source)
    if source is not None:
        reason = "named as source"
    elif chosen == offers.own:
        reason = "the dataset's own go first"
    else:
        reason = "the only ones for this topology"
    record = registry.parameters(dataset, topology, source)
    what = f"{topology}: {record.resource.path}"
    yield Choice(part="parameters", what=what, owner=chosen.owner, chosen=True, reason=reason)
    for offered, claims in offers.claims.items():
        for claim in claims:
            same = canonical(offered) == canonical(topology)
            if same and claim == chosen:
                continue
            ask = f"source={claim.distribution!r}" if same else f"topology={offered!r}"
            yield Choice(
                part="parameters", what=offered, owner=claim.owner, chosen=False, reason=f"taken with {ask}"
            )


def _preprocessing(registry: Registry, name: str, topology: str, source: str | None) -> Choice:
    found = registry.prepared(registry.dataset(name), topology, source)
    if found is None:
        from bnncore.pictures.preprocessing import default_preprocessing

        given = registry.topology(topology).input
        return Choice(
            part="preprocessing",
            what=_steps(default_preprocessing(given)),
            owner=registry.owner(TOPOLOGIES, topology).owner,
            chosen=True,
            reason="the default of the network's input; the plugins declare none",
        )
    claim, declared = found
    return Choice(
        part="preprocessing",
        what=_steps(declared),
        owner=claim.owner,
        chosen=True,
        reason="declared by its plugin",
    )


def _steps(declared: Preprocessing) -> str:
    return declared.function or ", ".join(step.operation for step in declared.steps)


def _bitstreams(registry: Registry, topology: str, board: str | None) -> Iterator[Choice]:
    """Yield the bitstreams of the topology; for a board also those of other topologies on it."""
    wanted = None if board is None else canonical(board)
    for claim in sorted(registry.index.of(BITSTREAMS), key=lambda each: not _serves(each, topology, wanted)):
        network, _, made_for = claim.name.partition(".")
        fits = network == canonical(topology)
        here = wanted is None or made_for == wanted
        if not fits and not (wanted is not None and here):
            continue
        if claim.blocked:
            reason, chosen = claim.blocked, False
        elif not fits:
            reason, chosen = f"for another topology than {topology}", False
        elif wanted is None:
            reason, chosen = f"used on board {claim.declared.partition('.')[2]}", False
        elif here:
            reason, chosen = f"for {topology} on {board}", True
        else:
            reason, chosen = f"for another board than {board}", False
        yield Choice(part="bitstream", what=claim.declared, owner=claim.owner, chosen=chosen, reason=reason)


def _serves(claim: Claim, topology: str, board: str | None) -> bool:
    return not claim.blocked and claim.name == f"{canonical(topology)}.{board}"


def _backends(
    registry: Registry, name: str, topology: str, source: str | None, board: str | None
) -> Iterator[Choice]:
    classifier = open_classifier(registry, name, topology=topology, source=source, board=board)
    found = False
    considered = []
    for candidate in candidates(registry, classifier.job):
        backend = candidate.backend
        chosen = candidate.obstacle is None and backend.priority > 0 and not found
        found = found or chosen
        if chosen:
            reason = "the first that can run here"
        elif candidate.obstacle is not None:
            reason = candidate.obstacle
        elif backend.priority > 0:
            reason = "can run, but comes later"
        else:
            reason = f"can run, only with backend={backend.name!r}"
        considered.append(
            Choice(
                part="backend",
                what=backend.name,
                owner=registry.owner(BACKENDS, backend.name).owner,
                chosen=chosen,
                reason=reason,
            )
        )
    yield from sorted(considered, key=lambda choice: not choice.chosen)
