"""Who supplies each part of a classifier: decided here, once, for all who open it or tell of it.

``get`` opens a resolution, ``explain`` and ``info`` print one, ``doctor`` and the conformance kit go through those of a
distribution. What runs the network is decided by ``bnncore.backends.choose``, on the machine at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from attrs import field, frozen
from bnnhw.topology import Topology

from bnncore.discovery.blocklist import same_distribution
from bnncore.discovery.index import Claim, Index
from bnncore.discovery.kinds import DATASET, PARAMETERS, PREPROCESSING, TOPOLOGY, kinds
from bnncore.discovery.names import canonical
from bnncore.discovery.offers import Offers, find_offers
from bnncore.discovery.registry import Registry
from bnncore.errors import AmbiguousError, PluginError, ResourceError, UnknownNameError
from bnncore.records import Dataset, Parameters, Preprocessing, Resource
from bnncore.resources import packaged
from bnncore.spelling import argument, wrong_type

__all__ = ["Choice", "Resolution", "offered_by", "resolve"]


# Made at every start, as bnnhw.environment.Variable.
class Choice(NamedTuple):
    """One thing that was considered for one part.

    Attributes:
        part: ``dataset``, ``parameters``, ``topology``, ``preprocessing``, ``bitstream``, ``backend``, …
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


@frozen(kw_only=True, eq=False)
class Resolution:
    """The parts of one dataset's classifier, and where each comes from.

    Attributes:
        dataset: its record.
        topology: the network's.
        parameters: the record of the weights.
        preprocessing: how pictures were prepared for these weights, as far as plugins tell; see ``trained_with``.
        owner, topology_owner, parameters_owner, preprocessing_owner: who offers each of them; the topology's, for the
            preprocessing of weights that declare none.
    """

    dataset: Dataset
    topology: Topology
    parameters: Parameters
    preprocessing: Preprocessing
    owner: Claim
    topology_owner: Claim
    parameters_owner: Claim
    preprocessing_owner: Claim
    _offers: Offers = field(repr=False)
    _index: Index = field(repr=False)
    _asked: str | None = field(repr=False)
    # Of the datasets that the distribution of the parameters offers itself.
    _others_cards: tuple[Resource, ...] = field(repr=False)

    def trained_with(self, recorded: Preprocessing | None) -> Preprocessing:
        """Return how pictures are prepared: as a plugin declares it, else as the weights record it.

        Args:
            recorded: in the file of the weights; None where it records none.
        """
        return self.preprocessing if recorded is None or self.declared else recorded

    def contradiction(self, recorded: Preprocessing | None) -> str | None:
        """Say that the preprocessing which a plugin declares is not that of the weights' training; None if it is.

        Args:
            recorded: as in ``trained_with``.
        """
        if recorded is None or not self.declared or self.preprocessing == recorded:
            return None
        return (
            f"{self.preprocessing_owner.owner} declares the preprocessing {self.preprocessing.describe()} for "
            f"{self.dataset.name!r} on {self.topology.name!r}, but its weights were trained with "
            f"{recorded.describe()}, their file says; correct its hook, or leave it out: then that of the file is used"
        )

    @property
    def declared(self) -> bool:
        """Whether a plugin declares the preprocessing."""
        return self.preprocessing_owner != self.topology_owner

    @property
    def own(self) -> bool:
        """Whether the dataset's own plugin supplies the parameters."""
        return self.parameters_owner == self.owner

    @property
    def card(self) -> Resource:
        """The card that tells of these parameters: figures are of weights, and so of who supplies them.

        Raises:
            ResourceError: if another distribution supplies them and lists no card.
        """
        if self.own:
            return self.dataset.card
        from bnncore.formats.card import CARD

        package, (folder, _, _) = (
            self.parameters.resource.package,
            self.parameters.resource.path.rpartition("/"),
        )
        if folder:
            # A package may offer parameters for several datasets, each in a folder with a card of its own.
            try:
                return packaged(package, f"{folder}/{CARD}")
            except ResourceError:
                pass
        resource = packaged(package, CARD)
        if resource in self._others_cards:
            raise ResourceError(
                f"{package}/{CARD} is the card of another dataset; put one for these parameters beside their weights"
            )
        return resource

    def choices(self) -> Iterator[Choice]:
        """Yield what was considered, part by part, the chosen one first."""
        yield from self._alone(self.owner)
        yield from self._parameters()
        yield from self._alone(self.topology_owner)
        yield self._preprocessing()
        yield from self._further()

    def _alone(self, owner: Claim) -> Iterator[Choice]:
        """Yield the owner of a name, then those that are blocked; several owners are an error before this."""
        part = owner.kind.word
        yield Choice(
            part=part, what=owner.declared, owner=owner.owner, chosen=True, reason="the only one of this name"
        )
        for claim in self._index.of(owner.kind, owner.name):
            if claim.blocked:
                yield Choice(
                    part=part, what=claim.declared, owner=claim.owner, chosen=False, reason=claim.blocked
                )

    def _parameters(self) -> Iterator[Choice]:
        part, network, chosen = PARAMETERS.word, self.topology.name, self.parameters_owner
        if self._asked is not None:
            reason = f"named with {argument('distribution')}"
        elif self.own:
            reason = "the dataset's own go first"
        else:
            reason = "the only ones for this topology"
        what = f"{network}: {self.parameters.resource.path}"
        yield Choice(part=part, what=what, owner=chosen.owner, chosen=True, reason=reason)
        for offered, claims in self._offers.claims.items():
            for claim in claims:
                if claim == chosen and canonical(offered) == canonical(network):
                    continue
                reason = self._missing(offered) or f"taken with {self._how(offered, claim)}"
                yield Choice(part=part, what=offered, owner=claim.owner, chosen=False, reason=reason)
        for offered, reason in self._offers.blocked.items():
            yield Choice(part=part, what=offered, owner=self.owner.owner, chosen=False, reason=reason)
        for claim in self._index.of(PARAMETERS):
            if claim.blocked and claim.parts["dataset"] == self.owner.name:
                yield Choice(
                    part=part,
                    what=claim.parts["topology"],
                    owner=claim.owner,
                    chosen=False,
                    reason=claim.blocked,
                )

    def _missing(self, topology: str) -> str | None:
        """Return why a topology that parameters are offered for cannot be used, as far as the index tells."""
        try:
            self._index.owner(TOPOLOGY, topology)
        except PluginError as error:
            return str(error)
        return None

    def _how(self, topology: str, claim: Claim) -> str:
        """Return with which arguments the parameters of a claim are taken."""
        needed = []
        if canonical(topology) != canonical(self.topology.name):
            needed.append(argument("topology", topology))
        try:
            taken = self._offers.choose_owner(topology)
        except AmbiguousError:
            taken = None
        if taken != claim or not needed:
            needed.append(argument("distribution", claim.distribution))
        return " and ".join(needed)

    def _preprocessing(self) -> Choice:
        reason = "declared by its plugin"
        if not self.declared:
            reason = "the plugins declare none: that which the weights record, else this one"
        return Choice(
            part=PREPROCESSING.word,
            what=self.preprocessing.describe(),
            owner=self.preprocessing_owner.owner,
            chosen=True,
            reason=reason,
        )

    def _further(self) -> Iterator[Choice]:
        """Yield offers of other kinds for this dataset or network, which nothing here decides about."""
        known = {"dataset": self.owner.name, "topology": canonical(self.topology.name)}
        for kind in kinds():
            concerned = [part for part in kind.parts if part in known]
            if kind == PARAMETERS or not concerned or len(concerned) < len(kind.parts):
                continue
            for claim in self._index.of(kind):
                if all(canonical(claim.parts[part]) == known[part] for part in concerned):
                    yield Choice(
                        part=kind.word,
                        what=claim.declared,
                        owner=claim.owner,
                        chosen=not claim.blocked,
                        reason=claim.blocked or "offered for it",
                    )


def resolve(
    registry: Registry, name: str, *, topology: str | None = None, distribution: str | None = None
) -> Resolution:
    """Decide who supplies each part of the classifier of a dataset; opens no file and needs no numpy.

    What is missing is looked for once more in fresh metadata: it may have been installed meanwhile.

    Args:
        registry: where to look.
        name: of the dataset, in any spelling.
        topology: one of those that it is offered on, or None for its first.
        distribution: that shall supply the parameters; None for the dataset's own plugin, or for the only one that
            offers them.

    Raises:
        UnknownNameError: if nobody offers a name, or it is no text.
        AmbiguousError: if topology or distribution leave several choices, or none; the message has them.
        PluginError: if a plugin that is needed is broken, or its name is blocked or claimed twice.
    """
    for what, value in (("topology", topology), ("distribution", distribution)):
        if value is not None and not isinstance(value, str):
            raise UnknownNameError(wrong_type(what, "a name", value))
    try:
        return _resolve(registry, registry.index, name, topology, distribution)
    except (UnknownNameError, AmbiguousError):
        return _resolve(registry, registry.rescan(), name, topology, distribution)


def offered_by(registry: Registry, distribution: str) -> Iterator[Resolution]:
    """Yield what the parameters that a distribution offers, for its own datasets and for others', are resolved to.

    Raises:
        PluginError: as ``resolve``.
    """
    mine = [each for each in registry.index.claims if same_distribution(each.distribution, distribution)]
    names = {each.parts["dataset"] for each in mine if each.kind == PARAMETERS}
    names |= {each.name for each in mine if each.kind == DATASET}
    for name in sorted(names):
        for topology, claims in registry.offers(registry.dataset(name)).claims.items():
            if any(same_distribution(each.distribution, distribution) for each in claims):
                yield resolve(registry, name, topology=topology, distribution=distribution)


def _resolve(
    registry: Registry, index: Index, name: str, topology: str | None, distribution: str | None
) -> Resolution:
    owner = index.owner(DATASET, name)
    dataset: Dataset = registry.describe(owner)
    offers = find_offers(index, dataset, owner)
    spelt = offers.choose_topology(topology, distribution)
    parameters_owner = offers.choose_owner(spelt, distribution)
    topology_owner = index.owner(TOPOLOGY, spelt)
    network: Topology = registry.describe(topology_owner)
    asked = {"dataset": owner.name, "topology": network.name}
    parameters: Parameters | None = registry.ask(parameters_owner, PARAMETERS, **asked)
    if parameters is None:
        raise PluginError(
            f"plugin {parameters_owner.owner} offers no parameters of {dataset.name!r} for {network.name!r}"
        )
    # The plugin of the parameters is asked first, since they were trained that way, then the dataset's.
    preprocessing, preprocessing_owner = Preprocessing.unrecorded(network.input), topology_owner
    for claim in dict.fromkeys((parameters_owner, owner)):
        declared = registry.ask(claim, PREPROCESSING, **asked)
        if declared is not None:
            preprocessing, preprocessing_owner = declared, claim
            break
    return Resolution(
        dataset=dataset,
        topology=network,
        parameters=parameters,
        preprocessing=preprocessing,
        owner=owner,
        topology_owner=topology_owner,
        parameters_owner=parameters_owner,
        preprocessing_owner=preprocessing_owner,
        offers=offers,
        index=index,
        asked=distribution,
        others_cards=tuple(
            registry.describe(claim).card
            for claim in index.of(DATASET)
            if parameters_owner != owner
            and claim.distribution == parameters_owner.distribution
            and not claim.blocked
        ),
    )
