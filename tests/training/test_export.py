"""The integer network decides as the trained one does, for every kind of topology."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bnnhw import reference
from bnnhw.outputs import winners
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from hypothesis import given
from hypothesis import strategies as st

from bnncore.training.export import disagreements, export_network
from bnncore.training.trainable import TrainableNetwork

TOPOLOGIES = [
    Topology(
        name="convolutional",
        input=Input(height=10, width=9, channels=3),
        layers=(
            Conv(outputs=6),
            Pool(),
            Conv(outputs=5, padding=1, stride=2),
            Dense(outputs=7),
            Dense(outputs=4),
        ),
    ),
    Topology(
        name="ternary",
        input=Input(height=8, width=8, channels=3),
        layers=(
            Conv(outputs=6, padding=1),
            Pool(size=3, stride=2),
            Conv(outputs=8, padding=1),
            Dense(outputs=4),
        ),
        weight_bits=2,
        activation_bits=2,
    ),
    Topology(
        name="mixed",
        input=Input(height=8, width=8, channels=1),
        layers=(Conv(outputs=6), Conv(outputs=6), Pool(), Dense(outputs=4)),
        activation_bits=2,
    ),
    Topology(
        name="bits",
        input=Input(height=6, width=6, bits=1),
        layers=(Conv(outputs=4, padding=1), Dense(outputs=9), Dense(outputs=4)),
        output="bits",
    ),
    Topology(name="one layer", input=Input(height=4, width=4), layers=(Dense(outputs=4),)),
]


def random_trained(topology: Topology, seed: int = 0) -> TrainableNetwork:
    """Return a network whose normalisations are random, of either sign where that is allowed."""
    generator = torch.Generator().manual_seed(seed)
    network = TrainableNetwork(topology, 3, generator=generator)
    for layer in network.layers:
        torch.nn.init.uniform_(layer.latent, -1, 1, generator=generator)
        norm = layer.norm
        if norm is None:
            continue
        width = layer.block.matrix.fan_in**0.5
        with torch.no_grad():
            torch.nn.init.normal_(norm.mean, 0, width, generator=generator)
            torch.nn.init.uniform_(norm.variance, 0.1, 2 * width, generator=generator)
            torch.nn.init.normal_(norm.scale, generator=generator)
            torch.nn.init.normal_(norm.shift, generator=generator)
            norm.scale[0] = 0
            # Whole means without a shift: sums fall exactly on the step.
            norm.mean[1::2] = norm.mean[1::2].round()
            norm.shift[1::2] = 0
    network.constrain()
    return network


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda topology: topology.name)
@pytest.mark.parametrize("seed", range(3))
def test_every_score_agrees(topology: Topology, seed: int) -> None:
    trained = random_trained(topology, seed)
    images = np.random.default_rng(seed).integers(0, 256, (60, *topology.input.shape), np.uint8)
    assert disagreements(trained, export_network(trained), images) == 0


def test_a_changed_threshold_is_noticed() -> None:
    trained = random_trained(TOPOLOGIES[0])
    network = export_network(trained)
    with torch.no_grad():
        trained.layers[-2].latent.neg_()
    images = np.random.default_rng(0).integers(0, 256, (20, *TOPOLOGIES[0].input.shape), np.uint8)
    assert disagreements(trained, network, images) > 0


def test_outputs_without_a_class_never_fire() -> None:
    network = export_network(random_trained(TOPOLOGIES[3]))
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 6), np.uint8)
    assert not reference.scores(network, images)[:, 3].any()
    assert (network.layers[-1].weights[3] == 1).all()


def test_predictions_follow_the_rule_of_the_outputs() -> None:
    bits = TrainableNetwork(TOPOLOGIES[3], 4)
    logits = torch.tensor([[1.0, 2, -1, -1], [-1.0, -1, -1, -1], [1.0, 0, -1, 0]])
    assert bits.predict(logits).tolist() == [1, 0, 3]
    scores = TrainableNetwork(TOPOLOGIES[0], 4)
    assert scores.predict(torch.tensor([[1.0, 3, 3, 0]])).tolist() == [1]


@given(st.sampled_from((0, 3)), st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), min_size=1))
def test_predictions_are_the_winners_of_the_integer_outputs(number: int, logits: list[list[int]]) -> None:
    topology = TOPOLOGIES[number]
    integers = np.array(logits, np.int32)
    shown = integers if topology.output == "scores" else (integers >= 0).astype(np.int32)
    found = TrainableNetwork(topology, 4).predict(torch.tensor(logits, dtype=torch.float32))
    assert found.tolist() == winners(topology.output, shown).tolist()
