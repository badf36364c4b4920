"""The block list: what ``BNNCORE_DISABLE`` and ``BNNCORE_ALLOW`` keep from being imported."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from bnncore import environment

__all__ = ["OWN", "Unmatched", "blocks", "canonical_distribution", "same_distribution", "unmatched"]

OWN = "bnncore"
"""The distribution that an allow list need not name."""


def canonical_distribution(name: str) -> str:
    """Return the form in which names of distributions are compared: as PEP 503, with ``_`` for a run of ``-_.``."""
    return re.sub(r"[-_.]+", "_", name.strip().lower())


def same_distribution(one: str, other: str) -> bool:
    """Say whether two spellings name the same distribution (case, and runs of ``-``, ``_``, ``.`` do not count)."""
    return canonical_distribution(one) == canonical_distribution(other)


def blocks(distribution: str, name: str) -> str | None:
    """Return why the environment forbids a distribution or a name, or None.

    ``BNNCORE_DISABLE`` lists distributions and names to leave out; ``BNNCORE_ALLOW``, unless empty, lists the
    only distributions to use besides bnncore itself, be it none (``,``). Both are separated by commas.

    Args:
        distribution: that offers the name.
        name: as its entry point spells it, or canonical; with a dot where it has two parts.
    """
    own = canonical_distribution(distribution)
    disabled = _listed(environment.DISABLE.value)
    for each in (own, name):
        if canonical_distribution(each) in disabled:
            return f"{each!r} is listed in {environment.DISABLE}"
    allowed = environment.ALLOW.value
    if allowed and own != OWN and own not in _listed(allowed):
        return f"{distribution!r} is not listed in {environment.ALLOW}"
    return None


class Unmatched(NamedTuple):
    """A word of a list that stands for nothing installed.

    Attributes:
        variable: whose list it is in.
        word: as it is spelt there.
        close: names that it may have been meant for.
    """

    variable: environment.Variable
    word: str
    close: tuple[str, ...]


def unmatched(distributions: Collection[str], names: Collection[str]) -> Iterator[Unmatched]:
    """Yield the words of both lists that match nothing: a slip of the pen there blocks nothing, or too much.

    Args:
        distributions: that offer something.
        names: of what they offer.
    """
    # Needed by a diagnosis alone.
    import difflib

    for variable, words in (
        (environment.DISABLE, (*distributions, *names)),
        (environment.ALLOW, distributions),
    ):
        known = {canonical_distribution(each): each for each in words}
        for canonic, word in _listed(variable.value).items():
            if canonic not in known:
                close = difflib.get_close_matches(canonic, known)
                yield Unmatched(variable, word, tuple(known[each] for each in close))


@lru_cache(maxsize=8)
def _listed(value: str) -> dict[str, str]:
    """Return the words of a list, as they are compared and as they are spelt."""
    return {canonical_distribution(word): word.strip() for word in value.split(",") if word.strip()}
