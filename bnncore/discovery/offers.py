"""Who offers parameters for a dataset, and which of them is meant: the rules of ``topology=`` and ``distribution=``.

A dataset's own plugin goes first, so that installing another package changes no answer. What is left open
after that is an error that names the choices.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from bnncore.discovery.blocklist import blocks, same_distribution
from bnncore.discovery.index import Claim, Index
from bnncore.discovery.kinds import PARAMETERS
from bnncore.discovery.names import canonical
from bnncore.errors import AmbiguousError, BlockedError
from bnncore.plain_text import shown
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
        blocked: topologies for which the dataset's own parameters are blocked by name, and why.
    """

    dataset: Dataset
    own: Claim
    claims: Mapping[str, tuple[Claim, ...]]
    blocked: Mapping[str, str] = field(factory=dict)

    def choose_topology(self, asked: str | None, distribution: str | None = None) -> str:
        """Return the asked topology, or the dataset's first, as its plugin spells it.

        Args:
            asked: name, or None.
            distribution: that shall supply the parameters, or None for any.

        Raises:
            AmbiguousError: if it is not offered, or none is asked for and the distribution offers several but not
                the dataset's first.
            BlockedError: if it would be offered, but for the environment.
        """
        offered = self._of(distribution)
        self._check_blocked(asked, distribution, offered)
        name, of = self.dataset.name, f" of {shown(distribution)}" if distribution else ""
        if not offered:
            raise AmbiguousError(f"there are no parameters{of} for dataset {name!r}; installed: {self}")
        if asked is not None:
            for topology in offered:
                if canonical(topology) == canonical(asked):
                    return topology
            raise AmbiguousError(
                f"dataset {name!r} is not offered on topology {shown(asked)}{of}; choose from {', '.join(offered)}"
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
        name, of = self.dataset.name, f" of {shown(distribution)}" if distribution else ""
        if not claims:
            raise AmbiguousError(
                f"there are no parameters{of} for dataset {name!r} on topology {shown(topology)}; installed: {self}"
            )
        if len(claims) > 1 and claims[0] != self.own:
            raise AmbiguousError(
                f"parameters for dataset {name!r} on topology {topology!r} are offered by "
                f"{' and '.join(claim.owner for claim in claims)}; choose one with {argument('distribution')}, for "
                f"example {argument('distribution', claims[0].distribution)}"
            )
        return claims[0]

    def __str__(self) -> str:
        found = [
            f"{topology} from {', '.join(claim.distribution for claim in claims)}"
            for topology, claims in self.claims.items()
        ]
        found += [f"{topology} is blocked ({reason})" for topology, reason in self.blocked.items()]
        return "; ".join(found) or "none"

    def _check_blocked(
        self, asked: str | None, distribution: str | None, offered: Mapping[str, object]
    ) -> None:
        """Raise where the dataset's own parameters would be taken if they were not blocked, instead of others'."""
        if distribution is not None and not same_distribution(self.own.distribution, distribution):
            return
        wanted = canonical(self.dataset.topologies[0] if asked is None else asked)
        if any(canonical(each) == wanted for each in offered):
            return
        for topology, reason in self.blocked.items():
            if canonical(topology) == wanted:
                others = (
                    f"; choose another with {argument('topology')}, from {', '.join(offered)}"
                    if offered
                    else ""
                )
                raise BlockedError(
                    f"parameters of {self.own.owner} for dataset {self.dataset.name!r} on topology {topology!r} are "
                    f"blocked: {reason}{others}"
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
    # They come with the dataset, so that no claim of their own could be blocked.
    names = {topology: f"{own.name}.{canonical(topology)}" for topology in dataset.topologies}
    blocked = {
        topology: reason for topology, name in names.items() if (reason := blocks(own.distribution, name))
    }
    found: dict[str, list[Claim]] = {
        topology: [own] for topology in dataset.topologies if topology not in blocked
    }
    spelling = {canonical(topology): topology for topology in dataset.topologies}
    for claim in index.of(PARAMETERS):
        topology = claim.parts["topology"]
        if claim.blocked or claim.parts["dataset"] != own.name:
            continue
        claims = found.setdefault(spelling.setdefault(canonical(topology), topology), [])
        if not any(same_distribution(each.distribution, claim.distribution) for each in claims):
            claims.append(claim)
    return Offers(
        dataset=dataset,
        own=own,
        claims={topology: tuple(claims) for topology, claims in found.items()},
        blocked=blocked,
    )
