"""How files and rooms import each other: no circles, and two layers of which the lower knows nothing of the upper."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import bnnhw
import pytest

import bnncore


def modules() -> dict[str, Path]:
    """Return the files of both packages by their import names."""
    found = {}
    for package in (bnncore, bnnhw):
        (folder,) = map(Path, package.__path__)
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            if "_kernels" not in parts:
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """Yield what a file imports, at its top, in its functions and for its types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {
        name: {each for each in imported(path, known) if each in known} - {name} for name, path in known.items()
    }


def room(name: str) -> str:
    """Return the room of a file: ``bnncore.formats``, or the module itself where it lies at the root."""
    return ".".join(name.split(".")[:2])


def acyclic(graph: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_no_circle_of_files(graph):
    acyclic(graph)


def test_no_circle_of_rooms(graph):
    rooms: dict[str, set[str]] = {}
    for name, targets in graph.items():
        rooms.setdefault(room(name), set()).update(room(each) for each in targets if room(each) != room(name))
    acyclic(rooms)


def test_the_hardware_layer_knows_nothing_of_the_registry(graph):
    climbing = {
        name: targets
        for name, targets in graph.items()
        if name.startswith("bnnhw") and any(each.startswith("bnncore") for each in targets)
    }
    assert not climbing


def test_nothing_but_the_command_line_imports_the_command_line(graph):
    users = {name for name, targets in graph.items() if any(each.startswith("bnncore.cli") for each in targets)}
    assert {room(name) for name in users} <= {"bnncore.cli", "bnncore.__main__"}


# Each name stands for one thing, whose halves are in two layers, or whose kinds in two rooms.
SAME_THING = {
    "environment": {"bnncore.environment", "bnnhw.environment"},
    "errors": {"bnncore.errors", "bnnhw.errors"},
    "evaluation": {"bnncore.evaluation", "bnncore.formats.evaluation"},
    "executor": {"bnnhw.executor", "bnnhw.cpu.executor", "bnnhw.fpga.executor"},
    "fpga": {"bnncore.boards.fpga", "bnnhw.fpga"},
}


def test_no_two_files_of_one_name_mean_different_things():
    by_name: dict[str, set[str]] = {}
    for name in modules():
        by_name.setdefault(name.rpartition(".")[2], set()).add(name)
    assert {name: found for name, found in by_name.items() if len(found) > 1} == SAME_THING
