"""What is to go: it warns, says since when and until when, and what to use instead.

Each deprecation is a record in ``DEPRECATIONS``. A test fails once the version that was to remove one is reached, so
that none stays behind. The warning points at the line that calls, and Python shows it once for each such line.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

__all__ = ["DEPRECATIONS", "Deprecation", "due", "renamed_keyword", "warn_deprecated"]

P = ParamSpec("P")
R = TypeVar("R")


# As of bnnhw.environment.Variable: made at every start.
class Deprecation(NamedTuple):
    """Something that still works and will not for ever.

    Attributes:
        old: what is to go, as the caller spells it; for ``renamed_keyword``, the keyword.
        new: what to use instead; for ``renamed_keyword``, the keyword.
        since: first version of bnncore that warns, for example ``"0.2"``.
        removal: first version that no longer has it; at least one minor version later.
    """

    old: str
    new: str
    since: str
    removal: str

    def __str__(self) -> str:
        return (
            f"{self.old} is deprecated since bnncore {self.since}, and gone in {self.removal}: use {self.new}"
        )


SOURCE = Deprecation(old="source", new="distribution", since="0.1", removal="0.3")
JOB_BITSTREAM = Deprecation(old="Job.bitstream", new="Job.find_bitstream", since="0.1", removal="0.3")
JOB_BITSTREAMS = Deprecation(old="Job.bitstreams", new="Job.bitstream_folder", since="0.1", removal="0.3")
OPTION_SOURCE = Deprecation(old="--source", new="--distribution", since="0.1", removal="0.3")

DEPRECATIONS = (SOURCE, JOB_BITSTREAM, JOB_BITSTREAMS, OPTION_SOURCE)
"""All that are in force, oldest first."""


def due(version: str, deprecations: tuple[Deprecation, ...] = DEPRECATIONS) -> tuple[Deprecation, ...]:
    """Return those that must be gone from this version of bnncore, for example ``"0.4.0"``."""
    return tuple(each for each in deprecations if _release(version) >= _release(each.removal))


def warn_deprecated(deprecation: Deprecation, *, levels: int = 1) -> None:
    """Warn, at the line that called the function that calls this; with more ``levels``, at one further out."""
    warnings.warn(str(deprecation), DeprecationWarning, stacklevel=levels + 2)


def renamed_keyword(deprecation: Deprecation) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function or method take a keyword argument by its old name too, with a warning.

    Type checkers and ``help`` see the new name alone. Giving both names raises TypeError.
    """
    old, new = deprecation.old, deprecation.new

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def renaming(*args: P.args, **kwargs: P.kwargs) -> R:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(
                        f"{function.__qualname__}() got both {new} and {old}, its old name: give {new}"
                    )
                warn_deprecated(deprecation)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return renaming

    return decorate


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version; ``"0.4.0rc1"``, a preview of it, is (0, 4, 0) as well."""
    numbers = re.match(r"[\d.]+", version)
    return tuple(int(number) for number in numbers[0].strip(".").split(".")) if numbers else ()
