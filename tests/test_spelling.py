"""Messages name arguments as whoever reads them would write them: no keyword on a command line, no option in Python."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Context

import bnncore
from bnncore import training
from bnncore.cli import cli
from bnncore.spelling import argument, spelled_as_options

PACKAGE = Path(bnncore.__file__).parent

# The command line speaks to one reader only, and so does what takes the calls of BNN-PYNQ.
ONE_READER = ("cli", "compat")


def options() -> set[str]:
    """Return the options of all commands, without their dashes."""
    context = Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    parameters = [each for command in commands if command is not None for each in command.params]
    return {name[2:] for each in parameters for name in each.opts if name.startswith("--")}


def keywords() -> set[str]:
    """Return the arguments of the calls that commands stand for, and the words of their options."""
    calls = (bnncore.get, bnncore.load, bnncore.Options, training.plan, training.Plan.train)
    named = {name for call in calls for name in inspect.signature(call).parameters if name != "self"}
    return named | {option.replace("-", "_") for option in options()}


OPTION = re.compile(rf"--(?:{'|'.join(sorted(options()))})(?![\w-])")
KEYWORD = re.compile(rf"(?<![\w.])(?:{'|'.join(sorted(keywords()))})=")

# A whole command or a whole call can be read by anybody: it says where it is written.
COMMAND = re.compile(rf"bnncore (?:{'|'.join(cli.list_commands(Context(cli)))})\b[^,;()]*")
CALL = re.compile(r"\w\([^()]*(?:\)|$)")


def spelt_out(text: str) -> list[str]:
    """Return the arguments that a message spells in one of the two ways, whoever reads it."""
    # One word is a program's argument, or something's name, and no message.
    if " " not in text.strip() or "<" in text:
        return []
    rest = CALL.sub("", COMMAND.sub("", text))
    return OPTION.findall(rest) + KEYWORD.findall(rest)


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of what a module says, f-strings whole, with {} for each value; no docstrings."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in node.values}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


def test_no_message_spells_an_argument_out() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {', '.join(spelt)}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in ONE_READER
        for line, text in texts(ast.parse(path.read_text("utf-8")))
        if (spelt := spelt_out(text))
    ]
    assert not found, f"{found}: use bnncore.spelling.argument"


@pytest.mark.parametrize(
    "text",
    [
        "name it with topology=",
        "choose another place with --out, or remove it",
        "{}: leave --batch-size out",
        "give one with board='pynq-z1'",
        "bnncore train goes on, but not with --recipe, which is another",
    ],
)
def test_the_guard_sees(text: str) -> None:
    assert spelt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "--json",
        "the evaluation.json of bnncore evaluate --out, or a list",
        "make the environment with --system-site-packages",
        "call bnncore.load(path, topology='cnvW1A1') once",
        "Prediction(index={}, backend={})",
        "the header Range: bytes={}-, of a request",
    ],
)
def test_the_guard_lets_pass(text: str) -> None:
    assert not spelt_out(text)


def test_an_option_may_be_another_word_than_its_keyword() -> None:
    assert argument("path", option="from") == "path="
    with spelled_as_options():
        assert argument("path", option="from") == "--from"
        assert argument("path", "x.zip", option="from") == "--from x.zip"
