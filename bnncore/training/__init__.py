"""Training: from labelled images to integer parameters. Needs the extra ``[train]`` (PyTorch) once something runs.

::

    import bnncore
    from bnncore.training import TrainingData, plan

    photos = TrainingData.of_pictures("my_photos/", topology="cnvW1A1")
    run = plan(photos, "my_params/", epochs=2)
    run.train()
    plan(photos, "my_params/", epochs=3, binparam="my_binparam/").train()
    bnncore.load(run.weights).classify("my_photos/cat/1.jpg")

The first ``train`` leaves weights. The second goes on to the third epoch, as a run that was stopped is continued, and
writes a BNN-PYNQ folder, too. ``plan(TrainingData.of_dataset("cifar10", "cifar-10-batches-bin/"))`` trains a plugin's
weights again, by the recipe that comes with them. Without PyTorch this imports, and plans and runs say what is missing.

Data flows ``data`` (labelled images) -> ``planning`` (what to do: a recipe, a seed, a folder) -> ``run`` -> ``loop``
(with ``augment``, ``trainable``, ``quantizers``, ``losses``) -> ``export`` (exact integer thresholds) ->
``bnncore.formats``.
"""

from __future__ import annotations

from bnncore.formats.recipe import Augmentation, Recipe, RecipeEntry, read_recipe
from bnncore.training.data import TrainingData
from bnncore.training.planning import Plan, initial_network, plan
from bnncore.training.progress import BarReporter, Reporter
from bnncore.training.recipes import default_recipe, plugin_recipe
from bnncore.training.results import CrossValidation, Epoch, Outcome

__all__ = [
    "Augmentation",
    "BarReporter",
    "CrossValidation",
    "Epoch",
    "Outcome",
    "Plan",
    "Recipe",
    "RecipeEntry",
    "Reporter",
    "TrainingData",
    "default_recipe",
    "initial_network",
    "plan",
    "plugin_recipe",
    "read_recipe",
]
