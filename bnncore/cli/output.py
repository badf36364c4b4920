"""What the commands print, and the one way to do it: JSON for programs, lines, tables and bars for people.

Nothing that a stranger wrote steers the terminal (``bnncore.plain_text``), and what its encoding does not have is
written out, so that no name ends a command.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from bnncore.plain_text import one_line, printable

if TYPE_CHECKING:
    from bnncore.diagnosis.finding import Finding, State

__all__ = [
    "bar",
    "complain",
    "count_up",
    "finding_line",
    "json_option",
    "print_json",
    "remark",
    "say",
    "say_lines",
    "table",
]

_MARKS: dict[State, str] = {"ok": "ok      ", "note": "note    ", "skipped": "-       ", "problem": "PROBLEM "}

Function = TypeVar("Function", bound=Callable[..., Any])


def say(text: str = "") -> None:
    """Print one line for people, whatever line ends are in the names that it holds."""
    say_lines(one_line(text))


def say_lines(text: str, *, err: bool = False) -> None:
    """Print lines for people that are meant as lines, as those of a table."""
    _print(_encodable(printable(text), err), err)


def remark(text: str) -> None:
    """Print one line on standard error."""
    say_lines(one_line(text), err=True)


def complain(text: str) -> None:
    """Print an error or a warning, one line on standard error that begins with the command's name."""
    remark(f"bnncore: {text.strip()}")


def count_up(text: str, *, done: bool) -> None:
    """Print a line on standard error over the one before, for progress; the last one ends it."""
    _print("\r" + _encodable(one_line(text), True), True, end=done)


def json_option(function: Function) -> Function:
    """Give a command the option ``--json``: it is called with ``as_json=``.

    What a plugin prints goes to standard error then, so that standard output is JSON and nothing else.
    """

    @functools.wraps(function)
    def called(*args: Any, as_json: bool, **others: Any) -> Any:
        with _aside if as_json else nullcontext():
            if as_json:
                _aside.enter_context(_printing_aside())
            return function(*args, as_json=as_json, **others)

    option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
    return cast("Function", option(called))


# What print_json ends. The command line runs one command in a process.
_aside = ExitStack()


@contextmanager
def _printing_aside() -> Iterator[None]:
    """Let what is printed on standard output go to standard error, also what C libraries print."""
    stdout = sys.stdout
    with ExitStack() as later, redirect_stdout(sys.stderr):
        # Tests, notebooks and programs without a console have streams that are no files.
        with suppress(OSError, ValueError, AttributeError):
            if (stdout.fileno(), sys.stderr.fileno()) == (1, 2):
                stdout.flush()
                kept = os.dup(1)
                later.callback(os.close, kept)
                later.callback(os.dup2, kept, 1)
                os.dup2(2, 1)
        yield


def print_json(content: Any) -> None:
    """Print plain data as JSON, which any encoding can show and no terminal obeys.

    It is the one thing that a command with ``--json`` prints.
    """
    _aside.close()
    text = json.dumps(content, indent=2, ensure_ascii=False)
    if not _can_print(text):
        # Lone surrogates among them, which stand for bytes of file names.
        text = json.dumps(content, indent=2)
    _print(re.sub(r"[^\n -~]", _json_escaped, text), False)


def finding_line(finding: Finding) -> str:
    """Return a finding as one line for people."""
    return f"{_MARKS[finding.state]}{finding.subject}: {finding.text}"


def table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """Return rows in aligned columns under their heads; a cell is one line."""
    lines = [[one_line(str(cell)) for cell in row] for row in (heads, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )


def bar(share: float, width: int = 20) -> str:
    """Return a bar for a number from 0 to 1."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    full, empty = ("█", "░") if _can_print("█░") else ("#", ".")
    return full * filled + empty * (width - filled)


def _print(text: str, err: bool, end: bool = True) -> None:
    try:
        click.echo(text, err=err, nl=end)
    except OSError as error:
        # The system does not say what it is that is full.
        error.filename = error.filename or ("standard error" if err else "standard output")
        raise


def _json_escaped(found: re.Match[str]) -> str:
    sign = found[0]
    return sign if printable(sign) == sign else f"\\u{ord(sign):04x}"


def _can_print(text: str, err: bool = False) -> bool:
    """Say whether a stream's encoding has these characters; pipes and old terminals may not."""
    try:
        text.encode(_encoding(err))
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _encodable(text: str, err: bool) -> str:
    r"""Write out what a stream's encoding does not have, as ``\u732b``."""
    if text.isascii() or _can_print(text, err):
        return text
    encoding = _encoding(err)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _encoding(err: bool) -> str:
    return getattr(sys.stderr if err else sys.stdout, "encoding", None) or "ascii"
