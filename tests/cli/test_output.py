"""What commands print: nothing steers the terminal, nothing ends in a character that it does not have."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context
from click.testing import CliRunner

import bnncore
from bnncore.cli import cli
from bnncore.cli.output import print_json, say, say_lines, table

PACKAGE = Path(bnncore.__file__).parent

# Escape, a line end, DEL, C1's CSI, an override, an isolate, a line separator, a byte that is not UTF-8.
HOSTILE = "a\x1b[31m\n\x7f\x9b\u202eb\u2066c\u2028\udce9.png"

STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")

# Where something is printed otherwise: the one place; the old calls, which print as they did.
PRINTERS = {"cli/output.py", "compat/bnn.py"}


def test_nothing_is_printed_but_through_one_place() -> None:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            if name in ("print", "echo", "secho", "echo_via_pager"):
                found.append(path.relative_to(PACKAGE).as_posix())
    assert set(found) <= PRINTERS


def test_a_line_is_one_line_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert not STEERING.search(out)


def test_a_cell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say_lines(table([(HOSTILE, "x")], ("NAME", "IS")))
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert not STEERING.search(out)


def test_json_is_the_same_for_any_name_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE, "other": "猫 😀"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": HOSTILE, "other": "猫 😀"}
    assert not STEERING.search(out)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8", "utf-16"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_every_encoding_can_show_every_name(encoding: str, options: list[str], tmp_path: Path) -> None:
    name = os.fsdecode("猫 😀 é ".encode() + b"\xe9.png")
    done = subprocess.run(
        [sys.executable, "-m", "bnncore", "classify", "cucumber9", name, *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    if options:
        assert json.loads(done.stdout.decode(encoding))[0]["image"] == name


@pytest.mark.parametrize("name", [None, *cli.list_commands(Context(cli))])
@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_help_pages_hold_text_alone_and_fit_a_terminal(name: str | None, columns: str) -> None:
    arguments = ["--help"] if name is None else [name, "--help"]
    text = CliRunner().invoke(cli, arguments, env={"COLUMNS": columns}).output
    assert text.startswith("Usage: ")
    assert not STEERING.search(text)
    assert max(len(line) for line in text.splitlines()) <= 100
