"""The documentation's page of each hook: signature, entry points and example, as a reader copies them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["HOOKS", "block", "entry_points", "page"]

HOOKS = Path(__file__).parents[2] / "docs" / "hooks"


def page(hook: str) -> str:
    """Return the text of a hook's page."""
    return (HOOKS / f"{hook}.md").read_text("utf-8")


def block(hook: str, start: str) -> str:
    """Return the first fenced block of a page whose opening line is ``start``."""
    found = re.search(rf"^```{re.escape(start)}\n(.*?)^```$", page(hook), re.MULTILINE | re.DOTALL)
    assert found, f"docs/hooks/{hook}.md has no block ```{start}"
    return found[1]


def entry_points(hook: str) -> dict[str, dict[str, str]]:
    """Return group and entries of the page's pyproject snippet."""
    lines = block(hook, "toml").strip().splitlines()
    group = re.fullmatch(r'\[project\.entry-points\."(.+)"\]', lines[0])
    assert group, lines[0]
    entries = dict(line.split(" = ") for line in lines[1:])
    return {group[1]: {name.strip('"'): value.strip('"') for name, value in entries.items()}}
