r"""Text of strangers as plain text: nothing in it steers a terminal or turns a line around, and it can be cut.

File names, metadata, cards, pickles and the words of plugins may hold anything. What a terminal would obey is shown as
Python writes it in a string, for example ``\x1b``.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["brief", "one_line", "printable", "shown", "some"]

_LINE_END = "↵"
_SHOWN = 60
# What a terminal shows in a few lines.
_LONGEST = 300
_LISTED = 3

# Marks, overrides and isolates of writing direction, which show a text in another order than it has, and the two
# separators at which programs break lines. Joiners stay: scripts and emoji need them.
_STEERING = frozenset(
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufff9\ufffa\ufffb"
)


def printable(text: str) -> str:
    r"""Return a text whose lines stay and whose other control characters are written out.

    Those are C0 but the line feed, DEL, C1, marks of writing direction, and lone surrogates, which stand for the bytes
    of file names that are not UTF-8.

    >>> printable("cat \x1b[31m.png\nd\udce9j\u00e0 vu")
    'cat \\x1b[31m.png\nd\\udce9jà vu'
    """
    if text.isprintable():
        return text
    return "".join(_escaped(sign) if _steers(sign) else sign for sign in text)


def one_line(text: str) -> str:
    r"""Return ``printable`` text in one line, all of it, a sign where lines ended.

    >>> one_line("cat\ndog\n")
    'cat↵dog'
    """
    first, *others = printable(text.rstrip("\n")).split("\n")
    return _LINE_END.join((first, *(line.strip() for line in others)))


def shown(text: object, limit: int = _SHOWN) -> str:
    r"""Return what somebody gave, quoted, written out, and cut where it is too long for a message.

    Args:
        text: a name, mostly; of anything else its ``repr`` is shown.
        limit: characters of it to show.

    >>> shown("cifar\x1b10"), shown("x" * 99, 5), shown(3)
    ("'cifar\\x1b10'", "'xxxxx…'", '3')
    """
    if not isinstance(text, str):
        text = repr(text)
        return printable(text if len(text) <= limit else f"{text[:limit]}…")
    return repr(text if len(text) <= limit else f"{text[:limit]}…")


def brief(words: object) -> str:
    r"""Return what somebody says, an error mostly, in one line, ``printable``, and cut where it is long.

    >>> brief("no\n  card \x1b[2J")
    'no card \\x1b[2J'
    """
    text = str(words)
    # More is not looked at: it may be the content of a file.
    line = printable(" ".join(text[: 4 * _LONGEST].split()))
    return line if len(line) <= _LONGEST and len(text) <= 4 * _LONGEST else f"{line[:_LONGEST]}…"


def some(names: Sequence[str]) -> str:
    """Return the first few names, ``shown``, and how many more there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"]), some([])
    ("'a', 'b'", "'a', 'b', 'c' and 2 more", 'nothing')
    """
    listed = ", ".join(shown(name) for name in names[:_LISTED]) or "nothing"
    return listed if len(names) <= _LISTED else f"{listed} and {len(names) - _LISTED} more"


def _steers(sign: str) -> bool:
    code = ord(sign)
    return (code < 32 and sign != "\n") or 127 <= code < 160 or sign in _STEERING or 0xD800 <= code < 0xE000


def _escaped(sign: str) -> str:
    return repr(sign)[1:-1]
