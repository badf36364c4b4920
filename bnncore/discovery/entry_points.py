"""``entry_points.txt``: what a distribution offers to bnncore, a line at a time.

Format: https://packaging.python.org/en/latest/specifications/entry-points/. A line that cannot be read harms no other
line; ``importlib.metadata`` gives up on all distributions at the first, and takes an extra for a part of the module.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bnncore.plain_text import shown

__all__ = ["PREFIX", "Entry", "parse_entry_points"]

PREFIX = "bnncore."
"""What the groups of bnncore begin with."""

# A module, and maybe names in it; then extras of the distribution, which are no business of an import.
_VALUE = re.compile(r"(?P<path>\w+(?:\.\w+)*(?:\s*:\s*\w+(?:\.\w+)*)?)\s*(?:\[[^\[\]]*\])?")
_LONGEST = 500


class Entry(NamedTuple):
    """One entry point.

    Attributes:
        group: it stands under.
        name: as it is spelt.
        value: import path, without extras.
    """

    group: str
    name: str
    value: str


def parse_entry_points(data: bytes) -> tuple[tuple[Entry, ...], str | None]:
    """Return the entries in groups of bnncore, each once, and what is wrong with the file first, or None.

    Args:
        data: content of the file, made by anybody. UTF-8; a mark at its beginning (BOM) does not count.
    """
    problem: str | None = None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8"
        text = data.decode("utf-8-sig", "replace")
    entries: dict[Entry, None] = {}
    group: str | None = None
    for number, line in enumerate(map(str.strip, text.replace("\r", "\n").split("\n")), 1):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            group = line[1:-1].strip()
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if group is None or not equals or not name:
            problem = problem or f"line {number} is not 'name = value' under a [group]: {shown(line)}"
        elif group.startswith(PREFIX):
            found = _VALUE.fullmatch(value)
            if found is None or len(value) > _LONGEST:
                problem = problem or f"line {number} names no module: {shown(line)}"
            else:
                entries[Entry(group, name, re.sub(r"\s", "", found["path"]))] = None
    return tuple(entries), problem
