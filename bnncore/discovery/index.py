"""The index: who offers which name, read from metadata alone.

An entry point's name is the id and its distribution the owner, so listing, conflicts, blocks and
hints import no plugin. Pluggy's own entry-point loader is not used: it imports every plugin, one
exception in any of them ends the host, and it drops the second plugin of a name without a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from bnncore.discovery.blocklist import OWN, blocks, canonical_distribution
from bnncore.discovery.installed import read_installed
from bnncore.discovery.kinds import DATASET, Kind, kind_of, offered_kinds
from bnncore.discovery.names import canonical, is_name
from bnncore.errors import BlockedError, ConflictError, UnknownNameError
from bnncore.plain_text import shown

__all__ = ["Claim", "Index"]

_MOST = 20
_LONGEST = 100
# What somebody would call a distribution.
_GUESS = re.compile(r"(?=.{1,40}$)[a-z0-9]+(_[a-z0-9]+)*")


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
        return canonical_distribution(self.distribution) == OWN

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
        installed = read_installed()
        claims: dict[tuple[str, str, str, str], Claim] = {}
        faults = [fault.text for fault in installed.faults if fault.concerns]
        by_group = {kind.group: kind for kind in offered_kinds()}
        for distribution in installed.distributions:
            for entry in distribution.entries:
                kind = by_group.get(entry.group)
                if kind is None:
                    continue
                if fault := _fault(kind, entry.name):
                    where = f"{distribution.name} {distribution.version}: {shown(entry.name)} in {kind.group}"
                    faults.append(f"{where} {fault}")
                    continue
                claim = Claim(
                    group=entry.group,
                    name=canonical(entry.name),
                    declared=entry.name,
                    value=entry.value,
                    distribution=distribution.name,
                    version=distribution.version,
                )
                # Two spellings of one name for one module are one offer.
                claims.setdefault((claim.group, claim.name, claim.distribution, claim.value), claim)
        return cls(claims=tuple(claims[key] for key in sorted(claims)), faults=tuple(faults))

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
            if len({claim.distribution for claim in free}) == 1:
                raise ConflictError(
                    f"{kind.word} {name!r} is offered twice by one distribution, {owners}; update or uninstall it"
                )
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
            hint = f"a file is given by a path with a separator, for example {shown(f'./{asked}')}"
        else:
            hint = f"installed: {_listed(sorted(known.values()))}"
            if kind == DATASET and _GUESS.fullmatch(name):
                guess = f"bnn-{name.replace('_', '-')}"
                # Anybody may have taken a name that nobody has published.
                hint += f". A distribution that offers it may be called {guess}, but that is a guess: see whose it is "
                hint += f"before you pip install {guess}"
        return UnknownNameError(f"no installed distribution offers {kind.word} {shown(asked)}; {hint}")


def _fault(kind: Kind, name: str) -> str | None:
    """Return why a name cannot be one of a kind, or None."""
    if len(name) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if not is_name(name):
        return "is not a name (letters, digits, '-' and '_')"
    if name.count(".") != len(kind.parts) - 1:
        return f"must be {kind.form}"
    return None


def _listed(names: list[str]) -> str:
    """Return names for a message, not more than can be taken in."""
    text = ", ".join(names[:_MOST]) or "none"
    return f"{text} and {len(names) - _MOST} more" if len(names) > _MOST else text
