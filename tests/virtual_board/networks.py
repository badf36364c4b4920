"""Small networks with all that the large ones have, for tests that should take no time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology, matrix_stages

from virtual_board.designs import Design

CNV = Topology(
    name="smallcnv",
    input=Input(height=6, width=4, channels=3, bits=8),
    layers=(Conv(outputs=8), Pool(), Dense(outputs=12), Dense(outputs=8)),
)
CNV_FOLDING = Folding.of((4, 3), (3, 4), (2, 1))
TERNARY = Topology(
    name="smallternary",
    input=Input(height=8, width=5, channels=3, bits=8),
    layers=(Conv(outputs=8), Dense(outputs=12), Dense(outputs=4)),
    weight_bits=2,
    activation_bits=2,
)
TERNARY_FOLDING = Folding.of((4, 3), (3, 4), (1, 2))
LFC = Topology(
    name="smalllfc",
    input=Input(height=7, width=5, bits=1),
    layers=(Dense(outputs=16), Dense(outputs=10)),
    output="bits",
)
LFC_FOLDING = Folding.of((4, 32), (5, 8))

DESIGNS = {
    "cnv": Design(topology=CNV, folding=CNV_FOLDING),
    "ternary": Design(topology=TERNARY, folding=TERNARY_FOLDING),
    "lfc": Design(topology=LFC, folding=LFC_FOLDING),
}


def random_network(topology: Topology, seed: int) -> Network:
    """Return a network whose scores depend on every layer."""
    random = np.random.default_rng(seed)
    layers = []
    for stage in matrix_stages(topology):
        codes = [-1, 1] if topology.weight_bits == 1 else [-1, 0, 1]
        weights = random.choice(np.array(codes, np.int8), (stage.outputs, stage.fan_in))
        middle = {"pixels": 0, "popcount": stage.fan_in // 2, "signed": 0}[stage.accumulator]
        thresholds = middle + random.integers(-3, 4, (stage.outputs, stage.thresholds))
        layers.append(LayerParameters(weights=weights, thresholds=np.sort(thresholds).astype(np.int32)))
    return Network(topology=topology, layers=tuple(layers))


def images(topology: Topology, count: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return random images of a topology."""
    return np.random.default_rng(seed).integers(0, 256, (count, *topology.input.shape), np.uint8)
