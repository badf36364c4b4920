"""JSON from anywhere, read within bounds: every ``.json`` of a plugin or a run, and the ``meta`` of an ``.npz``.

``json.loads`` alone takes NaN, lets the last of two equal keys win, guesses at other encodings, and converts whole
numbers of any length, which takes the square of their digits on Python 3.10. What it lets through as deep as its own
recursion goes overflows whoever walks it afterwards.
"""

from __future__ import annotations

import json
import math
from typing import Any

from bnncore.plain_text import shown

__all__ = ["MOST_BYTES", "parse_json"]

MOST_BYTES = 2**24
"""Of a file of JSON; cards and recipes have some thousand."""

# Cards hold recipes that hold recipes of teachers and starts; these are five or six deep.
_DEEPEST = 64
_MOST_DIGITS = 100
# A description is a paragraph, and what is read may come to be shown.
_LONGEST_TEXT = 2**16


def parse_json(data: bytes) -> Any:
    """Return what a JSON text in UTF-8 holds: dictionaries, lists, text, finite numbers, truth values and None.

    Args:
        data: the text, with or without a byte order mark.

    Raises:
        ValueError: in one short line, if it is none, nests more than 64 levels, has a key twice, NaN, an infinite
            number, a whole number of more than 100 digits, a text of more than 65,536 characters, or
            half a character.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8 text, found byte {data[error.start]:#04x}") from error
    try:
        value = json.loads(
            text, object_pairs_hook=_mapping, parse_int=_whole, parse_float=_finite, parse_constant=_finite
        )
    except RecursionError as error:
        raise ValueError(f"nested more than {_DEEPEST} levels deep") from error
    _check(value, escapes="\\ud" in text.lower())
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        first: set[str] = set()
        for key, _ in pairs:
            if key in first:
                raise ValueError(f"the key {shown(key)} occurs twice")
            first.add(key)
    return found


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits, at most {_MOST_DIGITS} are read")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits:.40} is no finite number")
    return value


def _check(value: Any, escapes: bool) -> None:
    """Refuse what is too deep or too long, level by level: recursion would be what is to be prevented.

    Args:
        value: what was read.
        escapes: whether halves of characters may be there, which cannot be written again.
    """
    level: list[Any] = [value]
    for _ in range(_DEEPEST + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str):
                if len(each) > _LONGEST_TEXT:
                    raise ValueError(f"a text of {len(each)} characters, at most {_LONGEST_TEXT} are read")
                if escapes and any("\ud800" <= character <= "\udfff" for character in each):
                    raise ValueError(f"the text {shown(each)} has half a character")
        if not inner:
            return
        level = inner
    raise ValueError(f"nested more than {_DEEPEST} levels deep")
