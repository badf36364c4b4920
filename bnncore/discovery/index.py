"""The index: who offers which name, read from metadata alone.

An entry point's name is the id and its distribution the owner, so listing, conflicts, blocks and
hints import no plugin. Pluggy's own entry-point loader is not used: it imports every plugin, one
exception in any of them ends the host, and it drops the second plugin of a name without a word.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from attrs import field, frozen

from bnncore import environment
from bnncore.discovery.kinds import DATASET, Kind, kind_of, offered_kinds
from bnncore.discovery.names import canonical, is_name
from bnncore.errors import BlockedError, ConflictError, UnknownNameError

__all__ = ["Claim", "Index", "blocks", "same_distribution"]

_OWN = "bnncore"


@frozen(kw_only=True)
class Claim:
    """One distribution's offer of one name.

    Attributes:
        group: of the entry point.
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
    def kind(self) -> Kind:
        """What is offered."""
        return kind_of(self.group)

    @property
    def parts(self) -> dict[str, str]:
        """The parts of the name by the arguments of its kind's hook, as the hook is given them."""
        kind = self.kind
        declared, compared = self.declared.split("."), self.name.split(".")
        return {
            part: spelt if part in kind.spelt else canonic
            for part, spelt, canonic in zip(kind.parts, declared, compared)
        }

    @property
    def blocked(self) -> str | None:
        """Why it must not be imported now, or None; the environment is read at each look."""
        return blocks(self.distribution, self.name)

    @property
    def own(self) -> bool:
        """Whether bnncore itself offers it."""
        return _canonical_distribution(self.distribution) == _OWN

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
    # By group, and by group and name, so that no question goes through all claims again.
    _claims_of: Mapping[tuple[str | None, str | None], tuple[Claim, ...]] = field(
        init=False, eq=False, repr=False
    )

    @_claims_of.default
    def _by_group_and_name(self) -> Mapping[tuple[str | None, str | None], tuple[Claim, ...]]:
        found: dict[tuple[str | None, str | None], list[Claim]] = {}
        for claim in self.claims:
            found.setdefault((claim.group, None), []).append(claim)
            found.setdefault((claim.group, claim.name), []).append(claim)
        return {key: tuple(claims) for key, claims in found.items()}

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
        for kind in offered_kinds():
            assert kind.group is not None
            for entry in available.select(group=kind.group):
                distribution, version = _owner(entry, known)
                if fault := _fault(kind, entry.name):
                    faults.append(f"{distribution} {version}: {entry.name!r} in {kind.group} {fault}")
                    continue
                claims.append(
                    Claim(
                        group=kind.group,
                        name=canonical(entry.name),
                        declared=entry.name,
                        value=entry.value,
                        distribution=distribution,
                        version=version,
                    )
                )
        claims.sort(key=lambda claim: (claim.group, claim.name, claim.distribution, claim.value))
        return cls(claims=tuple(claims), faults=tuple(faults))

    def of(self, kind: Kind, name: str | None = None) -> tuple[Claim, ...]:
        """Return the claims of a kind, or of one canonical name of it; blocked ones included."""
        return self._claims_of.get((kind.group, name), ())

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the canonical names of a kind that are not blocked, sorted."""
        return tuple(sorted({claim.name for claim in self.of(kind) if not claim.blocked}))

    def owner(self, kind: Kind, name: str) -> Claim:
        """Return the one claim of a name, in any spelling.

        Raises:
            UnknownNameError: if nobody offers it; the message has close names and a hint.
            ConflictError: if several distributions do, naming each with its version.
            BlockedError: if its distribution is blocked.
        """
        asked, name = name, canonical(name)
        claims = self.of(kind, name)
        if not claims:
            raise self._unknown(kind, asked, name)
        free = [claim for claim in claims if not claim.blocked]
        if not free:
            claim = claims[0]
            raise BlockedError(f"{kind.word} {name!r} of {claim.owner} is blocked: {claim.blocked}")
        if len(free) > 1:
            owners = " and ".join(f"{claim.owner} ({claim.value})" for claim in free)
            raise ConflictError(
                f"{kind.word} {name!r} is offered by {owners}; uninstall all but one, or set "
                f"BNNCORE_DISABLE={free[-1].distribution}"
            )
        return free[0]

    def _unknown(self, kind: Kind, asked: str, name: str) -> UnknownNameError:
        # Needed for an error alone.
        import difflib

        # Datasets and backends are asked for by their canonical names, topologies as their plugins spell them.
        free = [claim for claim in self.of(kind) if not claim.blocked]
        known = {claim.name: claim.declared if kind.spelt else claim.name for claim in free}
        close = difflib.get_close_matches(name, known)
        if close:
            hint = f"did you mean {' or '.join(repr(known[each]) for each in close)}?"
        elif "." in asked:
            hint = f"a file is given by a path with a separator, for example './{asked}'"
        elif kind == DATASET:
            hint = f"installed: {', '.join(sorted(known)) or 'none'}. If a distribution offers it: "
            hint += f"pip install bnn-{name.replace('_', '-')}"
        else:
            hint = f"installed: {', '.join(sorted(known.values())) or 'none'}"
        return UnknownNameError(f"no installed distribution offers {kind.word} {asked!r}; {hint}")


def _fault(kind: Kind, name: str) -> str | None:
    """Return why a name cannot be one of a kind, or None."""
    if not is_name(name):
        return "is not a name (letters, digits, '-' and '_')"
    if name.count(".") != len(kind.parts) - 1:
        return f"must be {kind.form}"
    return None


def same_distribution(one: str, other: str) -> bool:
    """Say whether two spellings name the same distribution (case, ``-``, ``_`` and ``.`` do not count)."""
    return _canonical_distribution(one) == _canonical_distribution(other)


def blocks(distribution: str, name: str) -> str | None:
    """Return why the environment forbids a distribution or a name, or None.

    ``BNNCORE_DISABLE`` lists distributions and names to leave out; ``BNNCORE_ALLOW``, if set, lists the
    only distributions to use besides bnncore itself. Both are separated by commas.
    """
    own = _canonical_distribution(distribution)
    disabled = _listed(environment.DISABLE)
    for each in (own, name):
        if _canonical_distribution(each) in disabled:
            return f"{each!r} is listed in {environment.DISABLE}"
    allowed = _listed(environment.ALLOW)
    if allowed and own != _OWN and own not in allowed:
        return f"{distribution!r} is not listed in {environment.ALLOW}"
    return None


def _listed(variable: environment.Variable) -> set[str]:
    return {_canonical_distribution(word) for word in variable.value.split(",") if word.strip()}


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
