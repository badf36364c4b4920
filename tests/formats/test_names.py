"""The name of a file of ours stands in one module: that of its format."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bnncore

PACKAGE = Path(bnncore.__file__).parent


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("card.json", "card"),
        ("classes.txt", "classes"),
        ("evaluation.json", "evaluation"),
        ("golden.npz", "golden"),
        ("manifest.json", "manifest"),
        ("recipe.json", "recipe"),
        ("weights.npz", "npz"),
    ],
)
def test_a_name_stands_once(name: str, module: str) -> None:
    found = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value == name
    ]
    assert found == [f"formats/{module}.py"]
