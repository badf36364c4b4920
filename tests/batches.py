"""Random images for networks, as bytes. Needs no hypothesis, so that the tests beside pynq can have them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Topology

__all__ = ["random_batch"]

# Where the encodings of a byte change: its upper half, and where q saturates.
_EDGES = np.array([0, 1, 126, 127, 128, 129, 254, 255], np.uint8)


def random_batch(topology: Topology, count: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return uint8 [count, *input shape]; half the values lie at the edges of the encodings."""
    rng = np.random.default_rng(seed)
    shape = (count, *topology.input.shape)
    edges = rng.choice(_EDGES, shape)
    return np.where(rng.random(shape) < 0.5, edges, rng.integers(0, 256, shape, np.uint8))
