"""Hypothesis strategies for topologies, and networks with random parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology, matrix_stages
from hypothesis import strategies as st

__all__ = ["foldings", "random_batch", "random_network", "seeds", "topologies"]

INT32 = np.iinfo(np.int32)

seeds = st.integers(0, 2**32 - 1)


@st.composite
def topologies(draw: st.DrawFn, **fixed: Any) -> Topology:
    """Draw a small topology of any kind; ``fixed`` sets ``Topology``'s attributes."""
    given = fixed.pop("input", None) or Input(
        height=draw(st.integers(1, 7)),
        width=draw(st.integers(1, 7)),
        channels=draw(st.integers(1, 4)),
        bits=draw(st.sampled_from((1, 8))),
    )
    layers: list[Conv | Pool | Dense] = []
    height, width = given.height, given.width
    for position in range(draw(st.integers(0, 3))):
        if position and draw(st.booleans()):
            size = draw(st.integers(1, min(3, height, width)))
            pool = Pool(size=size, stride=draw(st.integers(1, 3)))
            height, width = ((side - size) // pool.stride + 1 for side in (height, width))
            layers.append(pool)
            continue
        kernel = draw(st.integers(1, 4))
        # Padded just enough where the map has become smaller than the window.
        least = max(0, -(-(kernel - min(height, width)) // 2))
        if least >= kernel:
            kernel, least = 1, 0
        conv = Conv(
            outputs=draw(st.integers(1, 8)),
            kernel=kernel,
            stride=draw(st.integers(1, 3)),
            padding=draw(st.integers(least, kernel - 1)),
        )
        height, width = ((side + 2 * conv.padding - kernel) // conv.stride + 1 for side in (height, width))
        layers.append(conv)
    layers += [Dense(outputs=draw(st.integers(1, 20))) for _ in range(draw(st.integers(1, 3)))]
    choices: dict[str, Any] = {
        "name": "drawn",
        "weight_bits": draw(st.integers(1, 2)),
        "activation_bits": draw(st.integers(1, 2)),
        "output": draw(st.sampled_from(("scores", "bits"))),
    }
    return Topology(input=given, layers=tuple(layers), **{**choices, **fixed})


@st.composite
def foldings(draw: st.DrawFn, topology: Topology) -> Folding:
    """Draw a folding that fits a topology; SIMD need not divide the fan-in."""
    pairs = []
    for stage in matrix_stages(topology):
        divisors = [pe for pe in range(1, stage.outputs + 1) if stage.outputs % pe == 0]
        pairs.append((draw(st.sampled_from(divisors)), draw(st.integers(1, 64 // topology.weight_bits))))
    return Folding.of(*pairs)


def random_network(topology: Topology, seed: int, largest: int = INT32.max) -> Network:
    """Return a network with random weights, and thresholds of which some are degenerate.

    Most thresholds lie where accumulators do; some at ``-largest - 1``, ``largest`` and the ends of
    the accumulator's range.
    """
    rng = np.random.default_rng(seed)
    layers = []
    for stage in matrix_stages(topology):
        shape = (stage.outputs, stage.fan_in)
        if topology.weight_bits == 1:
            weights = rng.choice(np.array([-1, 1], np.int8), shape)
        else:
            weights = rng.integers(-2, 2, shape).astype(np.int8)
        # Centre and ends of what the accumulator can be.
        centre, end = {
            "popcount": (stage.fan_in / 2, stage.fan_in),
            "signed": (0.0, 2 * stage.fan_in),
            "pixels": (0.0, 2 * 2 * 128 * stage.fan_in),
        }[stage.accumulator]
        spread = {"popcount": 0.5, "signed": 1.0, "pixels": 150.0}[stage.accumulator] * stage.fan_in**0.5
        likely = rng.normal(centre, spread + 0.5, (stage.outputs, stage.thresholds)).round().astype(np.int64)
        extreme = rng.choice([-largest - 1, -end, -1, 0, 1, end - 1, end, largest], likely.shape)
        thresholds = np.where(rng.random(likely.shape) < 0.2, extreme, likely)
        thresholds = np.clip(thresholds, -largest - 1, largest).astype(np.int32)
        layers.append(LayerParameters(weights=weights, thresholds=thresholds))
    return Network(topology=topology, layers=tuple(layers))


def random_batch(topology: Topology, seed: int, count: int = 3) -> npt.NDArray[np.uint8]:
    """Return uint8 [count, *input shape]; half the values lie at the edges of the encodings."""
    rng = np.random.default_rng(seed)
    shape = (count, *topology.input.shape)
    edges = rng.choice(np.array([0, 1, 126, 127, 128, 129, 254, 255], np.uint8), shape)
    return np.where(rng.random(shape) < 0.5, edges, rng.integers(0, 256, shape).astype(np.uint8))
