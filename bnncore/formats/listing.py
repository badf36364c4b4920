"""Names in a message: the first few of however many there are."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["some"]

_SHOWN = 3


def some(names: Sequence[str]) -> str:
    """Return the first names, quoted, since anybody may have chosen them, and how many more there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"]), some([])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more", 'nothing')
    """
    shown = ", ".join(repr(name) for name in names[:_SHOWN]) or "nothing"
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
