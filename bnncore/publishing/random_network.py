"""Networks with random parameters: what stands in before training, and what checks run."""

from __future__ import annotations

import math

import numpy as np
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import MatrixStage, Topology, matrix_stages

__all__ = ["random_network"]


def random_network(topology: Topology, seed: int = 0) -> Network:
    """Return a network of random weights whose thresholds lie where the sums do, so that all of it acts.

    Args:
        topology: the shapes.
        seed: the same seed gives the same network with the same numpy.
    """
    rng = np.random.default_rng(seed)
    layers = []
    for stage in matrix_stages(topology):
        shape = (stage.outputs, stage.fan_in)
        if topology.weight_bits == 1:
            weights = 2 * rng.integers(0, 2, shape, np.int8) - 1
        else:
            weights = rng.integers(-2, 2, shape, np.int8)
        centre, spread = _sums(stage)
        drawn = rng.normal(centre, spread, (stage.outputs, stage.thresholds))
        thresholds = np.sort(drawn.round(), axis=1).astype(np.int32)
        layers.append(LayerParameters(weights=weights, thresholds=thresholds))
    return Network(topology=topology, layers=tuple(layers))


def _sums(stage: MatrixStage) -> tuple[float, float]:
    """Return centre and spread of a stage's accumulators under random weights, in its unit."""
    deviation = math.sqrt(stage.fan_in)
    if stage.accumulator == "popcount":
        return stage.fan_in / 2, deviation / 2
    if stage.accumulator == "pixels":
        # Twice the sum of weight times q, and a random pixel's q deviates by about 74.
        return 0.0, 2 * 74 * deviation
    return 0.0, deviation
