"""Who offers parameters for a dataset, and which of them is meant: the rules of ``topology=`` and ``source=``.

A dataset's own plugin goes first, so that installing another package changes no answer. What is left open
after that is an error that names the choices.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from bnncore.discovery.index import PARAMETERS, Claim, Index, same_distribution
from bnncore.discovery.names import canonical
from bnncore.errors import AmbiguousError
from bnncore.records import Dataset

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

    def choose_topology(self, asked: str | None, source: str | None = None) -> str:
        """Return the asked topology, or the dataset's first, as its plugin spells it.

        Args:
            asked: name, or None.
            source: distribution that shall supply the parameters, or None for any.

        Raises:
            AmbiguousError: if it is not offered, or none is asked for and the source offers several but not
                the dataset's first.
        """
        offered = self._of(source)
        name, of = self.dataset.name, f" of {source!r}" if source else ""
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
            f"parameters{of} for dataset {name!r} are for several topologies; choose one with topology=, "
            f"from {', '.join(offered)}"
        )

    def choose_owner(self, topology: str, source: str | None = None) -> Claim:
        """Return the claim whose plugin supplies the parameters for one of the topologies.

        Raises:
            AmbiguousError: if nobody, not the source, or without a source several others offer them.
        """
        offered = {canonical(each): claims for each, claims in self._of(source).items()}
        claims = offered.get(canonical(topology), ())
        name, of = self.dataset.name, f" of {source!r}" if source else ""
        if not claims:
            raise AmbiguousError(
                f"there are no parameters{of} for dataset {name!r} on topology {topology!r}; installed: {self}"
            )
        if len(claims) > 1 and claims[0] != self.own:
            raise AmbiguousError(
                f"parameters for dataset {name!r} on topology {topology!r} are offered by "
                f"{' and '.join(claim.owner for claim in claims)}; choose one with source=, for example "
                f"source={claims[0].distribution!r}"
            )
        return claims[0]

    def __str__(self) -> str:
        return "; ".join(
            f"{topology} from {', '.join(claim.distribution for claim in claims)}"
            for topology, claims in self.claims.items()
        )

    def _of(self, source: str | None) -> Mapping[str, tuple[Claim, ...]]:
        """Keep the claims of one distribution, if one is named."""
        if source is None:
            return self.claims
        kept = {
            topology: tuple(each for each in claims if same_distribution(each.distribution, source))
            for topology, claims in self.claims.items()
        }
        return {topology: claims for topology, claims in kept.items() if claims}


def find_offers(index: Index, dataset: Dataset, own: Claim) -> Offers:
    """Return the offers for a dataset; blocked ones are left out."""
    found: dict[str, list[Claim]] = {topology: [own] for topology in dataset.topologies}
    spelling = {canonical(topology): topology for topology in dataset.topologies}
    for claim in index.of(PARAMETERS):
        name, _, topology = claim.declared.partition(".")
        if claim.blocked or not topology or canonical(name) != own.name:
            continue
        claims = found.setdefault(spelling.setdefault(canonical(topology), topology), [])
        if not any(same_distribution(each.distribution, claim.distribution) for each in claims):
            claims.append(claim)
    return Offers(
        dataset=dataset, own=own, claims={topology: tuple(claims) for topology, claims in found.items()}
    )
