"""Recipes are plain data, checked."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from bnnhw.topology import Dense, Input, Topology

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.errors import BnnError, ResourceError
from bnncore.formats.card import parse_card
from bnncore.formats.recipe import Augmentation, Recipe, RecipeEntry, parse_recipe, read_recipe, recipe_bytes
from bnncore.training.recipes import default_recipe


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
        {"real_weight_epochs": 1},
        {"plateau": 1},
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
        ("[", "as JSON"),
        ("[]", "as JSON"),
        ('{"cnvW1A1": 1}', "as JSON"),
        ('{"cnvW1A1": {"seed": 1, "recipe": 1}}', "not a recipe"),
        ('{"cnvW1A1": {"seed": 1, "recipe": {"topology": "cnvW1A1", "epochs": 0}}}', "not a recipe"),
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


# As version 0.1 wrote it, before fields took the names of the field. It is read for ever, and never changed.
BY_OLD_NAMES = Path(__file__).with_name("recipe_by_old_names.json")


def test_a_recipe_by_old_names_is_read() -> None:
    entry = parse_recipe(BY_OLD_NAMES.read_bytes(), "cnvW1A1", "old")
    assert (entry.seed, entry.threads, entry.device, entry.minutes) == (3, 1, None, None)
    recipe = entry.recipe
    assert (recipe.plateau, recipe.real_weight_epochs) == (10, 20)
    assert (recipe.recalibration, recipe.temperature) == (5000, 3.0)
    assert isinstance(recipe.initial, Recipe)
    assert recipe.teacher is not None
    assert (recipe.initial.real_weight_epochs, recipe.teacher.plateau) == (4, 2)
    assert (recipe.teacher.recalibration, recipe.teacher.temperature) == (100, 4.0)


def test_old_names_are_never_written() -> None:
    entry = parse_recipe(BY_OLD_NAMES.read_bytes(), "cnvW1A1", "old")
    data = recipe_bytes({"cnvW1A1": entry})
    assert parse_recipe(data, "cnvW1A1", "new") == entry
    for name in (b"hold", b"relaxed", b"settle", b"softness"):
        assert b'"%s"' % name not in data


def test_a_field_by_both_its_names_is_refused() -> None:
    with pytest.raises(BnnError, match="'hold' is the old name of 'plateau'"):
        Recipe.from_dict({"topology": "cnvW1A1", "epochs": 9, "hold": 1, "plateau": 2})


@pytest.mark.parametrize(
    ("package", "topology", "real_weight_epochs", "recalibration"),
    [
        ("bnn_cifar10", "cnvW1A1", 0, 10000),
        ("bnn_cifar10", "cnvW1A2", 0, 10000),
        ("bnn_cucumber9", "cnvW1A1", 80, 0),
        ("bnn_mnist_lfc", "lfcW1A1", 30, 0),
    ],
)
def test_shipped_recipes_are_read_from_file_and_card(
    package, topology, real_weight_epochs, recalibration
) -> None:
    entry = parse_recipe(files(package).joinpath("recipe.json").read_bytes(), topology, package)
    assert entry.recipe.real_weight_epochs == real_weight_epochs
    assert entry.recipe.recalibration == recalibration
    card = parse_card(files(package).joinpath("card.json").read_bytes(), package)
    assert Recipe.from_dict(card.recipe[topology]["recipe"]) == entry.recipe


def test_what_a_run_was_computed_with_is_kept() -> None:
    recipe = Recipe(topology="any", epochs=1)
    for entry in (
        RecipeEntry(recipe=recipe, seed=1, threads=2),
        RecipeEntry(recipe=recipe, seed=1, device="cuda", minutes=0.5),
    ):
        assert parse_recipe(recipe_bytes({"any": entry}), "any", "file") == entry


@pytest.mark.parametrize("images", [3, 30, 500, 100_000])
@pytest.mark.parametrize("topology", [*TOPOLOGIES.values()], ids=lambda topology: topology.name)
def test_the_default_recipe_fits_any_number_of_images(topology, images) -> None:
    recipe = default_recipe(topology, images)
    assert recipe.batch_size <= images - recipe.validation
    assert recipe.topology == topology.name


def test_the_default_recipe_fits_small_inputs() -> None:
    small = Topology(name="small", input=Input(height=4, width=4), layers=(Dense(outputs=2),))
    assert default_recipe(small, 100).augmentation.shift < 4


def test_recipes_that_are_nested_without_end_are_refused_by_name() -> None:
    deep = b'{"tiny": ' + b'{"recipe": ' * 100_000 + b"0" + b"}" * 100_000 + b"}"
    with pytest.raises(ResourceError, match=r"hostile\.json"):
        parse_recipe(deep, "tiny", "hostile.json")
    recipe: dict[str, object] = {"topology": "tiny", "epochs": 1}
    for _ in range(900):
        recipe = {"topology": "tiny", "epochs": 1, "initial": recipe}
    data = json.dumps({"tiny": {"seed": 0, "recipe": recipe}}).encode()
    with pytest.raises(ResourceError, match=r"hostile\.json"):
        parse_recipe(data, "tiny", "hostile.json")
