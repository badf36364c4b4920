"""Who offers parameters for a dataset, and which of them is meant: the rules of ``topology=`` and ``distribution=``.

A dataset's own plugin goes first, so that installing another package changes no answer. What is left open
after that is an error that names the choices.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from bnncore.discovery.index import Claim, Index, same_distribution
from bnncore.discovery.kinds import PARAMETERS
from bnncore.discovery.names import canonical
from bnncore.errors import AmbiguousError
from bnncore.records import Dataset
from bnncore.spelling import argument

__all__ = ["Offers", "find_offers"]


@frozen(kw_only=True)
class Offers:
    """The parameters that installed distributions offer for one dataset.

    Attributes:
        dataset: its record.
        own: the claim of the dataset's plugin.
        claims: for each topology, as its plugin spells it, who offers parameters; the dataset's own plugin
            first, then the others by name.
    """

    dataset: Dataset
    own: Claim
    claims: Mapping[str, tuple[Claim, ...]]

    def choose_topology(self, asked: str | None, distribution: str | None = None) -> str:
        """Return the asked topology, or the dataset's first, as its plugin spells it.

        Args:
            asked: name, or None.
            distribution: that shall supply the parameters, or None for any.

        Raises:
            AmbiguousError: if it is not offered, or none is asked for and the distribution offers several but not
                the dataset's first.
        """
        offered = self._of(distribution)
        name, of = self.dataset.name, f" of {distribution!r}" if distribution else ""
        if not offered:
            raise AmbiguousError(f"there are no parameters{of} for dataset {name!r}; installed: {self}")
        if asked is not None:
            for topology in offered:
                if canonical(topology) == canonical(asked):
                    return topology
            raise AmbiguousError(
                f"dataset {name!r} is not offered on topology {asked!r}{of}; choose from {', '.join(offered)}"
            )
        if self.dataset.topologies[0] in offered:
            return self.dataset.topologies[0]
        if len(offered) == 1:
            return next(iter(offered))
        raise AmbiguousError(
            f"parameters{of} for dataset {name!r} are for several topologies; choose one with {argument('topology')}, "
            f"from {', '.join(offered)}"
        )

    def choose_owner(self, topology: str, distribution: str | None = None) -> Claim:
        """Return the claim whose plugin supplies the parameters for one of the topologies.

        Raises:
            AmbiguousError: if nobody, not the distribution, or without one several others offer them.
        """
        offered = {canonical(each): claims for each, claims in self._of(distribution).items()}
        claims = offered.get(canonical(topology), ())
        name, of = self.dataset.name, f" of {distribution!r}" if distribution else ""
        if not claims:
            raise AmbiguousError(
                f"there are no parameters{of} for dataset {name!r} on topology {topology!r}; installed: {self}"
            )
        if len(claims) > 1 and claims[0] != self.own:
            raise AmbiguousError(
                f"parameters for dataset {name!r} on topology {topology!r} are offered by "
                f"{' and '.join(claim.owner for claim in claims)}; choose one with {argument('distribution')}, for "
                f"example {argument('distribution', claims[0].distribution)}"
            )
        return claims[0]

    def __str__(self) -> str:
        return "; ".join(
            f"{topology} from {', '.join(claim.distribution for claim in claims)}"
            for topology, claims in self.claims.items()
        )

    def _of(self, distribution: str | None) -> Mapping[str, tuple[Claim, ...]]:
        """Keep the claims of one distribution, if one is named."""
        if distribution is None:
            return self.claims
        kept = {
            topology: tuple(each for each in claims if same_distribution(each.distribution, distribution))
            for topology, claims in self.claims.items()
        }
        return {topology: claims for topology, claims in kept.items() if claims}


def find_offers(index: Index, dataset: Dataset, own: Claim) -> Offers:
    """Return the offers for a dataset; blocked ones are left out."""
    found: dict[str, list[Claim]] = {topology: [own] for topology in dataset.topologies}
    spelling = {canonical(topology): topology for topology in dataset.topologies}
    for claim in index.of(PARAMETERS):
        topology = claim.parts["topology"]
        if claim.blocked or claim.parts["dataset"] != own.name:
            continue
        claims = found.setdefault(spelling.setdefault(canonical(topology), topology), [])
        if not any(same_distribution(each.distribution, claim.distribution) for each in claims):
            claims.append(claim)
    return Offers(
        dataset=dataset, own=own, claims={topology: tuple(claims) for topology, claims in found.items()}
    )
