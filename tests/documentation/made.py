"""Tables of the documentation that are made from the code, so that nothing is told twice.

Between ``<!-- made from PLACE -->`` and ``<!-- until here -->`` stands what PLACE, an import path, gives: of a record
its attributes with their defaults, as its docstring explains them; of a tuple of environment variables a row for each.

``python tests/documentation/made.py`` writes the present tables into the pages.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
from bnnhw.environment import Variable

DOCS = Path(__file__).parents[2] / "docs"
sys.path.append(str(Path(__file__).parents[1]))  # the tests' own variables, where this is run as a program

__all__ = ["DOCS", "current", "explained", "pages"]

_MADE = re.compile(
    r"(?P<begin><!-- made from (?P<place>[\w.]+) -->\n)(?P<table>.*?)(?P<end><!-- until here -->)", re.DOTALL
)


def pages() -> list[Path]:
    """Return the pages that have such a table."""
    return [path for path in sorted(DOCS.rglob("*.md")) if _MADE.search(path.read_text("utf-8"))]


def current(path: Path) -> str:
    """Return a page with its tables as the code gives them now."""
    return _MADE.sub(
        lambda found: f"{found['begin']}\n{_table(_found(found['place']))}\n{found['end']}",
        path.read_text("utf-8"),
    )


def explained(record: type) -> dict[str, str]:
    """Return what a record's docstring says of each attribute, as Markdown."""
    text = inspect.getdoc(record) or ""
    section = re.search(r"^Attributes:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"{record.__name__} does not explain its attributes"
    found = {}
    for entry in re.split(r"\n    (?=\S)", "\n" + section[1].rstrip())[1:]:
        names, _, words = entry.partition(": ")
        for name in names.split(", "):
            found[name] = " ".join(words.split()).replace("``", "`").rstrip(".")
    return found


def _found(place: str) -> Any:
    module, _, name = place.rpartition(".")
    return getattr(__import__(module, fromlist=[name]), name)


def _table(thing: Any) -> str:
    if isinstance(thing, type):
        words = explained(thing)
        rows = [(f"`{each.name}`", _default(each), words[each.name]) for each in attrs.fields(thing)]
        return _markdown(("field", "default", "is"), rows)
    assert all(isinstance(each, Variable) for each in thing)
    return _markdown(
        ("variable", "it", "holds", "without it", "read by"),
        [(f"`{each}`", each.summary, each.values, each.default, f"`{each.reader}`") for each in thing],
    )


def _default(field: Any) -> str:
    if field.default is attrs.NOTHING:
        return "required"
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]  # a class, whatever its stub says
        return f"`{field.default.factory.__name__}()`"
    return f"`{field.default!r}`"


def _markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _write() -> None:
    for path in pages():
        fresh = current(path)
        if fresh != path.read_text("utf-8"):
            path.write_text(fresh, "utf-8")
            print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    _write()
