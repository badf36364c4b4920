"""Small topologies with all that the large ones have, for tests that should take no time."""

from __future__ import annotations

from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology

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
