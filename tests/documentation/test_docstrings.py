"""The examples in docstrings print what they say."""

from __future__ import annotations

import doctest
import importlib
import shutil
from pathlib import Path

import bnnhw
import pytest

import bnncore
from bnncore.builtin.topologies import FOLDINGS
from bnncore.formats.binparam import write_binparam

ROOT = Path(__file__).resolve().parents[2]


def with_examples() -> list[str]:
    """Return the modules whose text holds an example; importing the others would ask for every extra."""
    found = []
    for package in (bnncore, bnnhw):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                parts = path.relative_to(folder.parent).with_suffix("").parts
                found.append(".".join(part for part in parts if part != "__init__"))
    return found


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a clone of the project, beside BNN-PYNQ's folder of parameters with some of ours in it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    with bnncore.get("cifar10") as classifier:
        write_binparam(
            tmp_path / "params" / "cifar10" / "cnvW1A1",
            classifier.network,
            FOLDINGS["cnvW1A1"],
            [name.title() for name in classifier.classes],
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bnncore.compat.bnn.BNN_PARAM_DIR", str(tmp_path / "params"))


@pytest.mark.filterwarnings("ignore::bnncore.compat.oldcalls.OldCallWarning")
@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize("name", with_examples())
def test_examples_print_what_they_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(name)
    found = [
        test for test in doctest.DocTestFinder().find(module, extraglobs={"bnncore": bnncore}) if test.examples
    ]
    assert sum(len(test.examples) for test in found) == Path(str(module.__file__)).read_text("utf-8").count(
        ">>> "
    )
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    for test in found:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out


def test_examples_are_found() -> None:
    assert {"bnncore", "bnncore.compat.bnn"} <= set(with_examples())
