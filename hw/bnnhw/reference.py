"""The exact reference: what every backend must return, integer for integer.

Plain numpy, written to be read beside docs/reference/bnn-pynq-parameters.md. Activations are held as the
numbers they stand for (-1, 0, +1, or q of a pixel), and a layer is one matrix product.

The products run in floating point, which is where numpy is fast, and are exact all the same: every
partial sum is an integer below 2**24 (float32) or 2**53 (float64).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bnnhw.executor import checked_batch
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Input, MatrixStage, PoolStage, stages

__all__ = ["NumpyExecutor", "encode", "output_words", "scores"]

Array = npt.NDArray[Any]

# Bounds the memory of the unfolded windows of one chunk of images, and of weights as floating point.
_CHUNK_ELEMENTS = 2**23

# Bounds the time of one call of numpy, during which Python heeds no signal, Ctrl-C among them: multiplications of a
# product, or comparisons of a pool.
_STEP = 2**26


def scores(network: Network, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Evaluate a network.

    Args:
        network: topology and parameters.
        batch: uint8 [N, *input shape], values 0..255; N may be 0.

    Returns:
        int32 [N, outputs]. With output ``"scores"`` the last layer's accumulators in its unit
        (popcount, signed sum, or pixels); with ``"bits"`` 0 or 1 an output.

    Raises:
        InputError: if the batch has another dtype or shape.
    """
    topology = network.topology
    batch = checked_batch(topology.input, batch)
    result = np.empty((len(batch), topology.outputs), np.int32)
    step = max(1, _CHUNK_ELEMENTS // max(_window_elements(stage) for stage in stages(topology)))
    for start in range(0, len(batch), step):
        result[start : start + step] = _evaluate(network, batch[start : start + step])
    return result


def encode(given: Input, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Turn bytes into what the first layer multiplies: float32 [N, height, width, channels].

    A byte becomes the number that ``Input.values`` has for it; see
    docs/reference/bnn-pynq-preprocessing.md#pixel-values.
    """
    table = np.array(given.values, np.float32)
    # Every byte is an index; only "raise", the default, would look at each before.
    return np.take(table, batch.reshape(-1, given.height, given.width, given.channels), mode="clip")


def output_words(bits: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Pack output bits [N, up to 64] into one word an image, class k at bit k.

    See docs/reference/bnn-pynq-parameters.md#output-words.
    """
    weights = np.uint64(1) << np.arange(bits.shape[1], dtype=np.uint64)
    words: npt.NDArray[np.uint64] = (bits.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)
    return words


def _evaluate(network: Network, batch: npt.NDArray[np.uint8]) -> Array:
    values: Array = encode(network.topology.input, batch)
    for stage in stages(network.topology):
        if isinstance(stage, PoolStage):
            values = _pool(stage, values)
            continue
        parameters = network.layers[stage.number]
        accumulators = _accumulate(stage, parameters, values)
        if stage.thresholds == 0:
            return accumulators.reshape(len(batch), -1)
        fired = np.zeros(accumulators.shape, np.int8)
        for threshold in parameters.thresholds.T:
            fired += accumulators > threshold
        last = stage.number == len(network.layers) - 1
        if last:
            return fired.reshape(len(batch), -1).astype(np.int32)
        # Of a large map, both at once take as much as all else.
        del accumulators
        # One threshold gives -1 or +1, two give -1, 0 or +1.
        values = (2 * fired - 1 if stage.thresholds == 1 else fired - 1).astype(np.float32)
    raise AssertionError("a topology ends with a matrix stage")


def _accumulate(stage: MatrixStage, parameters: LayerParameters, values: Array) -> Array:
    """Return int32 [N, height, width, outputs] in the stage's unit."""
    layer = stage.layer
    if isinstance(layer, Conv):
        if layer.padding:
            sides = (layer.padding, layer.padding)
            values = np.pad(values, ((0, 0), sides, sides, (0, 0)), constant_values=stage.blank)
        # Fan-in order is kernel row, kernel column, channel.
        windows = _windows(values, layer.kernel, layer.stride).transpose(0, 1, 2, 4, 5, 3)
    else:
        windows = values[:, None, None]
    exact = np.float32 if stage.largest_sum + stage.offset < 2**24 else np.float64
    accumulators = np.empty((len(values), *stage.output_shape), np.int32)
    some = max(1, _CHUNK_ELEMENTS // stage.fan_in)
    for first in range(0, layer.outputs, some):
        outputs = slice(first, first + some)
        weights = parameters.weights[outputs].T.astype(exact)
        for block in _blocks(
            accumulators.shape[:3], min(_STEP // weights.size, _CHUNK_ELEMENTS // stage.fan_in)
        ):
            columns = windows[block].reshape(-1, stage.fan_in)
            sums = columns.astype(exact, copy=False) @ weights
            sums += stage.offset
            sums /= stage.unit
            part = accumulators[block][..., outputs]
            part[...] = sums.reshape(part.shape)
    return accumulators


def _pool(stage: PoolStage, values: Array) -> Array:
    windows = _windows(values, stage.layer.size, stage.layer.stride)
    largest = np.empty((len(values), *stage.output_shape), values.dtype)
    for block in _blocks(largest.shape[:3], _STEP // (stage.layer.size**2 * stage.output_shape[2])):
        largest[block] = windows[block].max(axis=(-2, -1))
    return largest


def _blocks(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield slices of images, rows and columns that cover a map, with so many positions each at most, or one."""
    images, height, width = shape
    steps = most // (height * width), min(height, most // width), min(width, most)
    across, down, along = (max(1, step) for step in steps)
    for image in range(0, images, across):
        for row in range(0, height, down):
            for column in range(0, width, along):
                yield slice(image, image + across), slice(row, row + down), slice(column, column + along)


def _windows(values: Array, size: int, stride: int) -> Array:
    """Return a view [N, rows, columns, channels, size, size] of all windows of a map."""
    view = np.lib.stride_tricks.sliding_window_view(values, (size, size), axis=(1, 2))
    return view[:, ::stride, ::stride]


def _window_elements(stage: MatrixStage | PoolStage) -> int:
    height, width, channels = stage.output_shape
    window = stage.fan_in if isinstance(stage, MatrixStage) else stage.layer.size**2 * channels
    return height * width * max(window, channels)


class NumpyExecutor:
    """Run a network with the reference; the backend that works everywhere."""

    name = "numpy"

    def __init__(self, network: Network) -> None:
        self._network = network

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 [N, outputs]; see ``bnnhw.reference.scores``."""
        return scores(self._network, batch)

    def close(self) -> None:
        """Do nothing: there is no device to release."""
