"""Networks with random parameters: what stands in before training, and what checks and tests run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Topology, matrix_stages

__all__ = ["random_network"]

_INT32_MAX = 2**31 - 1


def random_network(
    topology: Topology, seed: int = 0, *, lowest: int = -2, extreme: float = 0.0, largest: int = _INT32_MAX
) -> Network:
    """Return a network of random weights whose thresholds lie where the sums do, so that all of it acts.

    Args:
        topology: the shapes.
        seed: the same seed and options give the same network with the same numpy.
        lowest: the least weight where weights have two bits, -2 or -1.
        extreme: share of the thresholds, 0 to 1, that lie instead at the ends of what an accumulator reaches,
            around 0, or at the limits that ``largest`` sets. Where a neuron has two, they may then stand in
            the wrong order, as in files that others wrote.
        largest: all thresholds are from ``-largest - 1`` to this. An accelerator holds no more than
            2**15 - 1, less what folding adds.
    """
    rng = np.random.default_rng(seed)
    layers = []
    for stage in matrix_stages(topology):
        shape = (stage.outputs, stage.fan_in)
        if topology.weight_bits == 1:
            weights = 2 * rng.integers(0, 2, shape, np.int8) - 1
        else:
            weights = rng.integers(lowest, 2, shape, np.int8)
        drawn = rng.normal(stage.centre, stage.spread, (stage.outputs, stage.thresholds))
        thresholds: npt.NDArray[np.int64] = np.sort(drawn.round(), axis=1).astype(np.int64)
        if extreme:
            reach = stage.largest
            ends = np.array([-largest - 1, -reach, -1, 0, 1, reach - 1, reach, largest])
            thresholds = np.where(
                rng.random(thresholds.shape) < extreme, rng.choice(ends, thresholds.shape), thresholds
            )
        kept = np.clip(thresholds, -largest - 1, largest).astype(np.int32)
        layers.append(LayerParameters(weights=weights, thresholds=kept))
    return Network(topology=topology, layers=tuple(layers))
