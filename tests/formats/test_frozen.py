"""Files of format version 1, written once, are read for ever to the same values.

``frozen`` holds what bnncore 0.1 wrote, and in ``values.json`` what it meant by it, as plain lists. Nobody writes
these files again: whoever changes a format raises its version and puts files of the new one beside them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Input, Pool, Topology

import bnncore
from bnncore.formats.card import Card, Metric, parse_card
from bnncore.formats.classes import read_classes
from bnncore.formats.evaluation import parse_metrics
from bnncore.formats.golden import parse_golden
from bnncore.formats.manifest import parse_manifest
from bnncore.formats.npz import read_npz
from bnncore.formats.recipe import Augmentation, Recipe, parse_recipe
from bnncore.resources import read_resource

FROZEN = Path(__file__).parent / "frozen"
NETWORKS = ["w1a1-bits", "w1a1-scores", "w1a2-scores", "w2a2-scores"]

DIGESTS = {
    "card.json": "091c8994a00335d5bb64b11fef692cd6f437981de4fb51369fb71e8a95274035",
    "classes.txt": "16774432fda15ca8307dbacc674efc4359234b65dcbc7462ed2598b881bd7617",
    "evaluation.json": "2f05ed652b3aa626a2cfc4daf0af2a88d0d8fea60c00b04824ee715f19f421dc",
    "golden.npz": "8741ca3b29e6f34c110e2d88ac946aee0f7eb2f258cb3d2bdc3c098b42026303",
    "manifest.json": "dfd9fd3d051d2f590072423985a04d89920592b170cc0dddab84aabc2defcd46",
    "recipe.json": "2b31b47e65a910ff6b80e0089484c5ddbc8b79e98a2fca38cb52f67cfc901976",
    "values.json": "8c32a63466581661606ac657c679f6fdacb20d22cbd36041932ff48d220ebb7a",
    "w1a1-bits.npz": "865ed829e3113f0675c58b1fdb689af73a2501b25b598517c5784e3892e5644b",
    "w1a1-scores.npz": "4c5e9fb84373224b1cd6be0dbc747096aaa5ad28981de96f2f56df3e861c130b",
    "w1a2-scores.npz": "3e6d065fc83957655c7139cb08b75fb17842df25c39f28a0ad3f9d4d5f20ffad",
    "w2a2-scores.npz": "5efa1127c8af3c02f961e79bc7ff48fff7b7b7089b86adb60259dc1d202e486e",
}

COLOUR = Input(height=6, width=5, channels=3)
LAYERS = (
    Conv(outputs=4, padding=1),
    Pool(),
    Conv(outputs=3, kernel=2, stride=1),
    Dense(outputs=7),
    Dense(outputs=4),
)
TOPOLOGIES = {
    "w1a1-scores": Topology(name="frozen-w1a1", input=COLOUR, layers=LAYERS),
    "w1a2-scores": Topology(name="frozen-w1a2", input=COLOUR, layers=LAYERS, activation_bits=2),
    "w2a2-scores": Topology(name="frozen-w2a2", input=COLOUR, layers=LAYERS, weight_bits=2, activation_bits=2),
    "w1a1-bits": Topology(
        name="frozen-bits",
        input=Input(height=3, width=5, bits=1),
        layers=(Dense(outputs=9), Dense(outputs=4)),
        output="bits",
    ),
}


def read(name: str) -> bytes:
    return (FROZEN / name).read_bytes()


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read("values.json"))[name]
    return found


def test_nobody_wrote_them_again() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FROZEN.iterdir()}
    assert found == DIGESTS


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_have_their_values(name: str) -> None:
    found = read_npz(FROZEN / f"{name}.npz")
    expected = values(name)
    assert found.classes == (None if expected["classes"] is None else tuple(expected["classes"]))
    assert found.network.topology == TOPOLOGIES[name] == Topology.from_dict(expected["topology"])
    assert len(found.network.layers) == len(expected["layers"])
    for layer, plain in zip(found.network.layers, expected["layers"]):
        assert layer.weights.tolist() == plain["weights"]
        assert layer.thresholds.tolist() == plain["thresholds"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_topology_has_its_digest(name: str) -> None:
    """Published records name it; with another one all of them would be refused."""
    assert TOPOLOGIES[name].digest == values(name)["digest"]


@pytest.mark.parametrize("name", NETWORKS)
def test_they_give_their_scores(name: str) -> None:
    expected = values(name)
    inputs = np.array(expected["inputs"], np.uint8)
    assert scores(read_npz(FROZEN / f"{name}.npz").network, inputs).tolist() == expected["scores"]
    with bnncore.load(FROZEN / f"{name}.npz", classes=["a", "b", "c", "d"]) as classifier:
        assert classifier.scores(inputs).tolist() == expected["scores"]


def test_golden_vectors_have_their_values() -> None:
    inputs, found = parse_golden(read("golden.npz"), "golden.npz", TOPOLOGIES["w1a1-scores"])
    assert inputs.tolist() == values("w1a1-scores")["inputs"]
    assert found.tolist() == values("w1a1-scores")["scores"]


def test_classes_have_their_names() -> None:
    assert read_classes(FROZEN / "classes.txt", 4) == ("cat", "20 km/h", "Kürbis")


def test_a_manifest_lists_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = parse_manifest(read("manifest.json"), "manifest.json")
    assert set(listed) == set(DIGESTS) - {"manifest.json", "values.json"}
    monkeypatch.syspath_prepend(str(FROZEN.parent))
    for name in listed:
        assert read_resource(bnncore.packaged("frozen", name)) == read(name)


RECIPE = Recipe(
    topology="frozen-w1a1",
    epochs=30,
    batch_size=50,
    learning_rate=0.01,
    norm_learning_rate=0.001,
    plateau=4,
    warmup=0.1,
    real_weight_epochs=6,
    estimator="approx",
    momentum=0.2,
    recalibration=500,
    label_smoothing=0.05,
    augmentation=Augmentation(flip_horizontal=True, shift=2, rotate=5.0, colour=0.25, cutout=3),
    mixup=0.3,
    splits=("train", "test"),
    validation=10,
    precision="bfloat16",
    initial=Recipe(topology="frozen-w1a1", epochs=3, real_weight_epochs=1),
    teacher=Recipe(topology="frozen-w1a1", epochs=2, plateau=1, initial="cifar10"),
    teachers=2,
    distillation=0.75,
    temperature=3.5,
)


def test_a_recipe_has_its_values() -> None:
    """Four of its fields had other names then."""
    entry = parse_recipe(read("recipe.json"), "frozen-w1a1", "recipe.json")
    assert (entry.seed, entry.threads) == (7, 2)
    assert entry.recipe == RECIPE


def test_a_card_has_its_values() -> None:
    metric = Metric(
        name="accuracy",
        value=0.8125,
        samples=16,
        data="Grüße, test",
        method="once, after the choice of weights",
        topology="frozen-w1a1",
    )
    assert parse_card(read("card.json"), "card.json") == Card(
        title="Frozen",
        description="A card as version 0.1 wrote it: “für immer”.",
        source="made up",
        licenses={"weights": "CC0-1.0", "data": "not stated"},
        metrics=(metric,),
        recipe=json.loads(read("recipe.json")),
        networks={"frozen-w1a1": {"parameters": 226, "operations": 3406, "file_bytes": 2700}},
    )


def test_an_evaluation_has_its_accuracy() -> None:
    assert parse_metrics(read("evaluation.json"), "evaluation.json") == (
        Metric(
            name="accuracy",
            value=0.8125,
            samples=16,
            data="Grüße, test",
            method="bnncore evaluate",
            topology="frozen-w1a1",
        ),
    )
