"""A network as the C kernels want it: geometry, packed weights, and limits instead of thresholds.

The layouts and what a value ``v`` is for each kind of layer are explained in ``_kernels/layer.h``. What a field may be
one of is given by its name in C, whose value only the compiled module knows: so this module imports without it.
"""

from __future__ import annotations

from typing import Any, Union

import numpy as np
import numpy.typing as npt
from attrs import field, frozen

from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Input, MatrixStage, PoolStage, Topology, stages

__all__ = ["InputPlan", "LayerPlan", "PoolPlan", "plan"]

Array = npt.NDArray[Any]

GROUP = 64
"""Neurons that a kernel handles together; channels in a word."""

# Constants of layer.h and network.h.
BYTES, BITS, TERNARY = "BNN_BYTES", "BNN_BITS", "BNN_TERNARY"
ONE_BIT, TWO_BIT, SCORES, FLAGS = "BNN_ONE_BIT", "BNN_TWO_BIT", "BNN_SCORES", "BNN_FLAGS"
PIXELS, SIGN_BYTES, SIGN_BITS = "BNN_PIXELS", "BNN_SIGN_BYTES", "BNN_SIGN_BITS"

# Bytes of weights that are packed at a time.
_UNPACKED = 2**22

# No value reaches this (2**29 at most; see topology.MAX_FAN_IN), and limits may be negated.
_FAR = 2**30


@frozen
class _Map:
    """How a map of activations lies in memory, in elements (bytes, or words of 64 bits)."""

    start: int
    row: int
    column: int
    image: int


@frozen
class InputPlan:
    """The fields of ``bnn_input``.

    Attributes:
        fields: sizes and distances.
        constants: fields that are one of some constants, by its name in C.
    """

    fields: dict[str, int]
    constants: dict[str, str]


@frozen
class LayerPlan:
    """The fields of ``bnn_layer``, and its arrays.

    Attributes:
        fields: sizes and distances.
        constants: fields that are one of some constants, by its name in C.
        bits: uint64 [planes, outputs, words of a window], or None.
        bytes: int8 [outputs, fan-in], negated weights, or None.
        limits: int32 [1 or 2, groups * 64].
        base: int32 [outputs].
    """

    fields: dict[str, int]
    constants: dict[str, str]
    bits: Array | None = field(eq=False)
    bytes: Array | None = field(eq=False)
    limits: Array = field(eq=False)
    base: Array = field(eq=False)


@frozen
class PoolPlan:
    """The fields of ``bnn_pool``."""

    fields: dict[str, int]


Plan = Union[LayerPlan, PoolPlan]


def plan(network: Network) -> tuple[InputPlan, tuple[Plan, ...]]:
    """Return the input and the stages of a network for the kernels; a 2x2 pool joins its convolution."""
    topology = network.topology
    todo = list(stages(topology))
    given, here = _input(topology)
    plans: list[Plan] = []
    while todo:
        stage = todo.pop(0)
        if isinstance(stage, PoolStage):
            there = _map(topology, stage.output_shape, todo)
            plans.append(_pool(topology, stage, here, there))
        else:
            pool = None
            if stage.number > 0 and todo and _joins(todo[0]):
                pool = todo.pop(0)
            shape = (pool or stage).output_shape
            there = _map(topology, shape, todo) if todo else _Map(0, 0, 0, stage.outputs)
            plans.append(
                _layer(topology, stage, network.layers[stage.number], here, there, shape, pool is not None)
            )
        here = there
    return given, tuple(plans)


def _joins(stage: MatrixStage | PoolStage) -> bool:
    return isinstance(stage, PoolStage) and stage.layer.size == stage.layer.stride == 2


def _border(following: list[MatrixStage | PoolStage]) -> int:
    """Pixels that the next layer wants around its input."""
    layer = following[0].layer
    return layer.padding if isinstance(layer, Conv) else 0


def _input(topology: Topology) -> tuple[InputPlan, _Map]:
    given: Input = topology.input
    row = given.width * given.channels
    fields = {"height": given.height, "row_bytes": row, "border_rows": 0, "border_bytes": 0}
    first = topology.layers[0]
    if isinstance(first, Dense) and given.bits == 1:
        words = -(-given.height * row // 64)
        fields["image"] = words
        return InputPlan(fields, {"encoding": SIGN_BITS}), _Map(0, words, words, words)
    border = first.padding if isinstance(first, Conv) else 0
    padded = row + 2 * border * given.channels
    image = (given.height + 2 * border) * padded
    fields |= {"border_rows": border, "border_bytes": border * given.channels, "image": image}
    encoding = PIXELS if given.bits == 8 else SIGN_BYTES
    return InputPlan(fields, {"encoding": encoding}), _Map(0, padded, given.channels, image)


def _map(topology: Topology, shape: tuple[int, int, int], following: list[MatrixStage | PoolStage]) -> _Map:
    border = _border(following)
    height, width, channels = shape
    column = -(-channels // GROUP) * topology.activation_bits
    row = (width + 2 * border) * column
    return _Map(border * (row + column), row, column, (height + 2 * border) * row)


def _pool(topology: Topology, stage: PoolStage, here: _Map, there: _Map) -> PoolPlan:
    rows, columns, _ = stage.output_shape
    return PoolPlan(
        {
            "ternary": int(topology.activation_bits == 2),
            "size": stage.layer.size,
            "stride": stage.layer.stride,
            "rows": rows,
            "columns": columns,
            "words": here.column,
            "in_row": here.row,
            "in_image": here.image,
            "out_start": there.start,
            "out_row": there.row,
            "out_image": there.image,
        }
    )


def _layer(
    topology: Topology,
    stage: MatrixStage,
    parameters: LayerParameters,
    here: _Map,
    there: _Map,
    shape: tuple[int, int, int],
    pooled: bool,
) -> LayerPlan:
    kind = _kind(stage)
    weights = parameters.weights
    bits = None if kind == BYTES else _planes(stage, weights, topology.weight_bits)
    planes = 1 if bits is None else len(bits)
    # A sum of weight times input is alpha * (inputs that are not zero) - beta * (those that differ).
    alpha, beta = {1: (1, 2), 2: (1, 1), 4: (2, 1)}[planes]
    layer = stage.layer
    if isinstance(layer, Conv):
        segments, pixels, stride = layer.kernel, layer.kernel, layer.stride
    else:
        segments, pixels, stride = 1, stage.input_shape[0] * stage.input_shape[1], 1
    length = pixels * here.column if kind != TERNARY else pixels * here.column // 2
    if kind == BITS and stage.number == 0:
        length = here.image
    fields = {
        "outputs": stage.outputs,
        "groups": -(-stage.outputs // GROUP),
        "planes": planes,
        "alpha": alpha,
        "beta": beta,
        "segments": segments,
        "segment_length": length,
        "in_row": here.row,
        "in_column": here.column * stride,
        "in_line": here.row * stride,
        "in_image": here.image,
        "rows": shape[0],
        "columns": shape[1],
        "pooled": int(pooled),
        "out_start": there.start,
        "out_row": there.row,
        "out_column": there.column,
        "out_image": there.image,
    }
    base, fields["scale"] = _scores(stage, weights, kind, alpha, beta)
    return LayerPlan(
        fields=fields,
        constants={"kind": kind, "result": _result(topology, stage)},
        bits=bits,
        bytes=np.negative(weights) if kind == BYTES else None,
        limits=_limits(stage, parameters, kind, alpha, beta),
        base=base,
    )


def _kind(stage: MatrixStage) -> str:
    if stage.number == 0 and (isinstance(stage.layer, Conv) or stage.sees_pixels):
        return BYTES
    return BITS if stage.input_bits == 1 else TERNARY


def _result(topology: Topology, stage: MatrixStage) -> str:
    if stage.number == len([layer for layer in topology.layers if isinstance(layer, (Conv, Dense))]) - 1:
        return SCORES if topology.output == "scores" else FLAGS
    return ONE_BIT if stage.thresholds == 1 else TWO_BIT


def _planes(stage: MatrixStage, weights: Array, weight_bits: int) -> Array:
    """Return weights as bits: uint64 [planes, outputs, words of a window], unused channels 0.

    Two-bit weights are a sum of planes worth -1/2 or +1/2: two for -1..+1, four where there is a -2.
    """
    levels: tuple[int, ...] = (0,)
    if weight_bits == 2:
        levels = (-1, 0) if weights.min() >= -1 else (-2, -1, 0, 1)
    channels = stage.fan_in if stage.number == 0 else stage.input_shape[2]
    padding = [(0, 0), (0, 0), (0, -channels % GROUP)]
    row = stage.fan_in // channels * -(-channels // GROUP)
    words = np.empty((len(levels), stage.outputs, row), np.uint64)
    # Some neurons at a time: until it is a bit, a weight takes a byte, and so does each channel that is not used.
    step = max(1, _UNPACKED // (row * GROUP))
    for plane, level in zip(words, levels):
        for first in range(0, stage.outputs, step):
            signs = (weights[first : first + step] > level).reshape(-1, stage.fan_in // channels, channels)
            packed = np.packbits(np.pad(signs, padding), axis=-1, bitorder="little")
            plane[first : first + step] = packed.reshape(len(signs), -1).view("<u8")
    return words


def _scores(stage: MatrixStage, weights: Array, kind: str, alpha: int, beta: int) -> tuple[Array, int]:
    """Return base and scale: a score is base - scale * v. Zeros where there are thresholds instead."""
    if stage.thresholds:
        return np.zeros(stage.outputs, np.int32), 0
    start, step = _sums(stage, weights, kind, alpha, beta)
    return ((start + stage.offset) / stage.unit).astype(np.int32), int(step / stage.unit)


def _limits(stage: MatrixStage, parameters: LayerParameters, kind: str, alpha: int, beta: int) -> Array:
    """Return int32 [thresholds or 1, groups * 64]: a threshold fires where v is below its limit."""
    lanes = -(-stage.outputs // GROUP) * GROUP
    limits = np.full((max(1, stage.thresholds), lanes), -_FAR, np.int64)
    if stage.thresholds == 2:
        # Unused neurons are 0: above the lower threshold, not above the upper.
        limits[0] = _FAR
    if stage.thresholds:
        ordered = np.sort(parameters.thresholds.astype(np.int64), axis=1).T
        limits[:, : stage.outputs] = _limit(stage, parameters.weights, ordered, kind, alpha, beta)
    return np.clip(limits, -_FAR, _FAR).astype(np.int32)


def _limit(stage: MatrixStage, weights: Array, threshold: Array, kind: str, alpha: int, beta: int) -> Array:
    # (start - step * v + offset) / unit > threshold, rounded up to a whole v.
    start, step = _sums(stage, weights, kind, alpha, beta)
    limit: Array = -np.floor((threshold * stage.unit - stage.offset - start) / step)
    return limit.astype(np.int64)


def _sums(stage: MatrixStage, weights: Array, kind: str, alpha: int, beta: int) -> tuple[Array, int]:
    """Return start, int64 [outputs], and step: a sum of weight times input is start - step * v."""
    if kind == BITS:
        return np.full(stage.outputs, alpha * stage.fan_in, np.int64), beta
    if kind == TERNARY:
        return np.zeros(stage.outputs, np.int64), 1
    # Bytes hold an input and what makes its least 0.
    return -stage.largest_input * weights.sum(axis=1, dtype=np.int64), 1
