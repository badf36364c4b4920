"""The guide for those who come from BNN-PYNQ names every old call, and only commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bnncore
from bnncore.cli import cli
from bnncore.compat import bnn

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "from-bnn-pynq.md").read_text("utf-8")

OLD_MEMBERS = {
    name
    for each in (bnn.PynqBNN, bnn.CnvClassifier, bnn.LfcClassifier)
    for name in vars(each)
    if not name.startswith("_")
}


@pytest.mark.parametrize("name", sorted(set(bnn.__all__) - {"OldCallWarning"}))
def test_names_every_old_name(name: str) -> None:
    assert re.search(rf"`bnn\.{name}\b", GUIDE)


@pytest.mark.parametrize("name", sorted(OLD_MEMBERS))
def test_names_every_old_method(name: str) -> None:
    assert re.search(rf"`\.{name}\b", GUIDE)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bbnn\.(\w+)", GUIDE)) - {"compat"}))
def test_old_names_in_it_exist(name: str) -> None:
    assert hasattr(bnn, name)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"(?:`|\$ )bnncore (\w+)", GUIDE))))
def test_commands_in_it_exist(name: str) -> None:
    assert name in cli.list_commands(None)  # type: ignore[arg-type]  # the context is not used


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bbnncore\.(\w+)\(", GUIDE))))
def test_new_calls_in_it_exist(name: str) -> None:
    assert callable(getattr(bnncore, name))
