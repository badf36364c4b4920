"""The index: who offers which name, read from metadata alone.

An entry point's name is the id and its distribution the owner, so listing, conflicts, blocks and
hints import no plugin. Pluggy's own entry-point loader is not used: it imports every plugin, one
exception in any of them ends the host, and it drops the second plugin of a name without a word.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from attrs import frozen

from bnncore.discovery.names import canonical, is_name

__all__ = [
    "BACKENDS",
    "BITSTREAMS",
    "DATASETS",
    "GROUPS",
    "PARAMETERS",
    "TOPOLOGIES",
    "Claim",
    "Index",
    "blocks",
    "same_distribution",
]

DATASETS = "bnncore.datasets"
TOPOLOGIES = "bnncore.topologies"
BITSTREAMS = "bnncore.bitstreams"
BACKENDS = "bnncore.backends"
# ``<dataset>.<topology>``: further parameters for somebody else's dataset.
PARAMETERS = "bnncore.parameters"
GROUPS = (DATASETS, TOPOLOGIES, BITSTREAMS, BACKENDS, PARAMETERS)

_OWN = "bnncore"


@frozen(kw_only=True)
class Claim:
    """One distribution's offer of one name.

    Attributes:
        group: entry-point group, one of ``GROUPS``.
        name: canonical.
        declared: as the entry point spells it.
        value: import path of the plugin.
        distribution: name of the distribution as it declares it.
        version: of the distribution.
    """

    group: str
    name: str
    declared: str
    value: str
    distribution: str
    version: str

    @property
    def blocked(self) -> str | None:
        """Why it must not be imported now, or None; the environment is read at each look."""
        return blocks(self.distribution, self.name)

    @property
    def owner(self) -> str:
        """Distribution and version, as errors name them."""
        return f"{self.distribution} {self.version}"


@frozen(kw_only=True)
class Index:
    """All claims at one moment.

    Attributes:
        claims: in order of group, name and distribution.
        faults: entry points that cannot be claims, each with the reason in words.
    """

    claims: tuple[Claim, ...]
    faults: tuple[str, ...] = ()

    @classmethod
    def scan(cls) -> Index:
        """Read the metadata of every installed distribution; import none.

        A distribution that is found twice (say, installed and editable) counts once.
        """
        importlib.invalidate_caches()
        claims: list[Claim] = []
        faults: list[str] = []
        known: dict[int, tuple[str, str]] = {}
        available = entry_points()
        for group in GROUPS:
            for entry in available.select(group=group):
                distribution, version = _owner(entry, known)
                if not is_name(entry.name):
                    faults.append(
                        f"{distribution} {version}: {entry.name!r} in {group} is not a name "
                        "(letters, digits, '-' and '_')"
                    )
                    continue
                claims.append(
                    Claim(
                        group=group,
                        name=canonical(entry.name),
                        declared=entry.name,
                        value=entry.value,
                        distribution=distribution,
                        version=version,
                    )
                )
        claims.sort(key=lambda claim: (claim.group, claim.name, claim.distribution, claim.value))
        return cls(claims=tuple(claims), faults=tuple(faults))

    def of(self, group: str, name: str | None = None) -> tuple[Claim, ...]:
        """Return the claims of a group, or of one canonical name in it; blocked ones included."""
        return tuple(
            claim for claim in self.claims if claim.group == group and (name is None or claim.name == name)
        )

    def names(self, group: str) -> tuple[str, ...]:
        """Return the canonical names of a group that are not blocked, sorted."""
        return tuple(sorted({claim.name for claim in self.of(group) if not claim.blocked}))


def same_distribution(one: str, other: str) -> bool:
    """Say whether two spellings name the same distribution (case, ``-``, ``_`` and ``.`` do not count)."""
    return _canonical_distribution(one) == _canonical_distribution(other)


def blocks(distribution: str, name: str) -> str | None:
    """Return why the environment forbids a distribution or a name, or None.

    ``BNNCORE_DISABLE`` lists distributions and names to leave out; ``BNNCORE_ALLOW``, if set, lists the
    only distributions to use besides bnncore itself. Both are separated by commas.
    """
    own = _canonical_distribution(distribution)
    disabled = _listed("BNNCORE_DISABLE")
    for each in (own, name):
        if each in disabled:
            return f"{each!r} is listed in BNNCORE_DISABLE"
    allowed = _listed("BNNCORE_ALLOW")
    if allowed and own != _OWN and own not in allowed:
        return f"{distribution!r} is not listed in BNNCORE_ALLOW"
    return None


def _listed(variable: str) -> set[str]:
    words: Iterable[str] = os.environ.get(variable, "").split(",")
    return {_canonical_distribution(word) for word in words if word.strip()}


def _canonical_distribution(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(".", "_")


def _owner(entry: EntryPoint, known: dict[int, tuple[str, str]]) -> tuple[str, str]:
    """Return name and version of an entry point's distribution; parsing them costs, so once each."""
    distribution = entry.dist
    if distribution is None:
        return ("an unknown distribution", "of unknown version")
    key = id(distribution)
    if key not in known:
        metadata = distribution.metadata
        known[key] = (metadata["Name"] or "an unnamed distribution", metadata["Version"] or "unknown")
    return known[key]
