"""Where recipes come from: beside a plugin's weights, from a file, or made to measure.

A plugin keeps ``recipe.json`` in its package: ``{"cnvW1A1": {"seed": 0, "recipe": {…}}}``, one entry a
topology. Recipes are plain data; reading one runs nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bnnhw.topology import Topology

from bnncore import registry
from bnncore.errors import BnnError, ResourceError
from bnncore.formats.recipe import Augmentation, Recipe
from bnncore.resources import packaged, read_resource

__all__ = ["RECIPES", "default_recipe", "plugin_recipe", "read_recipe"]

RECIPES = "recipe.json"

# Images seen in a run of the default recipe: some minutes to an hour on two cores.
_PASSES = 300_000

# Below this, features learnt on another dataset help.
_FEW = 10_000


def plugin_recipe(name: str, topology: str) -> tuple[Recipe, int]:
    """Return the recipe and seed with which a plugin's weights were made.

    Args:
        name: of an installed dataset.
        topology: of its weights.

    Raises:
        ResourceError: if the plugin has no recipe for that topology.
    """
    package = registry.dataset(name).card.package
    try:
        data = read_resource(packaged(package, RECIPES))
    except ResourceError as error:
        raise ResourceError(
            f"dataset {name!r} has no recipe to repeat ({error}); give one with --recipe"
        ) from error
    return _parsed(data, topology, f"{package}/{RECIPES}")


def read_recipe(path: Path, topology: str) -> tuple[Recipe, int]:
    """Read a recipe for a topology from a file of the same layout.

    Raises:
        BnnError: if it is none.
    """
    try:
        return _parsed(path.read_bytes(), topology, str(path))
    except OSError as error:
        raise BnnError(f"{path}: cannot be read: {error.strerror or error}") from error


def default_recipe(topology: Topology, images: int, initial: str | None = None) -> Recipe:
    """Return a recipe that suits photographs, or drawings where the network sees black and white.

    Args:
        topology: to be trained.
        images: how many there are to train on; the fewer, the more often each is seen.
        initial: dataset whose weights to start from, if there are few images.
    """
    grey = topology.input.bits == 1
    margin = max(1, min(topology.input.height, topology.input.width) // 12)
    augmentation = (
        Augmentation(shift=margin, rotate=8, scale=0.08, shear=0.08, elastic=0.5)
        if grey
        else Augmentation(flip_horizontal=True, shift=margin, brightness=0.1, contrast=0.15, colour=0.1)
    )
    held_back = images // 10 if images >= 50 else 0
    return Recipe(
        topology=topology.name,
        epochs=max(20, min(300, _PASSES // max(1, images))),
        # Weights of one bit change slowly: what counts is the number of steps.
        batch_size=max(2, min(100, (images - held_back) // 16)),
        learning_rate=0.005,
        norm_learning_rate=0.003,
        augmentation=augmentation,
        validation=held_back,
        precision="bfloat16",
        initial=initial if images < _FEW else None,
    )


def _parsed(data: bytes, topology: str, where: str) -> tuple[Recipe, int]:
    try:
        content = json.loads(data)
        entry: dict[str, Any] = content[topology]
        seed = entry["seed"]
        recipe = Recipe.from_dict(entry["recipe"])
    except KeyError as error:
        raise BnnError(f"{where}: no entry {error} for topology {topology!r}") from error
    except (ValueError, TypeError) as error:
        raise BnnError(f"{where}: expected JSON with recipe and seed for each topology: {error}") from error
    if recipe.topology != topology:
        raise BnnError(f"{where}: the recipe of {topology!r} is for {recipe.topology!r}")
    if not isinstance(seed, int):
        raise BnnError(f"{where}: expected a whole number as seed, found {seed!r}")
    return recipe, seed
