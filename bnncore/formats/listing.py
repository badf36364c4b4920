"""What a file says of itself in a message: some of many names, and the beginning of what is long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["brief", "shown", "some"]

_SHOWN = 3
_LONGEST_NAME = 60
_LONGEST_REASON = 300


def some(names: Sequence[str]) -> str:
    """Return the first names, quoted, since anybody may have chosen them, and how many more there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"]), some([])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more", 'nothing')
    """
    listed = ", ".join(shown(name) for name in names[:_SHOWN]) or "nothing"
    return listed if len(names) <= _SHOWN else f"{listed} and {len(names) - _SHOWN} more"


def shown(value: Any) -> str:
    """Return a value as Python writes it, of plain data that anybody may have chosen; a long one is cut.

    >>> shown("cat"), shown(5), shown("y" * 100)[-5:]
    ("'cat'", '5', "yyy'…")
    """
    if isinstance(value, str) and len(value) > _LONGEST_NAME:
        return f"{value[:_LONGEST_NAME]!r}…"
    text = repr(value)
    return text if len(text) <= 2 * _LONGEST_NAME else f"{text[: 2 * _LONGEST_NAME]}…"


def brief(error: Exception) -> str:
    """Return the words of an error that may repeat what a file holds, in one line, at most some hundred characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"
