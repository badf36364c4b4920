"""The five networks of BNN-PYNQ (docs/reference/bnn-pynq-parameters.md#networks).

Each is one entry point in the group ``bnncore.topologies``, like a third party's.
"""

from __future__ import annotations

from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology

from bnncore.hookspecs import hookimpl

__all__ = ["FOLDINGS", "TOPOLOGIES", "bnncore_topology"]


def _cnv(weight_bits: int, activation_bits: int) -> Topology:
    name = f"cnvW{weight_bits}A{activation_bits}"
    return Topology(
        name=name,
        input=Input(height=32, width=32, channels=3, bits=8),
        layers=(
            Conv(outputs=64),
            Conv(outputs=64),
            Pool(),
            Conv(outputs=128),
            Conv(outputs=128),
            Pool(),
            Conv(outputs=256),
            Conv(outputs=256),
            Dense(outputs=512),
            Dense(outputs=512),
            Dense(outputs=64),
        ),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        summary="convolutional network for 32x32 colour images, up to 64 classes",
    )


def _lfc(activation_bits: int) -> Topology:
    return Topology(
        name=f"lfcW1A{activation_bits}",
        input=Input(height=28, width=28, channels=1, bits=1),
        layers=(Dense(outputs=1024), Dense(outputs=1024), Dense(outputs=1024), Dense(outputs=64)),
        weight_bits=1,
        activation_bits=activation_bits,
        output="bits",
        summary="fully connected network for 28x28 black and white images, up to 64 classes",
    )


TOPOLOGIES = {topology.name: topology for topology in (_cnv(1, 1), _cnv(1, 2), _cnv(2, 2), _lfc(1), _lfc(2))}

_CNV_W1 = Folding.of((16, 3), (32, 32), (16, 32), (16, 32), (4, 32), (1, 32), (1, 4), (1, 8), (4, 1))
_CNV_W2 = Folding.of((8, 3), (16, 16), (8, 16), (8, 16), (4, 8), (1, 8), (1, 2), (2, 2), (4, 1))
_LFC = Folding.of((32, 64), (64, 32), (32, 64), (16, 8))

# The foldings of the published accelerators, which also fix the order of words in a binparam directory.
FOLDINGS = {
    "cnvW1A1": _CNV_W1,
    "cnvW1A2": _CNV_W1,
    "cnvW2A2": _CNV_W2,
    "lfcW1A1": _LFC,
    "lfcW1A2": _LFC,
}


@hookimpl
def bnncore_topology(name: str) -> Topology | None:
    """Return one of the five."""
    return TOPOLOGIES.get(name)
