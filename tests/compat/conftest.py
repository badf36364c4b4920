"""Fixtures for the old packages' names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.compat import bnn, oldcalls
from bnncore.formats.npz import npz_bytes
from bnncore.publishing.random_network import random_network

_CLASSES = b"Circle\nSquare\n"

_PLUGIN = """
    from bnncore import Dataset, Parameters, hookimpl, packaged
    from bnncore.builtin.topologies import TOPOLOGIES

    BNNCORE_API = 1
    NETWORKS = {"shapes": "cnvW1A1", "letters_lfc": "lfcW1A1"}

    @hookimpl
    def bnncore_dataset(name):
        classes = packaged(__name__, "classes.txt")
        return Dataset(name=name, title=name, classes=classes, topologies=(NETWORKS[name],), card=classes)

    @hookimpl
    def bnncore_parameters(dataset, topology):
        digest = TOPOLOGIES[topology].digest
        weights = packaged(__name__, f"{topology}.npz")
        return Parameters(dataset=dataset, topology=topology, topology_digest=digest, resource=weights)
"""


@pytest.fixture
def shapes(install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Install ``shapes`` for cnvW1A1 and ``letters_lfc`` for lfcW1A1, and nothing else."""
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-cifar10,bnn-cucumber9,bnn-mnist-lfc")
    files = {"classes.txt": _CLASSES}
    for name in ("cnvW1A1", "lfcW1A1"):
        files[f"{name}.npz"] = npz_bytes(random_network(TOPOLOGIES[name]), ["Circle", "Square"])
    listed = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }
    install(
        "bnn-shapes",
        {"bnncore.datasets": {"shapes": "bnn_shapes", "letters_lfc": "bnn_shapes"}},
        {
            "bnn_shapes/__init__.py": _PLUGIN,
            "bnn_shapes/manifest.json": json.dumps({"files": listed}),
            **{f"bnn_shapes/{name}": data for name, data in files.items()},
        },
    )


@pytest.fixture(autouse=True)
def old_calls_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let every test start with nothing told, and with an empty parameter folder."""
    monkeypatch.setattr(oldcalls, "_told", set())
    monkeypatch.setattr(bnn, "BNN_PARAM_DIR", str(tmp_path / "params"))


class Oracle:
    """One set of BNN-PYNQ's answers, and the set's parameters."""

    def __init__(self, test_data: Path, binparams: Path, name: str) -> None:
        dataset, self.network = name.split("-")
        self.params = str(binparams / dataset / self.network)
        with np.load(test_data / "bnn-pynq" / "oracle" / f"{name}.npz") as file:
            self.arrays = {key: file[key] for key in file.files}

    def __getitem__(self, key: str) -> Any:
        return self.arrays[key]


@pytest.fixture(params=["cifar10-cnvW1A1", "cifar10-cnvW1A2", "cifar10-cnvW2A2"])
def cnv_oracle(request: pytest.FixtureRequest, test_data: Path, binparams: Path) -> Oracle:
    """Return the original's answers for each convolutional network in turn."""
    return Oracle(test_data, binparams, request.param)


@pytest.fixture(params=["mnist-lfcW1A1", "mnist-lfcW1A2"])
def lfc_oracle(request: pytest.FixtureRequest, test_data: Path, binparams: Path) -> Oracle:
    """Return the original's answers for each fully connected network in turn."""
    return Oracle(test_data, binparams, request.param)
