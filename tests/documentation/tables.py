"""Facts that pages state, taken out of them: tables, and blocks of code."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["REFERENCE", "block", "number", "section", "slug", "tables"]

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def section(page: str, heading: str) -> str:
    """Return what stands under a heading of a page of the reference, up to the next."""
    text = (REFERENCE / page).read_text("utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no heading {heading!r}"
    return found[1]


def tables(page: str, heading: str) -> list[list[list[str]]]:
    """Return the tables under a heading: rows of cells, without the head and without backticks."""
    found = re.findall(r"^\|.*\|\n\|[ -|]*\|\n((?:\|.*\|\n?)+)", section(page, heading), re.MULTILINE)
    return [
        [
            [cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in table.splitlines()
        ]
        for table in found
    ]


def block(page: str, heading: str, kind: str) -> str:
    """Return the one block of code of a kind under a heading."""
    (found,) = re.findall(rf"^```{kind}\b[^\n]*\n(.*?)^```$", section(page, heading), re.MULTILINE | re.DOTALL)
    return str(found)


def number(cell: str) -> int:
    """Return a whole number as people write it: ``1,234`` or ``0x10``."""
    return int(cell.replace(",", ""), 0)


def slug(heading: str) -> str:
    """Return the anchor that the site gives to a heading."""
    plain = re.sub(r"[^\w\s-]", "", re.sub(r"[`*]", "", heading)).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)
