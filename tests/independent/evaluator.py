"""What a network gives, computed by another library: torch's convolutions, pools and products.

It shares nothing with ``bnnhw.reference`` but the records of a topology and its parameters: neither its code, nor
numpy's views of windows, nor what ``bnnhw.topology`` derives for each layer. ``test_published`` holds it to the
original's answers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Input, Pool

torch = pytest.importorskip("torch", reason="the independent evaluation runs on torch")

__all__ = ["independent_scores"]

# float64 [N, channels, height, width]: whole numbers, far below 2**53, so that every sum is exact.
Map = Any


def independent_scores(network: Network, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return int32 [N, outputs] for uint8 [N, *input shape], by BNN-PYNQ's rules."""
    topology = network.topology
    values = _encoded(topology.input, batch)
    parameters = iter(network.layers)
    first = True
    for layer in topology.layers:
        if isinstance(layer, Pool):
            values = torch.nn.functional.max_pool2d(values, layer.size, layer.stride)
            continue
        mine = next(parameters)
        bits = topology.input.bits if first else topology.activation_bits
        if isinstance(layer, Conv) and layer.padding:
            # Beyond the border lies 0, or what stands for 0 where a value has one bit.
            values = torch.nn.functional.pad(values, (layer.padding,) * 4, value=-1 if bits == 1 else 0)
        if bits == 8:
            # A threshold's unit is half of a pixel's.
            accumulators = 2 * _product(layer, _weights(layer, mine, values), values)
        elif topology.weight_bits == topology.activation_bits == 1:
            accumulators = _agreements(layer, _weights(layer, mine, values), values)
        else:
            accumulators = _product(layer, _weights(layer, mine, values), values)
        fired = sum(
            (accumulators > torch.from_numpy(threshold.astype(np.float64)).reshape(-1, 1, 1)).double()
            for threshold in mine.thresholds.T
        )
        values = accumulators if mine.thresholds.size == 0 else fired
        if layer is not topology.layers[-1]:
            values = 2 * fired - 1 if topology.activation_bits == 1 else fired - 1
        first = False
    scores = values.flatten(1)
    assert bool((scores == scores.round()).all())
    return np.asarray(scores.numpy().astype(np.int32))


def _encoded(given: Input, batch: npt.NDArray[np.uint8]) -> Map:
    """Return 2v/255 - 1 rounded half up to 1/128 and saturated, or its sign, from exact fractions."""
    bytes_ = (
        torch.from_numpy(batch.copy())
        .reshape(-1, given.height, given.width, given.channels)
        .permute(0, 3, 1, 2)
    )
    # In units of 1/128, times 255: 128 * (2v - 255), an integer.
    scaled = 128 * (2 * bytes_.long() - 255)
    if given.bits == 1:
        return torch.where(scaled >= 0, 1.0, -1.0).double()
    # Half up: floor(x + 1/2).
    return torch.div(2 * scaled + 255, 510, rounding_mode="floor").clamp(-128, 127).double()


def _weights(layer: Conv | Dense, mine: LayerParameters, values: Map) -> Map:
    """Return the weights as torch has them, channels before rows and columns; a dense layer is one large window."""
    channels, height, width = values.shape[1:]
    size = (layer.kernel, layer.kernel) if isinstance(layer, Conv) else (height, width)
    stored = torch.from_numpy(mine.weights.astype(np.float64))
    return stored.reshape(layer.outputs, *size, channels).permute(0, 3, 1, 2).contiguous()


def _product(layer: Conv | Dense, weights: Map, values: Map) -> Map:
    stride = layer.stride if isinstance(layer, Conv) else 1
    return torch.nn.functional.conv2d(values, weights, stride=stride)


def _agreements(layer: Conv | Dense, weights: Map, values: Map) -> Map:
    """Return how many inputs equal their weights: both +1, or both -1."""
    both_high = _product(layer, (weights > 0).double(), (values > 0).double())
    return both_high + _product(layer, (weights < 0).double(), (values < 0).double())
