"""Hypothesis strategies for topologies, networks and foldings, small or as wide as kernels want them.

All networks are made by ``bnncore.publishing.random_network``, all images by ``batches``.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from bnnhw.network import Network
from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology, matrix_stages, stages
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bnncore.publishing.random_network import random_network

__all__ = ["SMALL", "WIDE", "Sizes", "foldings", "networks", "seeds", "topologies"]

seeds = st.integers(0, 2**32 - 1)


@frozen(kw_only=True)
class Sizes:
    """What topologies are drawn from.

    Attributes:
        side: of an image.
        channels, kernel, outputs: of an image, a convolution's window, a convolution.
        windows: most convolutions and pools.
        hidden, last: outputs of dense layers.
        operations: the most that the whole may need.
        places: the most positions of a map.
    """

    side: int
    channels: SearchStrategy[int]
    kernel: SearchStrategy[int]
    outputs: SearchStrategy[int]
    windows: int
    hidden: SearchStrategy[int]
    last: SearchStrategy[int]
    operations: int = field(default=2**62)
    places: int = field(default=2**62)


# Small enough for an evaluator in plain Python, and for a test to say what went wrong.
SMALL = Sizes(
    side=7,
    channels=st.integers(1, 4),
    kernel=st.integers(1, 4),
    outputs=st.integers(1, 8),
    windows=3,
    hidden=st.integers(1, 20),
    last=st.integers(1, 20),
)

# Around the 64 channels of a word, the 64 neurons of a group and the four groups that kernels take at a time;
# bounded so that the reference, which unfolds every window, stays quick.
WIDE = Sizes(
    side=14,
    channels=st.sampled_from([1, 3, 2, 5, 64, 70]),
    kernel=st.sampled_from([3, 1, 2, 4, 5, 6, 7]),
    outputs=st.one_of(st.sampled_from([64, 128, 1, 63, 65]), st.integers(1, 140)),
    windows=6,
    hidden=st.one_of(st.integers(1, 200), st.sampled_from([300, 330, 400])),
    last=st.one_of(st.integers(1, 70), st.sampled_from([64, 500, 1000])),
    operations=3_000_000,
    places=2000,
)


@st.composite
def topologies(draw: st.DrawFn, /, sizes: Sizes = SMALL, **fixed: Any) -> Topology:
    """Draw a topology of any kind; ``fixed`` sets ``Topology``'s attributes."""
    given = fixed.pop("input", None) or Input(
        height=draw(st.integers(1, sizes.side)),
        width=draw(st.integers(1, sizes.side)),
        channels=draw(sizes.channels),
        bits=draw(st.sampled_from((1, 8))),
    )
    layers: list[Conv | Pool | Dense] = []
    height, width = given.height, given.width
    for position in range(draw(st.integers(0, sizes.windows))):
        if position and draw(st.booleans()):
            # The pool of 2x2 is the one that kernels join to a convolution.
            size = min(height, width, draw(st.sampled_from((2, 1, 3))))
            pool = Pool(size=size, stride=draw(st.sampled_from((2, 1, 3))))
            height, width = ((side - size) // pool.stride + 1 for side in (height, width))
            layers.append(pool)
            continue
        kernel = draw(sizes.kernel)
        # Padded just enough where the map has become smaller than the window.
        least = max(0, -(-(kernel - min(height, width)) // 2))
        conv = Conv(
            outputs=draw(sizes.outputs),
            kernel=kernel,
            stride=draw(st.integers(1, 3)),
            padding=draw(st.integers(least, kernel - 1)),
        )
        height, width = ((side + 2 * conv.padding - kernel) // conv.stride + 1 for side in (height, width))
        layers.append(conv)
    layers += [Dense(outputs=draw(sizes.hidden)) for _ in range(draw(st.integers(0, 2)))]
    layers.append(Dense(outputs=draw(sizes.last)))
    choices: dict[str, Any] = {
        "name": "drawn",
        "weight_bits": draw(st.integers(1, 2)),
        "activation_bits": draw(st.integers(1, 2)),
        "output": draw(st.sampled_from(("scores", "bits"))),
    }
    topology = Topology(input=given, layers=tuple(layers), **{**choices, **fixed})
    assume(topology.operations <= sizes.operations)
    assume(all(stage.output_shape[0] * stage.output_shape[1] <= sizes.places for stage in stages(topology)))
    return topology


@st.composite
def networks(draw: st.DrawFn, sizes: Sizes = SMALL) -> Network:
    """Draw a topology and fill it, sometimes with extreme thresholds or without weights of -2."""
    return random_network(
        draw(topologies(sizes)),
        draw(seeds),
        extreme=draw(st.sampled_from((0.0, 0.3))),
        lowest=draw(st.sampled_from((-1, -2))),
    )


@st.composite
def foldings(draw: st.DrawFn, topology: Topology) -> Folding:
    """Draw a folding that fits a topology; SIMD need not divide the fan-in."""
    pairs = []
    for stage in matrix_stages(topology):
        divisors = [pe for pe in range(1, stage.outputs + 1) if stage.outputs % pe == 0]
        pairs.append((draw(st.sampled_from(divisors)), draw(st.integers(1, 64 // topology.weight_bits))))
    return Folding.of(*pairs)
