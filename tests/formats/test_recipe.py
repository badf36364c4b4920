"""Recipes are plain data, checked."""

from __future__ import annotations

import json

import pytest
from bnnhw.topology import Dense, Input, Topology

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.errors import BnnError
from bnncore.formats.recipe import Augmentation, Recipe
from bnncore.training.recipes import default_recipe, read_recipe


def test_a_recipe_survives_json() -> None:
    recipe = Recipe(
        topology="cnvW1A1",
        epochs=3,
        augmentation=Augmentation(shift=2, rotate=3.5),
        teacher=Recipe(topology="cnvW1A1", epochs=2),
        initial=Recipe(topology="cnvW1A1", epochs=4, initial="cifar10"),
        splits=("train", "test"),
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"learning_rate": -1.0},
        {"estimator": "guess"},
        {"unknown": 1},
        {"augmentation": {"shift": -1}},
        {"splits": ["validation"]},
        {"precision": "float8"},
        {"relaxed": 1},
        {"hold": 1},
        {"initial": 3},
        {"initial": {"topology": "lfcW1A1", "epochs": 1}},
        {"teacher": "cifar10"},
    ],
)
def test_an_impossible_recipe_is_refused(change) -> None:
    with pytest.raises(BnnError, match="not a recipe"):
        Recipe.from_dict({"topology": "cnvW1A1", "epochs": 1, **change})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "no entry 'cnvW1A1'"),
        ("[", "expected JSON"),
        ('{"cnvW1A1": {"recipe": {}}}', "no entry 'seed'"),
        ('{"cnvW1A1": {"seed": "x", "recipe": {"topology": "cnvW1A1", "epochs": 1}}}', "whole number"),
        ('{"cnvW1A1": {"seed": 1, "recipe": {"topology": "lfcW1A1", "epochs": 1}}}', "is for 'lfcW1A1'"),
    ],
)
def test_a_wrong_recipe_file_is_named(tmp_path, content, message) -> None:
    (tmp_path / "recipe.json").write_text(content)
    with pytest.raises(BnnError, match=message) as caught:
        read_recipe(tmp_path / "recipe.json", "cnvW1A1")
    assert "recipe.json" in str(caught.value)


@pytest.mark.parametrize("images", [3, 30, 500, 100_000])
@pytest.mark.parametrize("topology", [*TOPOLOGIES.values()], ids=lambda topology: topology.name)
def test_the_default_recipe_fits_any_number_of_images(topology, images) -> None:
    recipe = default_recipe(topology, images)
    assert recipe.batch_size <= images - recipe.validation
    assert recipe.topology == topology.name


def test_the_default_recipe_fits_small_inputs() -> None:
    small = Topology(name="small", input=Input(height=4, width=4), layers=(Dense(outputs=2),))
    assert default_recipe(small, 100).augmentation.shift < 4
