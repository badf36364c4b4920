"""One class, whatever folders, tables and file systems make of its name."""

from __future__ import annotations

import pickle
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bnncore.datasets import DatasetError, read, survey
from bnncore.formats.classes import check_classes, class_name, classes_bytes, parse_classes

NFC, NFD = "caf\u00e9", "cafe\u0301"
BIDI = "\u202e"
# Folder names that mean one class.
SPELLINGS = [("cat", "cat "), ("cat", "cat\u00a0"), ("cat", "\u3000cat"), ("my cat", "my\u00a0cat"), (NFC, NFD)]
PRINTABLE = [
    "猫",
    "кошка",
    "قطة",
    "बिल्ली",
    "🐈\u200d⬛",
    "黒\u3000猫",
    "\u0645\u06cc\u200c\u062e",
    "🏴\U000e0067\U000e007f",
]
UNPRINTABLE = [
    "ca\x1b[31mt",
    "ca\nt",
    "ca\x7ft",
    f"ca{BIDI}t",
    "ca\u2028t",
    "ca\u2066t",
    "ca\ufefft",
    "ca\x85t",
]


def prepare(path: Path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((2, 2)))


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes a folder with a picture for each name."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / "photos" / name).mkdir(parents=True)
            Image.new("RGB", (4, 4)).save(tmp_path / "photos" / name / "1.png")
        return tmp_path / "photos"

    return make


@pytest.mark.parametrize("names", SPELLINGS)
def test_folders_that_mean_one_class_are_joined_and_said(folder, names) -> None:
    found = survey(folder(*names, "dog"))
    assert found.classes == tuple(sorted((names[0], "dog")))
    assert found.counts[None][names[0]] == 2
    assert [note for note in found.notes if "are one class" in note]


@pytest.mark.parametrize("names", SPELLINGS)
def test_labels_that_mean_one_class_are_joined_and_said(folder, names) -> None:
    root = folder("a", "b")
    lines = ["path,label", *(f"{place}/1.png,{name}" for place, name in zip("ab", names))]
    (root / "labels.csv").write_text("\n".join(lines), "utf-8")
    found = survey(root / "labels.csv")
    assert found.classes == (names[0],)
    assert [note for note in found.notes if "are one class" in note]


def test_the_name_of_a_network_is_found_in_any_form(folder) -> None:
    assert read(folder(NFD, "Dog"), "test", prepare, (NFC, "dog")).classes == (NFC, "dog")


def test_names_that_differ_in_case_are_two_classes_and_said(folder) -> None:
    try:
        root = folder("Cat", "cat")
    except FileExistsError:
        pytest.skip("this file system takes them for one")
    found = survey(root)
    assert found.classes == ("Cat", "cat")
    assert found.notes == ("'Cat', 'cat' differ in case only, and are classes of their own",)


def test_the_case_of_another_split_is_that_of_the_first(folder) -> None:
    found = survey(folder("train/Cat", "train/dog", "test/cat", "test/dog"))
    assert found.classes == ("Cat", "dog")
    assert found.notes == ("'cat' is taken for the class 'Cat'",)


@pytest.mark.parametrize("name", PRINTABLE)
def test_names_in_any_script_are_names(folder, name) -> None:
    classes = (unicodedata.normalize("NFC", name), "dog")
    assert set(survey(folder(name, "dog")).classes) == set(classes)
    assert parse_classes(classes_bytes(classes), "classes.txt") == check_classes(classes, "classes") == classes


@pytest.mark.parametrize("name", UNPRINTABLE)
def test_names_that_steer_a_terminal_are_refused(folder, name) -> None:
    with pytest.raises(DatasetError, match="cannot be printed") as caught:
        survey(folder(name, "dog"))
    assert name not in str(caught.value)
    with pytest.raises(ValueError, match="cannot be printed"):
        check_classes(["dog", name], "classes")


def test_a_name_of_spaces_alone_is_none(folder) -> None:
    with pytest.raises(DatasetError, match="is empty"):
        survey(folder("\u3000", "dog"))


def test_the_form_is_the_same_once_more() -> None:
    for name in (*PRINTABLE, "\u200b cat\ufeff\u3000", NFD):
        assert class_name(class_name(name)) == class_name(name)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "classes 0 and 1 have one name, 'a'"),
        (["a", "b\x1b[31m"], r"class 1, 'b\\x1b\[31m', has char"),
    ],
)
@pytest.mark.parametrize("binary", [True, False])
def test_the_names_of_batches_are_checked_before_they_are_read(tmp_path, names, message, binary) -> None:
    if binary:
        (tmp_path / "data_batch_1.bin").write_bytes(b"cut short")
        (tmp_path / "batches.meta.txt").write_text("\n".join(names))
    else:
        (tmp_path / "data_batch_1").write_bytes(b"cut short")
        (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, 2))
    with pytest.raises(DatasetError, match=message):
        survey(tmp_path)
