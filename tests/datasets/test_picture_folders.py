"""Folders of pictures and tables that name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bnncore.datasets import DatasetError, has_splits, read, survey
from bnncore.datasets.splits import SPLITS
from bnncore.errors import InputError
from bnncore.pictures.decoding import open_image


def prepare(path: Path):
    """Return a 4x4 RGB array, as a network's preprocessing would."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB").resize((4, 4)))
    except OSError as error:
        raise InputError(f"cannot be decoded: {error}") from error


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two classes with pictures of one colour, and things that are none."""
    root = tmp_path / "photos"
    for name, shades in (("dog", (10, 20)), ("cat", (30,))):
        (root / name).mkdir(parents=True)
        for shade in shades:
            Image.new("RGB", (8, 8), (shade,) * 3).save(root / name / f"{shade}.png")
    (root / "cat" / "notes.txt").write_text("not a picture")
    (root / ".hidden").mkdir()
    (root / "empty").mkdir()
    return root


def content(data):
    """Return the name, label and shade of each picture, in the order of the names."""
    return sorted(zip(data.names, data.labels.tolist(), data.images[:, 0, 0, 0].tolist()))


@pytest.fixture
def many(tmp_path):
    """Return a folder of two classes of twenty pictures; their shades are 0 to 19 and 100 to 119."""
    root = tmp_path / "many"
    for name, first in (("cat", 0), ("dog", 100)):
        (root / name).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (8, 8), (first + number,) * 3).save(root / name / f"{number}.png")
    lines = [f"{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(root.glob("*/*"))]
    (root / "labels.csv").write_text("\n".join(["path,label", *lines]))
    return root


@pytest.mark.parametrize("source", [".", "labels.csv"])
def test_the_last_pictures_are_of_every_class(many, source) -> None:
    data = read(many / source, prepare=prepare)
    assert set(data.labels[-8:].tolist()) == {0, 1}


@pytest.mark.parametrize("source", [".", "labels.csv"])
def test_the_order_is_the_same_each_time(many, source) -> None:
    first, second = (read(many / source, prepare=prepare) for _ in range(2))
    assert first.names == second.names


@pytest.mark.parametrize("source", [".", "labels.csv"])
def test_names_labels_and_images_stay_together(many, source) -> None:
    found = content(read(many / source, prepare=prepare))
    shades = {"cat": 0, "dog": 100}
    expected = [(f"{n}/{i}.png", k, shades[n] + i) for k, n in enumerate(shades) for i in range(20)]
    assert found == sorted(expected)


def test_classes_are_the_folders_by_name(folder) -> None:
    data = read(folder, prepare=prepare)
    assert data.classes == ("cat", "dog")
    assert content(data) == [("cat/30.png", 0, 30), ("dog/10.png", 1, 10), ("dog/20.png", 1, 20)]


def test_the_order_of_classes_can_be_given(folder) -> None:
    data = read(folder, prepare=prepare, classes=("dog", "owl", "cat"))
    assert [label for _, label, _ in content(data)] == [2, 0, 0]


def test_a_folder_that_is_no_class_is_refused(folder) -> None:
    with pytest.raises(DatasetError, match="'dog' is no class"):
        read(folder, prepare=prepare, classes=("cat", "owl"))


def test_there_may_be_a_folder_for_each_split(folder, tmp_path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    folder.rename(both / "test")
    (both / "train" / "dog").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(both / "train" / "dog" / "0.png")
    assert len(read(both, "test", prepare)) == 3
    assert len(read(both, "train", prepare)) == 1


def test_only_a_folder_for_each_split_is_split(folder, tmp_path) -> None:
    assert not has_splits(folder)
    (tmp_path / "both").mkdir()
    folder.rename(tmp_path / "both" / "test")
    assert has_splits(tmp_path / "both")


def test_a_damaged_picture_is_named(folder) -> None:
    (folder / "cat" / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(DatasetError, match=r"bad\.jpg"):
        read(folder, prepare=prepare)


def test_a_damaged_picture_is_named_once(folder) -> None:
    path = folder / "cat" / "bad.jpg"
    path.write_bytes(b"\xff\xd8 not a picture")
    with pytest.raises(DatasetError) as caught:
        read(folder, prepare=lambda path: np.asarray(open_image(path)))
    assert str(caught.value).count(str(path)) == 1


@pytest.fixture
def table(folder):
    """Return a function that writes a table beside the pictures and reads it."""

    def write(text: str, **options):
        path = folder / "labels.csv"
        path.write_text(text, "utf-8")
        return read(path, prepare=prepare, **options)

    return write


def test_a_table_names_pictures_and_classes(table) -> None:
    data = table('path,label,remark\ncat/30.png,tabby,x\ndog/10.png,"dog, large",y\n')
    assert data.classes == ("dog, large", "tabby")
    assert content(data) == [("cat/30.png", 1, 30), ("dog/10.png", 0, 10)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,class\na,b\n", "columns 'path' and 'label'"),
        ("", "columns"),
        ("path,label\n", "no pictures"),
        ("path,label\ncat/30.png,\n", "line 2: expected a path and a label"),
        ("path,label\ncat/30.png\n", "line 2: expected a path and a label"),
        ("path,label\ncat/31.png,cat\n", "line 2: there is no file 'cat/31.png'"),
        ("path,label\n../../etc/passwd,cat\n", "outside the table's folder"),
        ("path,label\n/etc/passwd,cat\n", "outside the table's folder"),
        ("path,label\ncat/\0.png,cat\n", r"labels\.csv.*expected|labels\.csv.*no file"),
        (f"path,label\n{'a' * 5000},cat\n", "line 2: expected the path of a picture, found 'aaa"),
        (f"path,label\n{'a/' * 5000},cat\n", "line 2: expected the path of a picture, found 'a/a"),
    ],
)
def test_a_wrong_table_is_named_with_the_line(table, text, message) -> None:
    with pytest.raises(DatasetError, match=message):
        table(text)


def test_a_label_that_is_no_class_is_refused(table) -> None:
    with pytest.raises(DatasetError, match="'cat' is no class"):
        table("path,label\ncat/30.png,cat\n", classes=("dog",))


def test_pictures_need_a_preprocessing(folder) -> None:
    with pytest.raises(DatasetError, match="preprocessing"):
        read(folder)


def spoil(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"\xff\xd8\xff not a picture")


def test_all_damaged_pictures_are_named_at_once(folder) -> None:
    spoil(folder, "cat/b.jpg", "dog/a.jpg", "dog/c.png")
    with pytest.raises(DatasetError, match="3 of 6 pictures cannot be read") as caught:
        read(folder, prepare=prepare)
    assert str(caught.value).index("'cat/b.jpg'") < str(caught.value).index("'dog/a.jpg'")
    assert "skip_broken=" in str(caught.value)


def test_of_very_many_damaged_pictures_the_first_are_named(folder) -> None:
    spoil(folder, *(f"cat/{number:02}.jpg" for number in range(30)))
    with pytest.raises(DatasetError, match=r"30 of 33 .* and 20 more") as caught:
        read(folder, prepare=prepare)
    assert "'cat/09.jpg'" in str(caught.value)
    assert "'cat/10.jpg'" not in str(caught.value)


def test_damaged_pictures_can_be_left_out_and_are_named(folder) -> None:
    spoil(folder, "cat/b.jpg", "dog/a.jpg")
    (folder / "dog" / "empty.jpg").write_bytes(b"")
    data = read(folder, prepare=prepare, skip_broken=True)
    assert content(data) == [("cat/30.png", 0, 30), ("dog/10.png", 1, 10), ("dog/20.png", 1, 20)]
    assert data.skipped == ("cat/b.jpg", "dog/a.jpg", "dog/empty.jpg")


def test_a_class_of_damaged_pictures_alone_is_refused(folder) -> None:
    spoil(folder, "cat/30.png")
    with pytest.raises(
        DatasetError, match=r"none of the pictures of class 'cat' can be read, for example 'cat/30\.png'"
    ):
        read(folder, prepare=prepare, skip_broken=True)


@pytest.mark.parametrize("column", ["split", "Set", "subset"])
def test_a_table_may_have_splits(table, folder, column) -> None:
    lines = [
        f"path,label,{column}",
        "cat/30.png,c,train",
        "dog/10.png,d,Train",
        "dog/20.png,d,valid",
        "cat/30.png,c,test",
    ]
    path = folder / "labels.csv"
    path.write_text("\n".join(lines))
    assert has_splits(path)
    shades = {split: sorted(read(path, split, prepare).images[:, 0, 0, 0].tolist()) for split in SPLITS}
    assert shades == {"train": [10, 30], "validation": [20], "test": [30]}


def test_a_split_that_is_none_is_named_with_the_line(table) -> None:
    with pytest.raises(
        DatasetError, match="line 3: expected train, validation or test in the column 'split', found '2'"
    ):
        table("path,label,split\ncat/30.png,c,train\ndog/10.png,d,2\n")


@pytest.fixture
def surveyed(folder):
    """Return a function that looks through a table of the folder's pictures."""

    def make(text: str):
        (folder / "labels.csv").write_text(text)
        return survey(folder / "labels.csv")

    return make


@pytest.mark.parametrize("column", ["is_valid", "Is Val", "is_validation"])
@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("1", "0"), ("yes", "")])
def test_a_column_may_say_what_is_for_validation(surveyed, column, yes, no) -> None:
    found = surveyed(f"path,label,{column}\ncat/30.png,cat,{no}\ndog/10.png,dog,{no}\ndog/20.png,dog,{yes}\n")
    assert found.counts == {"train": {"cat": 1, "dog": 1}, "validation": {"dog": 1}}


def test_a_column_may_say_what_is_for_the_test_too(surveyed) -> None:
    found = surveyed(
        "path,label,is_valid,is_test\ncat/30.png,cat,0,1\ndog/10.png,dog,1,0\ndog/20.png,dog,0,0\n"
    )
    assert found.splits == ("train", "validation", "test")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("2,0", "line 2: expected true or false in the column 'is_valid', found '2'"),
        ("1,1", "line 2: is in the splits"),
    ],
)
def test_a_column_that_says_neither_yes_nor_no_is_refused(surveyed, values, message) -> None:
    with pytest.raises(DatasetError, match=message):
        surveyed(f"path,label,is_valid,is_test\ncat/30.png,cat,{values}\n")


def test_a_picture_of_two_classes_is_refused(surveyed) -> None:
    with pytest.raises(DatasetError, match=r"line 4: 'cat/30.png' is 'dog', and in line 2 it is 'cat'; leave"):
        surveyed("path,label\ncat/30.png,cat\ndog/10.png,dog\ncat/30.png,dog\n")


def test_pictures_that_are_named_twice_are_said(surveyed) -> None:
    found = surveyed(
        "path,label,split\ncat/30.png,cat,train\ncat/30.png,cat,test\ndog/10.png,dog,train\ndog/10.png,dog,train\n"
    )
    assert found.notes == (
        "'cat/30.png' is in several splits, so what is measured was learned from",
        "'dog/10.png' is named more than once, and counted as often",
    )


def test_a_column_of_other_sets_says_nothing_of_splits(table) -> None:
    assert len(table("path,label,set\ncat/30.png,c,1\ndog/10.png,d,2\n")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "filename,class\ncat/30.png,c\n",
        "Filename;Width;ClassId\ncat/30.png;8;c\n",
        "file_name\tlabel\ncat/30.png\tc\n",
        "Path , Label\n cat/30.png , c \n",
        "path,label,class\ncat\\30.png,c,5\n",
    ],
)
def test_tables_of_others_are_read(table, text) -> None:
    data = table(text)
    assert (data.classes, data.names) == (("c",), ("cat/30.png",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,image,label\na,b,c\n", "which column is the path, 'filename', 'image'"),
        ("label,pixel0,pixel1\n1,0,0\n", "a table of pixels is not read"),
    ],
)
def test_tables_that_are_not_clear_are_refused(table, text, message) -> None:
    with pytest.raises(DatasetError, match=message):
        table(text)
