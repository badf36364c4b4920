"""A trained network as a chain of layers, and the integer network that it is.

Numbers are those of the training framework: pixels as q / 128, weights and activations as the numbers they
stand for, batch normalisation in floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt
from attrs import evolve, frozen
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Input, MatrixStage, Pool, Topology, matrix_stages

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.errors import BnnError
from bnncore.thresholds.absorb import AffineStep, absorb_layer
from bnncore.thresholds.padding import padded

__all__ = ["ChainLayer", "ImportRefused", "Scaling", "Step", "build_network", "quantized"]


class ImportRefused(BnnError):
    """A trained network that no integer network here is equal to; the message says why."""


@frozen(kw_only=True, eq=False)
class Step:
    """What follows the sums of a hidden layer: batch normalisation, then a step to few bits.

    Attributes:
        norm: in the units of training.
        bits: 1 for -1 and +1 (+1 from 0 on), 2 for -1, 0 and +1 (rounded, halves to even).
    """

    norm: AffineStep
    bits: int


@frozen(kw_only=True, eq=False)
class Scaling:
    """What follows the sums of the last layer: one factor for all classes, which only orders them."""

    factor: float


@frozen(kw_only=True, eq=False)
class ChainLayer:
    """A layer with weights, and what follows it.

    Attributes:
        weights: int8 [outputs, channels, row, column] of a convolution, [outputs, inputs] of a dense layer,
            whose inputs are in the order channel, row, column, as PyTorch flattens a map.
        stride, padding: of a convolution.
        after: a step, or the scaling of the last layer.
        pools: (size, stride) of the maximum pools after the step.
    """

    weights: npt.NDArray[np.int8]
    after: Union[Step, Scaling]
    stride: int = 1
    padding: int = 0
    pools: tuple[tuple[int, int], ...] = ()


def quantized(weights: npt.NDArray[Any], bits: int, where: str) -> npt.NDArray[np.int8]:
    """Return the integers that a training framework multiplies by.

    One bit: +1 from 0 on, else -1. Two bits: rounded, halves to even, and cut to -1 to +1.

    Args:
        weights: real numbers.
        bits: 1 or 2.
        where: their place, for messages.

    Raises:
        ImportRefused: if a weight is not finite: it stands for no integer.
    """
    if not np.isfinite(weights).all():
        raise ImportRefused(f"{where}: not all numbers are finite; the training has diverged")
    if bits == 1:
        return np.where(weights >= 0, 1, -1).astype(np.int8)
    rounded: npt.NDArray[np.int8] = np.clip(np.rint(weights), -1, 1).astype(np.int8)
    return rounded


def build_network(name: str, given: Input, layers: Sequence[ChainLayer], classes: int) -> Network:
    """Return the integer network that answers as the chain does.

    If one of BNN-PYNQ's networks has the same layers, the result is that network, with the outputs beyond
    the classes padded as there.

    Args:
        name: of the topology, if it is none of the known ones.
        given: the input.
        layers: in order; the last has a ``Scaling``.
        classes: rows of the last layer.

    Raises:
        ImportRefused: if something in the chain has no equal here.
        TopologyError: if the layers do not fit together.
    """
    steps = [layer.after for layer in layers[:-1]]
    last = layers[-1].after
    if not isinstance(last, Scaling) or not all(isinstance(step, Step) for step in steps):
        raise ImportRefused("expected a normalisation and a step after every layer but the last")
    if not all(np.isfinite(step.norm.epsilon) for step in steps if isinstance(step, Step)):
        raise ImportRefused("expected a finite epsilon in every normalisation, found NaN or infinity")
    if not np.isfinite(last.factor) or last.factor == 0:
        raise ImportRefused(
            f"the last layer is scaled by {last.factor}, which leaves no order among the classes"
        )
    bits = {step.bits for step in steps if isinstance(step, Step)}
    if len(bits) > 1:
        raise ImportRefused("some activations have one bit and others two; a topology here has one width")
    activation_bits = bits.pop() if bits else 1
    weight_bits = 1 if all((np.abs(layer.weights) == 1).all() for layer in layers) else 2
    topology = Topology(
        name=name,
        input=given,
        layers=[record for layer in layers for record in _records(layer)],
        weight_bits=weight_bits,
        activation_bits=activation_bits,
    )
    stages = matrix_stages(topology)
    for stage, layer in zip(stages, layers):
        if layer.padding and stage.input_bits == 1:
            raise ImportRefused(
                f"layer {stage.number} pads one-bit activations with 0, which one bit does not hold"
            )
    parameters = [_absorbed(stage, layer) for stage, layer in zip(stages, layers)]
    known = _known(topology, classes)
    if known is not None:
        parameters[-1] = padded(parameters[-1], known.outputs, weight_bits)
    return Network(topology=known or topology, layers=tuple(parameters))


def _records(layer: ChainLayer) -> list[Conv | Dense | Pool]:
    outputs = len(layer.weights)
    first: Conv | Dense = Dense(outputs=outputs)
    if layer.weights.ndim == 4:
        height, width = layer.weights.shape[2:]
        if height != width:
            raise ImportRefused(f"a convolution with a window of {height}x{width}; only square ones exist here")
        first = Conv(outputs=outputs, kernel=height, stride=layer.stride, padding=layer.padding)
    return [first, *(Pool(size=size, stride=stride) for size, stride in layer.pools)]


def _absorbed(stage: MatrixStage, layer: ChainLayer) -> LayerParameters:
    weights = _logical(stage, layer.weights)
    if isinstance(layer.after, Step):
        return absorb_layer(stage, weights, layer.after.norm)
    # A negative factor reverses the order of the classes, and so do negative weights.
    weights = weights if layer.after.factor > 0 else -weights
    return LayerParameters(weights=weights, thresholds=np.zeros((len(weights), 0), np.int32))


def _logical(stage: MatrixStage, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Bring the inputs of each neuron into the order row, column, channel."""
    if weights.ndim == 2:
        height, width, channels = stage.input_shape
        if weights.shape[1] != height * width * channels:
            raise ImportRefused(
                f"layer {stage.number} has {weights.shape[1]} inputs, expected {height * width * channels}"
            )
        weights = weights.reshape(len(weights), channels, height, width)
    elif weights.shape[1] != stage.input_shape[2]:
        raise ImportRefused(
            f"layer {stage.number} has {weights.shape[1]} channels, expected {stage.input_shape[2]}"
        )
    return np.ascontiguousarray(weights.transpose(0, 2, 3, 1).reshape(len(weights), -1))


def _known(topology: Topology, classes: int) -> Topology | None:
    """Return BNN-PYNQ's network that differs by no more than the number of outputs."""
    for known in TOPOLOGIES.values():
        if classes <= known.outputs and known.output == topology.output:
            widened = evolve(topology, layers=(*topology.layers[:-1], Dense(outputs=known.outputs)))
            if widened.digest == known.digest:
                return known
    return None
