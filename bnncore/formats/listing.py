"""What a file says of itself in a message: some of many names, and the beginning of what is long."""

from __future__ import annotations

from collections.abc import Sequence

from bnncore.plain_text import shown

__all__ = ["brief", "some"]

_SHOWN = 3
_LONGEST_REASON = 300


def some(names: Sequence[str]) -> str:
    """Return the first few names, quoted and cut, and how many more there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"]), some([])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more", 'nothing')
    """
    listed = ", ".join(shown(name) for name in names[:_SHOWN]) or "nothing"
    return listed if len(names) <= _SHOWN else f"{listed} and {len(names) - _SHOWN} more"


def brief(error: Exception) -> str:
    """Return the words of an error that may repeat what a file holds, in one line, at most some hundred characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
