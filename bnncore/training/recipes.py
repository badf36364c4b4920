"""Where recipes come from: beside a plugin's weights, from a file, or made to measure."""

from __future__ import annotations

from bnnhw.topology import Topology

from bnncore import registry
from bnncore.errors import BnnError, ResourceError
from bnncore.formats.recipe import RECIPE, Augmentation, Recipe, RecipeEntry, parse_recipe
from bnncore.resources import packaged, read_resource
from bnncore.spelling import argument

__all__ = ["default_recipe", "plugin_recipe", "related_dataset"]

# Images seen in a run of the default recipe: some minutes to an hour on two cores.
_PASSES = 300_000

# Below this, features learnt on another dataset help.
_FEW = 10_000


def plugin_recipe(name: str, topology: str) -> RecipeEntry:
    """Return how a plugin's weights were made: recipe, seed, and what they were computed with.

    Args:
        name: of an installed dataset.
        topology: of its weights.

    Raises:
        ResourceError: if the plugin has no recipe for that topology.
    """
    package = registry.dataset(name).card.package
    try:
        data = read_resource(packaged(package, RECIPE))
    except ResourceError as error:
        raise ResourceError(
            f"dataset {name!r} has no recipe to repeat ({error}); give one with {argument('recipe')}"
        ) from error
    return parse_recipe(data, topology, f"{package}/{RECIPE}")


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


def related_dataset(topology: Topology) -> str | None:
    """Return an installed dataset that offers weights for a topology, the first by name."""
    for name in registry.names():
        try:
            if topology.name in registry.dataset(name).topologies:
                return name
        except BnnError:
            # A plugin that cannot be used is no place to start from.
            continue
    return None
