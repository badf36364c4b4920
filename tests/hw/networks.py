"""Random networks for the tests of what executes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import (
    Conv,
    Dense,
    Input,
    MatrixStage,
    Pool,
    Topology,
    TopologyError,
    matrix_stages,
    stages,
)
from hypothesis import assume
from hypothesis import strategies as st

# Keeps the reference, which unfolds every window, quick.
MOST_OPERATIONS = 3_000_000


def random_network(
    topology: Topology, random: np.random.Generator, extreme: float = 0.0, lowest: int = -2
) -> Network:
    """Return a network with random weights and thresholds near the middle of what accumulators reach.

    Args:
        topology: the shapes.
        random: where chance comes from.
        extreme: share of the thresholds that no accumulator reaches, or every one exceeds.
        lowest: the least weight, of two bits.
    """
    layers = []
    for stage in matrix_stages(topology):
        shape = (stage.outputs, stage.fan_in)
        if topology.weight_bits == 1:
            weights = random.choice(np.array([-1, 1], np.int8), shape)
        else:
            weights = random.integers(lowest, 2, shape, dtype=np.int8)
        layers.append(LayerParameters(weights=weights, thresholds=_thresholds(stage, random, extreme)))
    return Network(topology=topology, layers=tuple(layers))


def _thresholds(stage: MatrixStage, random: np.random.Generator, extreme: float) -> npt.NDArray[np.int32]:
    shape = (stage.outputs, stage.thresholds)
    unit = {"pixels": 200, "popcount": 0.5, "signed": 1.0}[stage.accumulator]
    centre = stage.fan_in / 2 if stage.accumulator == "popcount" else 0
    near = centre + random.normal(0, unit * stage.fan_in**0.5, shape)
    ends = np.array([-(2**31), -(2**31) + 1, -1, 0, stage.fan_in, 2**31 - 1])
    mixed = np.where(random.random(shape) < extreme, random.choice(ends, shape), np.rint(near))
    return mixed.astype(np.int32)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Draw a topology of any shape that the records can express and the reference can evaluate quickly."""
    given = Input(
        height=draw(st.integers(1, 14)),
        width=draw(st.integers(1, 14)),
        channels=draw(st.sampled_from([1, 3, 2, 5, 64, 70])),
        bits=draw(st.sampled_from([1, 8])),
    )
    layers: list[Conv | Pool | Dense] = []
    for _ in range(draw(st.integers(0, 3))):
        kernel = draw(st.sampled_from([3, 1, 2, 4, 5, 6, 7]))
        layers.append(
            Conv(
                outputs=draw(st.one_of(st.sampled_from([64, 128, 1, 63, 65]), st.integers(1, 140))),
                kernel=kernel,
                stride=draw(st.sampled_from([1, 1, 2, 3])),
                padding=draw(st.integers(0, kernel - 1)),
            )
        )
        if draw(st.booleans()):
            layers.append(
                Pool(size=draw(st.sampled_from([2, 2, 3, 1])), stride=draw(st.sampled_from([2, 2, 1, 3])))
            )
    for _ in range(draw(st.integers(0, 2))):
        # The larger ones are 5, 6 and 7 groups of 64, which kernels take four at a time.
        layers.append(Dense(outputs=draw(st.one_of(st.integers(1, 200), st.sampled_from([300, 330, 400])))))
    layers.append(Dense(outputs=draw(st.one_of(st.integers(1, 70), st.sampled_from([64, 500, 1000])))))
    try:
        topology = Topology(
            name="random",
            input=given,
            layers=tuple(layers),
            weight_bits=draw(st.sampled_from([1, 2])),
            activation_bits=draw(st.sampled_from([1, 2])),
            output=draw(st.sampled_from(["scores", "bits"])),
        )
    except TopologyError:
        assume(False)
    assume(topology.operations <= MOST_OPERATIONS)
    assume(all(stage.output_shape[0] * stage.output_shape[1] <= 2000 for stage in stages(topology)))
    return topology


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw a topology and fill it, sometimes with extreme thresholds or without weights of -2."""
    topology = draw(topologies())
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random_network(
        topology, random, extreme=draw(st.sampled_from([0.0, 0.3])), lowest=draw(st.sampled_from([-1, -2]))
    )


def random_images(given: Input, count: int, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return images with many values at the edges of the encoding."""
    shape = (count, *given.shape)
    values = random.integers(0, 256, shape, dtype=np.uint8)
    edges: npt.NDArray[Any] = random.choice(np.array([0, 127, 128, 254, 255], np.uint8), shape)
    return np.where(random.random(shape) < 0.3, edges, values).astype(np.uint8)
