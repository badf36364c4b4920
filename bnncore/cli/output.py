"""What the commands share: JSON for programs, tables and bars for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from bnncore.diagnosis.finding import Finding, State

__all__ = ["bar", "finding_line", "json_option", "print_json", "table"]

_MARKS: dict[State, str] = {"ok": "ok      ", "note": "note    ", "skipped": "-       ", "problem": "PROBLEM "}

Function = TypeVar("Function", bound=Callable[..., Any])


def json_option(function: Function) -> Function:
    """Give a command the option ``--json``."""
    option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
    return option(function)


def print_json(content: Any) -> None:
    """Print plain data as JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def finding_line(finding: Finding) -> str:
    """Return a finding as one line for people."""
    return f"{_MARKS[finding.state]}{finding.subject}: {finding.text}"


def table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """Return rows in aligned columns under their heads."""
    lines = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def bar(share: float, width: int = 20) -> str:
    """Return a bar for a number from 0 to 1."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    full, empty = ("█", "░") if _can_print("█░") else ("#", ".")
    return full * filled + empty * (width - filled)


def _can_print(text: str) -> bool:
    """Say whether standard output's encoding has these characters; pipes and old terminals may not."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
