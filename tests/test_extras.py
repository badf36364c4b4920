"""What is said where a library of an extra is not installed: one sentence, wherever it is missed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path

import pytest

import bnncore
from bnncore.datasets.downloads import fetch
from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.publishers import PublishedFile
from bnncore.errors import BnnError
from bnncore.extras import missing_extra
from bnncore.importing.qonnx import read_qonnx

FILE = PublishedFile(name="x.gz", size=1, sha256="0" * 64, urls=("https://example.org/x.gz",))


def draw_curve(path: Path) -> None:
    from bnncore.training.curve import write_curve

    write_curve(path, [])


def show_progress(path: Path) -> None:
    from bnncore.training.progress import BarReporter

    BarReporter()


@pytest.mark.parametrize(
    ("library", "sentence", "use"),
    [
        ("onnx", "reading QONNX needs onnx, .*qonnx", read_qonnx),
        ("pooch", "fetching data sets needs pooch, .*data", lambda path: fetch(FILE, path)),
        ("matplotlib", "a learning curve needs matplotlib, .*train", draw_curve),
        ("tqdm", "a progress bar needs tqdm, .*train", show_progress),
    ],
)
def test_every_missing_library_is_told_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, sentence: str, use: Callable[[Path], object]
) -> None:
    if library in ("matplotlib", "tqdm"):
        pytest.importorskip("torch", reason="bnncore.training needs PyTorch")
    for name in list(sys.modules):
        if name.partition(".")[0] == library and library != "torch":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    way, _, extra = sentence.partition(".*")
    with pytest.raises(BnnError) as caught:
        use(tmp_path / "x")
    assert str(caught.value).startswith(f"{way}which is not installed: pip install 'bnncore[{extra}]'")
    assert isinstance(caught.value.__cause__, ImportError)


def test_another_way_stands_at_the_end() -> None:
    error = missing_extra("this", "pooch", "data", error=DatasetError, otherwise="Or do that")
    assert type(error) is DatasetError
    assert str(error) == "this needs pooch, which is not installed: pip install 'bnncore[data]'. Or do that"


def test_pytorch_comes_with_a_word_on_its_size() -> None:
    assert str(missing_extra("training", "PyTorch", "train")).endswith(
        "(https://pytorch.org tells how to get a build without GPU libraries)"
    )


def test_no_other_module_has_words_of_its_own_and_every_extra_exists() -> None:
    extras = set()
    for path in Path(bnncore.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "missing_extra":
                extras.add(ast.literal_eval(node.args[2]))
            if isinstance(node, ast.Raise):
                assert "pip install 'bnncore[" not in ast.unparse(node), path
    assert extras == {"data", "qonnx", "train"}
    assert extras <= set(metadata("bnncore").get_all("Provides-Extra") or ())
