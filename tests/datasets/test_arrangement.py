"""How people arrange pictures in folders, as publishers and their users have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bnncore.datasets import DatasetError, Survey, has_splits, read, survey


def prepare(path: Path):
    """Return a 2x2 RGB array, as a network's preprocessing would."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((2, 2)))


@pytest.fixture
def look(tmp_path):
    """Return a function that makes pictures by their names, and looks through the folder."""

    def make(*names: str, classes=None) -> Survey:
        for name in names:
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(path, "PNG")
        return survey(tmp_path / "photos", classes)

    return make


def counts(found: Survey) -> dict:
    return {split: dict(each) for split, each in found.counts.items()}


BOTH = {"cat": 1, "dog": 1}


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("TRAINING", "VALIDATION", "TESTING"),
        ("training_set", "validation_set", "test_set"),
        ("trainset", "valset", "testset"),
        ("Train_Images", "Val_Images", "Test_Images"),
        ("images-train", "images-val", "images-test"),
        ("train2017", "val2017", "test1"),
        ("training", "dev", "evaluation"),
        ("seg_train", "seg_val", "seg_test"),
        ("Final_Training", "Holdout", "Final_Test"),
        ("data train", "data validation", "data test"),
    ],
)
def test_splits_are_called_in_many_ways(look, names) -> None:
    found = look(*(f"{name}/{label}/1.png" for name in names for label in ("cat", "dog")))
    assert counts(found) == {"train": BOTH, "validation": BOTH, "test": BOTH}
    assert found.splits == ("train", "validation", "test")


@pytest.mark.parametrize("name", ["training shoes", "train station", "tests of time", "valve", "deviation"])
def test_a_class_that_only_sounds_like_a_split_is_a_class(look, name) -> None:
    assert counts(look(f"{name}/1.png", "cat/1.png")) == {None: {name: 1, "cat": 1}}


def test_what_lies_beside_the_splits_is_passed_over_and_said(look) -> None:
    found = look("Train/0/1.png", "Train/1/1.png", "Test/1.png", "Meta/0.png", "Meta/1.png")
    assert counts(found) == {"train": {"0": 1, "1": 1}}
    assert found.unlabelled == {"test": 1}
    assert [(each.reason, each.names) for each in found.passed_over] == [
        ("in 'Meta', beside the splits", ("Meta/0.png", "Meta/1.png"))
    ]
    assert "test: 1 picture that no class is known of, not used" in str(found)


def test_a_split_without_classes_cannot_be_read(look, tmp_path) -> None:
    look("train/cat/1.png", "train/dog/1.png", "test/1.png")
    with pytest.raises(
        DatasetError, match=r"the pictures of 'test' \(1\) are in no folder of a class; make one"
    ):
        read(tmp_path / "photos", "test", prepare)
    (tmp_path / "photos" / "Test.csv").write_text("Width,ClassId,Path\n4,cat,test/1.png\n")
    with pytest.raises(DatasetError, match=r"or give .*Test\.csv, if it tells them"):
        read(tmp_path / "photos", "test", prepare)
    assert len(read(tmp_path / "photos" / "Test.csv", "test", prepare)) == 1


@pytest.mark.parametrize("inner", ["", "train/", "images/"])
def test_kaggles_flat_names_are_classes(look, inner) -> None:
    found = look(f"train/{inner}cat.0.jpg", f"train/{inner}cat.1.jpg", f"train/{inner}dog.0.jpg", "test1/1.jpg")
    assert counts(found) == {"train": {"cat": 2, "dog": 1}}
    assert "what the pictures' names begin with" in str(found)


@pytest.mark.parametrize(
    "names", [("IMG_1.jpg", "DSC_2.jpg"), ("cat-1.jpg", "dog-1.jpg"), ("cat.0.jpg", "x.jpg")]
)
@pytest.mark.parametrize("folder", ["", "train/"])
def test_flat_names_that_may_be_anything_are_refused(look, names, folder) -> None:
    with pytest.raises(DatasetError, match=r"in no folder of a class; .*/cat/1\.jpg.*\.csv"):
        look(*(folder + name for name in names))


def test_all_that_is_below_a_class_is_of_it(look) -> None:
    found = look("cat/2024/may/1.png", "cat/2.png", "dog/1.png", "fox/a/b/c/1.png")
    assert counts(found) == {None: {"cat": 2, "dog": 1, "fox": 1}}


def test_classes_may_hold_the_splits(look) -> None:
    found = look("cat/train/1.png", "cat/test/1.png", "dog/Training/1.png", "dog/test/1.png")
    assert counts(found) == {"train": BOTH, "test": BOTH}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        # Railways, or a split?
        (
            ("train/1.png", "bus/1.png"),
            "found 'train', called like a split of the data, beside 'bus', which is not; put",
        ),
        (("train/cat/1.png", "train/dog/1.png", "cat/1.png"), "called like a split"),
        (("train/1.png", "test/1.png"), "'test', 'train' are in no folder of a class"),
        (("train/1.png", "test/1.png", "Meta/1.png"), "called like a split"),
        (
            ("Train/cat/1.png", "train/cat/1.png", "test/cat/1.png"),
            "'Train' and 'train' are both the train split",
        ),
        (("cat/train/1.png", "dog/1.png"), "cat/train is called like a split of the data, but 'dog'"),
        (("train/cat/test/1.png", "train/dog/1.png"), "cat/test is called like a split"),
        (("images/cat/1.png", "images/dog/1.png", "masks/1.png"), "is 'images' a class, as 'masks'"),
        (
            ("cat/images/1.png", "cat/masks/1.png", "dog/images/1.png"),
            "cat: holds 'images', 'masks': take what is no",
        ),
        (
            ("train/cat/Images/1.png", "train/cat/Ground Truth/1.png", "test/cat/Images/1.png"),
            "take .* as 'Ground Truth', out",
        ),
        (("101_Objects/cat/1.png", "101_Objects/dog/1.png"), "would be the only class; .* give .*101_Objects"),
        (
            ("fold1/cat/1.png", "fold1/dog/1.png", "fold2/cat/2.png", "fold2/dog/2.png"),
            "each of 'fold1', 'fold2' holds",
        ),
        (("fold1/0/1.png", "fold1/1/1.png", "fold2/0/2.png", "fold2/1/2.png"), "which are the classes?"),
        (
            ("fold1/train/cat/1.png", "fold1/test/cat/2.png", "fold2/train/cat/3.png", "fold2/test/cat/4.png"),
            "each of 'fold1', 'fold2' has splits, and 'cat' in them: which are the classes",
        ),
        (
            ("no/1.png", "yes/1.png", "tumours/no/1.png", "tumours/yes/1.png"),
            "'tumours' holds 'no', 'yes', which are beside it as well; if it is a copy",
        ),
        (
            ("train/no/1.png", "train/yes/1.png", "train/all/no/1.png", "train/all/yes/1.png", "test/no/1.png"),
            "'all' holds 'no', 'yes', which are beside it",
        ),
        (("00/palm/1.png", "00/fist/1.png", "01/palm/1.png", "01/fist/1.png"), "which are the classes?"),
        (("1.png", "2.png"), "in no folder of a class"),
    ],
)
def test_what_can_be_understood_in_two_ways_is_refused(look, names, message) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        look(*names)
    assert "\n" not in str(caught.value)


def test_a_network_that_knows_trains_finds_them(look) -> None:
    found = look("train/1.png", "bus/1.png", classes=("bus", "train"))
    assert counts(found) == {None: {"bus": 1, "train": 1}}


def test_years_in_numbered_classes_are_no_classes(look) -> None:
    found = look("7/2023/1.png", "7/2024/1.png", "8/2023/1.png", "8/2024/1.png")
    assert counts(found) == {None: {"7": 2, "8": 2}}


@pytest.mark.parametrize("wrapper", ["photos", "dataset", "chest"])
def test_a_folder_that_only_wraps_is_opened(look, wrapper) -> None:
    found = look(f"{wrapper}/train/cat/1.png", f"{wrapper}/train/dog/1.png", f"{wrapper}/test/cat/1.png")
    assert counts(found) == {"train": BOTH, "test": {"cat": 1}}


def test_any_number_of_folders_around_the_splits_is_opened(look) -> None:
    """As faces of Kaggle have it: what is called nearly the same is no class either."""
    names = [
        f"faces/real_vs_fake/real-vs-fake/{split}/{name}/1.png" for split in ("train", "test") for name in BOTH
    ]
    assert counts(look(*names)) == {"train": BOTH, "test": BOTH}


def test_folders_of_years_in_the_splits_of_classes_are_of_the_class(look) -> None:
    found = look(*(f"{name}/{split}/2024/1.png" for name in BOTH for split in ("train", "test")))
    assert counts(found) == {"train": BOTH, "test": BOTH}


@pytest.mark.parametrize(
    "names",
    [("mine/train/cat/1.png", "mine/train/dog/1.png"), ("train/train/cat/1.png", "train/train/dog/1.png")],
)
def test_one_split_may_be_wrapped_too(look, names) -> None:
    assert counts(look(*names)) == {"train": BOTH}


@pytest.mark.parametrize("above", ["", "train/"])
def test_folders_that_all_classes_hold_are_said_to_be_perhaps_the_classes(look, above) -> None:
    found = look(*(f"{above}{site}/{name}/1.png" for site in ("north", "south") for name in BOTH))
    assert list(counts(found).values()) == [{"north": 2, "south": 2}]
    (note,) = found.notes
    assert "holds 'cat', 'dog'; if those are the classes, put the pictures of each into one folder" in note


def test_what_wraps_the_folder_of_images_is_opened(look) -> None:
    assert counts(look("food-101/images/cat/1.png", "food-101/images/dog/1.png")) == {None: BOTH}


def test_a_class_that_a_split_does_not_have_is_said(look, tmp_path) -> None:
    found = look("train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/fox/1.png")
    assert found.notes == ("train has no pictures of 'fox'", "test has no pictures of 'dog'")
    # One order for all splits, or their labels could not be compared.
    assert read(tmp_path / "photos", "test", prepare).classes == ("cat", "dog", "fox")


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_each_split_is_read_alone(look, tmp_path, split) -> None:
    look("train/cat/1.png", "train/dog/1.png", "val/cat/2.png", "val/dog/2.png", "test/cat/3.png")
    names = {
        "train": {"cat/1.png", "dog/1.png"},
        "validation": {"cat/2.png", "dog/2.png"},
        "test": {"cat/3.png"},
    }
    assert set(read(tmp_path / "photos", split, prepare).names) == names[split]


def test_a_split_that_is_not_there_is_said(look, tmp_path) -> None:
    look("train/cat/1.png", "val/cat/1.png")
    with pytest.raises(DatasetError, match="expected a test split, found train and validation"):
        read(tmp_path / "photos", "test", prepare)


def test_a_split_that_nobody_has_is_an_error(look, tmp_path) -> None:
    look("cat/1.png")
    with pytest.raises(DatasetError, match="one of train, validation, test, not 'tets'"):
        read(tmp_path / "photos", "tets", prepare)  # type: ignore[arg-type]


def test_pictures_are_known_by_content_and_the_rest_is_counted(look, tmp_path) -> None:
    root = tmp_path / "photos"
    look(
        "cat/IMG_1.HEIC",
        "cat/picture",
        "cat/a.jfif",
        "dog/b.bin",
        "dog/c.png",
        ".trash/1.png",
        "__MACOSX/cat/1.png",
    )
    for name in (
        "cat/Thumbs.db",
        "cat/.DS_Store",
        "dog/._c.png",
        "dog/notes.txt",
        "desktop.ini",
        "labels.json",
    ):
        (root / name).write_bytes(b"words")
    (root / "fox").mkdir()
    (root / "fox" / "film.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom")
    found = survey(root)
    assert counts(found) == {None: {"cat": 3, "dog": 2}}
    assert {each.reason: each.names for each in found.passed_over} == {
        "hidden": (".trash", "cat/.DS_Store", "dog/._c.png"),
        "of the system": ("__MACOSX", "cat/Thumbs.db", "desktop.ini"),
        "no picture": ("dog/notes.txt", "fox/film.mp4", "labels.json"),
        "folder without pictures": ("fox",),
    }
    assert "passed over, folder without pictures: 1 ('fox')" in str(found)


def test_pictures_are_found_behind_many_other_things(look, tmp_path) -> None:
    (tmp_path / "photos" / "Annotations").mkdir(parents=True)
    for number in range(300):
        (tmp_path / "photos" / "Annotations" / f"{number}.xml").write_text("<a/>")
    found = look("cat/1.png", "dog/no suffix")
    assert counts(found) == {None: BOTH}
    assert "passed over, no picture: 300 ('Annotations/0.xml', " in str(found)


def test_circles_of_links_end(look, tmp_path) -> None:
    look("cat/1.png", "dog/1.png")
    (tmp_path / "photos" / "cat" / "again").symlink_to(tmp_path / "photos")
    found = survey(tmp_path / "photos")
    assert counts(found) == {None: BOTH}


def test_many_classes_are_summed_up(look) -> None:
    found = look(*(f"{label}/1.png" for label in range(43)), "7/2.png")
    assert found.lines() == ["44 pictures of 43 classes, 1 to 2 a class"]


@pytest.mark.parametrize(
    ("names", "split"), [(("cat/1.png", "dog/1.png"), False), (("Training/cat/1.png",), True)]
)
def test_only_folders_of_splits_are_split(look, tmp_path, names, split) -> None:
    look(*names)
    assert has_splits(tmp_path / "photos") is split
