"""Which images a network is trained on, by which it is validated, and what is refused before."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image
from training.test_loop import RECIPE, TINY

from bnncore.datasets import DatasetError, LabelledImages
from bnncore.errors import BnnError
from bnncore.training import TrainingData, plan

QUICK = attrs.evolve(RECIPE, epochs=1, batch_size=4, validation=3)


def fill(folder: Path, low: int, count: int = 8) -> None:
    """Make pictures whose pixels lie in [low, low + 50)."""
    rng = np.random.default_rng(low)
    folder.mkdir(parents=True)
    for number in range(count):
        Image.fromarray(rng.integers(low, low + 50, (8, 8, 3), np.uint8)).save(folder / f"{number}.png")


@pytest.fixture
def photos(tmp_path) -> Path:
    """Return pictures with all three splits: darker ones for validation, lighter ones for the test."""
    for split, shift, count in (("Train", 0, 8), ("valid", 50, 3), ("Test", 100, 5)):
        fill(tmp_path / "photos" / split / "dark", shift, count)
        fill(tmp_path / "photos" / split / "light", shift + 100, count)
    return tmp_path / "photos"


def test_a_validation_split_is_validated_by_and_nothing_else_is_held_back(photos, tmp_path) -> None:
    data = TrainingData.of_pictures(photos, TINY)
    run = plan(data, tmp_path / "run", recipe=QUICK)
    assert run.recipe.validation == data.validation == 6
    outcome = run.train(threads=1)
    assert outcome.history[0].validation_accuracy is not None
    images = data.read((*run.recipe.splits, "validation"))
    assert [name.split("/")[0] for name in images.names].count("dark") == 11
    # The last are held back; those of the test are nowhere.
    assert len(images) == 16 + 6
    assert np.array_equal(images.images[-6:], data.read(("validation",)).images)
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["tiny"]["recipe"]["validation"] == 6


def test_a_made_recipe_leaves_all_training_pictures_to_training(photos) -> None:
    assert plan(TrainingData.of_pictures(photos, "lfcW1A1")).recipe.validation == 6


def test_pictures_cannot_be_held_back_beside_a_validation_split(photos) -> None:
    with pytest.raises(BnnError, match="validation split of 6 pictures, which is used; leave validation= out"):
        plan(TrainingData.of_pictures(photos, TINY), recipe=QUICK, validation=2)
    assert plan(TrainingData.of_pictures(photos, TINY), recipe=QUICK, validation=6).recipe.validation == 6


def test_without_a_validation_split_pictures_are_held_back(photos) -> None:
    run = plan(TrainingData.of_pictures(photos / "Train", TINY), recipe=QUICK)
    assert (run.recipe.validation, run.data.validation) == (3, 0)
    assert len(run.data.read((*run.recipe.splits, "validation"))) == 16


def test_a_tables_splits_are_used(photos) -> None:
    lines = [
        f"{p.relative_to(photos)},{p.parent.name},{p.parent.parent.name}" for p in sorted(photos.glob("*/*/*"))
    ]
    (photos / "all.csv").write_text("\n".join(["path,label,split", *lines]))
    assert plan(TrainingData.of_pictures(photos / "all.csv", TINY), recipe=QUICK).recipe.validation == 6


@pytest.mark.parametrize("split", ["valid", "Test"])
def test_a_class_that_cannot_be_learnt_is_refused_by_the_plan(photos, split) -> None:
    fill(photos / split / "grey", 80, 1)
    where = {"valid": "validation", "Test": "test"}[split]
    with pytest.raises(
        BnnError, match=f"class 'grey' has pictures in {where} alone, so no network can learn it"
    ):
        plan(TrainingData.of_pictures(photos, TINY), recipe=QUICK)


def test_a_dataset_has_its_classes_whatever_the_splits_hold(photos) -> None:
    with pytest.raises(DatasetError, match="'dark' is no class"):
        plan(TrainingData.of_dataset("cucumber9", photos))


def test_damaged_pictures_can_be_left_out(photos, tmp_path) -> None:
    (photos / "Train" / "dark" / "bad.jpg").write_bytes(b"")
    (photos / "valid" / "dark" / "0.png").write_bytes(b"")
    # Those of both splits at once.
    with pytest.raises(
        DatasetError, match=r"2 of 23 .*'Train/dark/bad\.jpg'.*'valid/dark/0\.png'.*skip_broken="
    ):
        plan(TrainingData.of_pictures(photos, TINY), recipe=QUICK)
    data = TrainingData.of_pictures(photos, TINY, skip_broken=True)
    run = plan(data, tmp_path / "run", recipe=QUICK)
    assert run.recipe.validation == 5
    run.train(threads=1)
    assert data.read(("train", "validation")).skipped == ("dark/bad.jpg", "dark/0.png")


def test_more_classes_than_outputs_are_refused_before_a_picture_is_read(tmp_path) -> None:
    for label in "abcde":
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.jpg").write_bytes(b"")
    with pytest.raises(BnnError, match="has 4 outputs, 5 classes do not fit"):
        plan(TrainingData.of_pictures(tmp_path / "photos", TINY), recipe=QUICK)


@pytest.mark.parametrize("classes", [("a", "a"), ("a", "\u00a0a "), ("a", "b\x1b[31m"), ("a", " ")])
def test_names_that_cannot_be_written_are_refused_before_anything_is(tmp_path, classes) -> None:
    images = LabelledImages(images=np.zeros((40, 8, 8, 3), np.uint8), labels=np.arange(40) % 2, classes=classes)
    run = plan(TrainingData.of_images(images, TINY), tmp_path / "run", recipe=QUICK)
    with pytest.raises(BnnError, match="classes, line 2"):
        run.train(threads=1)
    assert not (tmp_path / "run").exists()


def test_a_survey_is_had_before_a_picture_is_read(photos) -> None:
    (photos / "Train" / "dark" / "bad.jpg").write_bytes(b"")
    data = TrainingData.of_pictures(photos, TINY)
    assert data.survey is not None
    assert data.survey.lines()[0] == "train: 17 pictures of 2 classes: dark (9), light (8)"
    images = LabelledImages(images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.arange(2))
    assert TrainingData.of_images(images, TINY).survey is None
