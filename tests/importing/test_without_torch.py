"""Rooms that need no PyTorch: as if it were not installed."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = """
import importlib, pkgutil, sys
sys.modules["torch"] = None
import numpy as np

def every_module_of(package):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_networks_are_imported_and_thresholds_found_without_torch() -> None:
    run(
        BLOCKED
        + """
import bnncore.importing, bnncore.thresholds
every_module_of(bnncore.importing)
every_module_of(bnncore.thresholds)
from bnncore.importing.brevitas import from_state_dict
random = np.random.default_rng(0)
state = {"features.2.weight": random.normal(size=(8, 784)), "features.6.weight": random.normal(size=(3, 8))}
for module, rows in ((3, 8), (7, 1)):
    for name, value in (("weight", 1.0), ("bias", 0.1), ("running_mean", 2.0), ("running_var", 3.0)):
        state[f"features.{module}.{name}"] = np.full(rows, value)
network = from_state_dict(state, "W1A1")
assert network.layers[0].thresholds.shape == (8, 1)
"""
    )


def test_training_is_imported_and_its_data_read_without_torch() -> None:
    run(
        BLOCKED
        + """
import bnncore
from bnncore.datasets import LabelledImages
from bnncore.training import BarReporter, Recipe, TrainingData, default_recipe, plan, plugin_recipe
labelled = LabelledImages(images=np.zeros((4, 32, 32, 3), np.uint8), labels=np.zeros(4, np.int64))
data = TrainingData.of_images(labelled)
assert len(data.read()) == 4
assert plugin_recipe("cifar10", "cnvW1A1").recipe.epochs == 281
try:
    plan(data)
except bnncore.BnnError as error:
    assert "pip install 'bnncore[train]'" in str(error)
else:
    raise AssertionError("planned without PyTorch")
"""
    )


def test_training_loads_torch_only_when_something_runs() -> None:
    run("import sys, bnncore.training, bnncore.importing.qonnx; assert 'torch' not in sys.modules")
