"""The notebooks run from an empty folder, show what they promise, and are stored with what they show."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnncore.cli import main
from bnncore.notebooks import copy_notebooks

nbformat = pytest.importorskip("nbformat", reason="running notebooks needs nbclient and ipykernel")
pytest.importorskip("ipykernel")

from notebooks.execute import NOTEBOOKS, execute  # noqa: E402  # needs what was looked for

pytestmark = pytest.mark.slow

NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))

# What each must show as text somewhere.
SHOWN = {
    "1-cifar10": [r"^ship$", r"ship +\d+", r"'numpy'", r"all backends give \[\d+", r"Class name: ship"],
    "2-cucumbers": [
        r"^classes  2L, L, M, S, 2S, BL, BM, BS, C$",
        r"^epoch 6/6: loss",
        r"178 files for BNN-PYNQ's cnvW1A1",
        r"^the same scores: True$",
        r"^<Classifier 'my_cucumbers' on cnvW1A1",
        r"\d+ of \d+ right: [\d.]+%",
    ],
    "3-digits": [r"^recorded picture$", r"^7 - one class responded$", r"[456] of 6 right", r"^ *0 degrees: 7"],
    "4-precision": [r"cnvW1A1: 1,570,496 weights", r"cnvW2A2: 393 kB", r"cnvW1A2: [\d.]+ ms a picture on"],
    "5-own-classes": [
        r"^epoch 4/4: loss",
        r"% right: (2[7-9]|30) of 30",
        r"'signs'\)$",
        r"^Prediction\(index=2, label='stop'",
        r"^Selftest\(vectors=16",
    ],
}
# How many pictures and how many tables of our own each must show.
PICTURES = {
    "1-cifar10": (2, 4),
    "2-cucumbers": (3, 3),
    "3-digits": (2, 3),
    "4-precision": (1, 0),
    "5-own-classes": (2, 2),
}
# What a notebook needs beside matplotlib.
NEEDS = {"2-cucumbers": "torch", "5-own-classes": "torch"}


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text(notebook: Any) -> str:
    # A line may come in pieces, with those of the other stream in between.
    streams = [output for output in outputs(notebook) if output.output_type == "stream"]
    return "\n".join(
        "".join(each.text for each in streams if each.name == name) for name in ("stdout", "stderr")
    )


def check(name: str, notebook: Any) -> None:
    said = (
        text(notebook)
        + "\n"
        + "\n".join(output.data.get("text/plain", "") for output in outputs(notebook) if "data" in output)
    )
    for pattern in SHOWN[name]:
        assert re.search(pattern, said, re.MULTILINE), pattern
    pictures = sum("image/png" in output.get("data", {}) for output in outputs(notebook))
    tables = sum("text/html" in output.get("data", {}) for output in outputs(notebook))
    assert (pictures, tables) == PICTURES[name]
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    # Old calls tell what they are called today; nothing else may complain.
    complaints = [output.text for output in outputs(notebook) if output.get("name") == "stderr"]
    assert all("OldCallWarning" in complaint for complaint in complaints)


def test_every_notebook_is_checked() -> None:
    assert sorted(SHOWN) == sorted(PICTURES) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("default")
def test_runs_and_shows_what_it_promises(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"{name} needs {NEEDS[name]}")
    with pytest.raises(SystemExit) as exit_:
        main(["notebooks", str(tmp_path / "mine")])
    assert not exit_.value.code
    check(name, execute(tmp_path / "mine" / f"{name}.ipynb", tmp_path / "mine"))


@pytest.mark.filterwarnings("default")
def test_cucumbers_with_the_photographs(
    test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The author's layout: pickled batches, here of the photographs at hand."""
    pytest.importorskip("torch")
    with np.load(test_data / "data" / "cucumber9" / "cucumber9-real.npz") as file:
        images, labels, classes = file["images"], file["labels"], [str(each) for each in file["classes"]]
    folder = tmp_path / "CUCUMBER-9" / "prototype_1"
    folder.mkdir(parents=True)
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    for batch, part in (("data_batch_1", slice(100, None)), ("test_batch", slice(100))):
        content = {"data": planes[part], "labels": labels[part].tolist()}
        (folder / batch).write_bytes(pickle.dumps(content, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": classes}, protocol=2))
    monkeypatch.setenv("CUCUMBER9", str(folder.parent))
    copy_notebooks(tmp_path / "mine")
    notebook = execute(tmp_path / "mine" / "2-cucumbers.ipynb", tmp_path / "mine")
    check("2-cucumbers", notebook)
    assert f"train    {len(images) - 100} images" in text(notebook)


@pytest.mark.parametrize("name", NAMES)
def test_is_stored_with_what_it_shows(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    check(name, notebook)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def test_is_listed_in_the_readme() -> None:
    readme = (NOTEBOOKS / "README.md").read_text()
    assert all(f"`{name}.ipynb`" in readme for name in NAMES)


class TestCopying:
    def run(self, *arguments: str) -> Any:
        with pytest.raises(SystemExit) as exit_:
            main(["notebooks", *arguments])
        return exit_.value.code

    def test_copies_notebooks_and_pictures(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert not self.run(str(tmp_path / "new" / "folder"))
        listed = capsys.readouterr().out.split()
        assert [Path(path).stem for path in listed] == NAMES
        assert all(Path(path).is_file() for path in listed)
        assert (tmp_path / "new" / "folder" / "pictures" / "ship.png").is_file()

    def test_touches_nothing_that_is_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / f"{NAMES[-1]}.ipynb").write_text("my work")
        assert self.run(str(tmp_path)) == 1
        assert "exists already" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == [f"{NAMES[-1]}.ipynb"]

    def test_says_when_none_came_with_the_distribution(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("bnncore.notebooks.__file__", str(tmp_path / "bnncore" / "notebooks.py"))
        assert self.run(str(tmp_path / "x")) == 1
        assert "reinstall" in capsys.readouterr().err
