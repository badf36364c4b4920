"""A trained network as a chain of layers, and the integer network that it is.

Numbers are those of the training framework: pixels as q / 128, weights and activations as the numbers they
stand for, batch normalisation in floating point.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt
from attrs import evolve, frozen
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Input, MatrixStage, Pool, Topology, first_difference, matrix_stages

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.errors import BnnError
from bnncore.thresholds.absorb import AffineStep, Normalisation, absorb_layer, absorb_pooled_layer
from bnncore.thresholds.padding import padded

__all__ = ["ChainLayer", "ImportRefused", "Scaling", "Step", "build_network", "quantized"]


# Each takes fractions of some thousand digits at worst; BinaryNet's largest network has 12,298.
_MOST_NEURONS = 2**14


class ImportRefused(BnnError):
    """A trained network that no integer network here is equal to; the message says why."""


@frozen(kw_only=True, eq=False)
class Step:
    """What follows the sums of a layer: batch normalisation, then a step to few bits.

    Attributes:
        norm: in the units of training.
        bits: 1 for -1 and +1 (+1 from 0 on), 2 for -1, 0 and +1 (rounded).
        halves_up: with two bits, halves are rounded up; else to even.
    """

    norm: Normalisation
    bits: int
    halves_up: bool = False


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
        pools_first: the pools are between the sums and the normalisation instead.
    """

    weights: npt.NDArray[np.int8]
    after: Union[Step, Scaling]
    stride: int = 1
    padding: int = 0
    pools: tuple[tuple[int, int], ...] = ()
    pools_first: bool = False


def quantized(
    weights: npt.NDArray[Any], bits: int, where: str, *, halves_up: bool = False
) -> npt.NDArray[np.int8]:
    """Return the integers that a training framework multiplies by.

    One bit: +1 from 0 on, else -1. Two bits: rounded, halves to even, and cut to -1 to +1.

    Args:
        weights: real numbers.
        bits: 1 or 2.
        where: their place, for messages.
        halves_up: halves are rounded up instead.

    Raises:
        ImportRefused: if a weight is not finite: it stands for no integer.
    """
    if not np.isfinite(weights).all():
        raise ImportRefused(f"{where}: not all numbers are finite; the training has diverged")
    if bits == 1:
        # In int8 from the start: a file of some megabytes may hold as many weights.
        signs: npt.NDArray[np.int8] = np.where(weights >= 0, np.int8(1), np.int8(-1))
        return signs
    if halves_up:
        # Compared and not added to: 0.49999997 + 0.5 is 1 in float32.
        return (weights >= 0.5).astype(np.int8) - (weights < -0.5).astype(np.int8)
    rounded: npt.NDArray[np.int8] = np.clip(np.rint(weights), -1, 1).astype(np.int8)
    return rounded


def build_network(
    name: str,
    given: Input,
    layers: Sequence[ChainLayer],
    classes: int,
    *,
    precision: tuple[int, int] | None = None,
    wanted: Topology | None = None,
) -> Network:
    """Return the integer network that answers as the chain does.

    If one of BNN-PYNQ's networks has the same layers, the result is that network, with the outputs beyond
    the classes padded as there.

    Args:
        name: of the topology, if it is none of the known ones.
        given: the input.
        layers: in order; the last has a ``Scaling``, and the network yields scores, or a ``Step`` to one bit, and
            it yields bits.
        classes: rows of the last layer.
        precision: bits of weights and of hidden activations; without it, those that the layers show.
        wanted: the topology that must come of it, with as many outputs or more.

    Raises:
        ImportRefused: if something in the chain has no equal here, or is another topology than wanted.
        TopologyError: if the layers do not fit together.
    """
    _check_ends(layers)
    steps = [layer.after for layer in layers[:-1] if isinstance(layer.after, Step)]
    bits = {step.bits for step in steps}
    if len(bits) > 1:
        raise ImportRefused("some activations have one bit and others two; a topology here has one width")
    shown = (
        1 if all((np.abs(layer.weights) == 1).all() for layer in layers) else 2,
        bits.pop() if bits else 1,
    )
    weight_bits, activation_bits = precision or shown
    topology = Topology(
        name=name,
        input=given,
        layers=[record for layer in layers for record in _records(layer)],
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        output="scores" if isinstance(layers[-1].after, Scaling) else "bits",
    )
    stages = matrix_stages(topology)
    neurons = sum(stage.outputs for stage in stages)
    if neurons > _MOST_NEURONS:
        raise ImportRefused(f"{neurons} neurons; networks of up to {_MOST_NEURONS} are imported")
    for stage, layer in zip(stages, layers):
        if layer.padding and stage.input_bits == 1:
            raise ImportRefused(
                f"layer {stage.number} pads one-bit activations with 0, which one bit does not hold"
            )
    parameters = _absorbed(stages, layers)
    known = _known(topology, classes, [wanted] if wanted else TOPOLOGIES.values())
    if known is not None:
        parameters[-1] = padded(parameters[-1], known.outputs, weight_bits)
    elif wanted is not None:
        raise ImportRefused(f"it is not {wanted.name!r}: {first_difference(wanted, topology)}")
    return Network(topology=known or topology, layers=tuple(parameters))


def _check_ends(layers: Sequence[ChainLayer]) -> None:
    steps = [layer.after for layer in layers]
    last = steps.pop() if steps else None
    if isinstance(last, Step) and last.bits == 1:
        steps.append(last)
    elif not isinstance(last, Scaling):
        raise ImportRefused("expected a normalisation and a step after every layer but the last")
    elif not np.isfinite(last.factor) or last.factor == 0:
        raise ImportRefused(
            f"the last layer is scaled by {last.factor}, which leaves no order among the classes"
        )
    if layers[-1].pools or not all(isinstance(step, Step) for step in steps):
        raise ImportRefused("expected a normalisation and a step after every layer but the last")
    for step in steps:
        if isinstance(step, Step) and isinstance(step.norm, AffineStep) and not np.isfinite(step.norm.epsilon):
            raise ImportRefused("expected a finite epsilon in every normalisation, found NaN or infinity")


def _records(layer: ChainLayer) -> list[Conv | Dense | Pool]:
    outputs = len(layer.weights)
    first: Conv | Dense = Dense(outputs=outputs)
    if layer.weights.ndim == 4:
        height, width = layer.weights.shape[2:]
        if height != width:
            raise ImportRefused(f"a convolution with a window of {height}x{width}; only square ones exist here")
        first = Conv(outputs=outputs, kernel=height, stride=layer.stride, padding=layer.padding)
    return [first, *(Pool(size=size, stride=stride) for size, stride in layer.pools)]


def _absorbed(stages: Sequence[MatrixStage], layers: Sequence[ChainLayer]) -> list[LayerParameters]:
    parameters = []
    # Channels that come in as minus what they were in training.
    inverted: npt.NDArray[np.bool_] | None = None
    for stage, layer in zip(stages, layers):
        weights = _logical(stage, layer.weights)
        if inverted is not None:
            # Channels are fastest.
            weights.reshape(len(weights), -1, len(inverted))[:, :, inverted] *= -1
        inverted = None
        if not isinstance(layer.after, Step):
            # A negative factor reverses the order of the classes, and so do negative weights.
            weights = weights if layer.after.factor > 0 else -weights
            parameters.append(
                LayerParameters(weights=weights, thresholds=np.zeros((len(weights), 0), np.int32))
            )
            continue
        norm, halves_up = layer.after.norm, layer.after.halves_up
        if layer.pools and layer.pools_first:
            absorbed, inverted = absorb_pooled_layer(stage, weights, norm, halves_up=halves_up)
        else:
            absorbed = absorb_layer(stage, weights, norm, halves_up=halves_up)
        parameters.append(absorbed)
    return parameters


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
    # A copy, since channels may be turned around.
    return np.array(weights.transpose(0, 2, 3, 1).reshape(len(weights), -1), order="C")


def _known(topology: Topology, classes: int, candidates: Iterable[Topology]) -> Topology | None:
    """Return the first candidate that differs by no more than the number of outputs."""
    for known in candidates:
        if classes <= known.outputs and known.output == topology.output:
            widened = evolve(topology, layers=(*topology.layers[:-1], Dense(outputs=known.outputs)))
            if widened.digest == known.digest:
                return known
    return None
