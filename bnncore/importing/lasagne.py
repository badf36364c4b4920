"""Networks that BNN-PYNQ's and BinaryNet's training scripts saved: ``numpy.savez`` of Lasagne's parameters.

Arrays ``arr_0``, ``arr_1``, … in the order of the layers; for each, its weights, perhaps a bias, and batch
normalisation: shift (beta), scale (gamma), mean, and the inverse of the standard deviation. Nothing in the file says
how wide weights and activations are, where pools are, or what the pixels were: the caller says the widths, and the
rest is that of BNN-PYNQ's networks, or of a topology that the caller names.

Source: ``bnn/src/training`` of https://github.com/Xilinx/BNN-PYNQ, ``lfc.py``, ``cnv.py`` and ``quantization.py``, and
``Train-time`` of https://github.com/MatthieuCourbariaux/BinaryNet. docs/reference/lasagne-parameters.md has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import isqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from attrs import frozen
from bnnhw.network import Network
from bnnhw.topology import Conv, Dense, Input, Pool, Topology

from bnncore.errors import BnnError, ParameterError
from bnncore.files import read_limited
from bnncore.formats.archive import open_archive
from bnncore.importing.chain import ChainLayer, ImportRefused, Scaling, Step, build_network, quantized
from bnncore.importing.precision import parse_precision
from bnncore.importing.recognition import MOST_BYTES
from bnncore.spelling import argument
from bnncore.thresholds.absorb import InverseStep

__all__ = ["Pooling", "from_arrays", "read_lasagne"]

Array = npt.NDArray[Any]
Pooling = Literal["sums", "activations"]

_NAME = re.compile(r"arr_(0|[1-9][0-9]{0,3})")
_NORM = ("beta", "gamma", "mean", "inverse deviation")
# Sides that pictures of a convolutional network are tried with, BNN-PYNQ's first.
_SIDES = (32, 28)


@frozen(kw_only=True, eq=False)
class _Layer:
    """What belongs to one layer; weights are [outputs, channels, row, column] or [outputs, inputs].

    Attributes:
        where: name of the array of weights.
        bias: all 0 where the file has none.
        norm: beta, gamma, mean and inverse deviation, as they are.
    """

    where: str
    weights: Array
    bias: Array
    norm: tuple[Array, ...]

    @property
    def outputs(self) -> int:
        return len(self.weights)

    @property
    def has_scalar_norm(self) -> bool:
        """Whether one normalisation holds for all outputs."""
        return all(values.ndim == 0 for values in self.norm)


def read_lasagne(
    path: Path, precision: str, topology: Topology | None = None, *, pooling: Pooling = "sums"
) -> Network:
    """Read an ``.npz`` of Lasagne's parameters; see ``from_arrays``.

    Raises:
        BnnError: if the file cannot be read, or holds other arrays.
        ImportRefused: see ``from_arrays``.
    """
    data = read_limited(path, MOST_BYTES, BnnError, "the limit for a network")
    with open_archive(data, str(path)) as archive:
        numbers = [match and int(match[1]) for match in map(_NAME.fullmatch, archive.names)]
        if not numbers or sorted(number for number in numbers if number is not None) != list(
            range(len(numbers))
        ):
            raise ParameterError(
                f"{path}: expected the arrays of Lasagne's parameters, arr_0, arr_1 and so on without a gap"
            )
        arrays = [archive.array(f"arr_{number}", any_order=True) for number in range(len(numbers))]
    try:
        return from_arrays(arrays, precision, topology, pooling=pooling)
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from error


def from_arrays(
    arrays: Sequence[Array], precision: str, topology: Topology | None = None, *, pooling: Pooling = "sums"
) -> Network:
    """Return the integer network that decides as the trained one does, for every picture.

    Weights become their signs, 0 counting as +1, or are rounded to -1, 0 and +1, halves up; so are activations
    after the normalisation. If the last normalisation has a number for each class, the network yields one bit a
    class, set where its value is not negative, as BNN-PYNQ's LFC; if it is one for all classes, scores, as CNV.

    Without a topology, a network of dense layers alone sees square pictures of one bit a pixel; one that begins
    with convolutions sees pictures of 32x32 in 8 bits, pads nothing, and has pools of 2x2 where the layer that
    follows has more channels. Those are the rules that BNN-PYNQ's networks go by.

    Args:
        arrays: as ``lasagne.layers.get_all_param_values`` returns them: weights float [outputs, channels, row, column]
            of a convolution, [inputs, outputs] of a dense layer, whose inputs are in the order channel, row, column;
            then bias, where there is one, beta, gamma, mean and inverse deviation, [outputs] each, or of the
            last layer numbers for all classes.
        precision: ``W1A1``, ``W1A2`` or ``W2A2``: bits of weights and activations.
        topology: what the network is; its last layer may have more outputs than there are classes.
        pooling: what maximum pools were over in training: ``sums``, before the normalisation, as in the two
            projects' scripts, or ``activations``. They differ where a gamma is negative.

    Raises:
        ImportRefused: if the arrays are no such network, hold numbers that are not finite, or do not fit the topology.
        TopologyError: if the layers do not fit together.
    """
    weight_bits, activation_bits = parse_precision(precision)
    if topology is not None and topology.precision != precision:
        raise ImportRefused(
            f"topology {topology.name!r} is {topology.precision}, but {argument('precision', precision)} is asked for"
        )
    layers = _grouped(arrays)
    given, pools = _described(layers, topology) if topology else _guessed(layers)
    chain = []
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        record = pools[number].record
        chain.append(
            ChainLayer(
                weights=quantized(layer.weights, weight_bits, layer.where, halves_up=True),
                after=_after(layer, 1 if last else activation_bits, last=last),
                stride=record.stride if record else 1,
                padding=record.padding if record else 0,
                pools=pools[number].pools,
                pools_first=pooling == "sums",
            )
        )
    kind = "cnn" if layers[0].weights.ndim == 4 else "mlp"
    return build_network(
        f"{kind}{precision}",
        given,
        chain,
        layers[-1].outputs,
        precision=(weight_bits, activation_bits),
        wanted=topology,
    )


def _grouped(arrays: Sequence[Array]) -> list[_Layer]:
    starts = [number for number, array in enumerate(arrays) if array.ndim > 1]
    if not starts or starts[0] != 0:
        raise ImportRefused("expected weights first, as Lasagne orders parameters")
    if len(arrays) > 1 and all(array.ndim > 1 for array in arrays):
        raise ImportRefused("expected a normalisation after every layer, found weights alone")
    layers = []
    for start, end in pairwise([*starts, len(arrays)]):
        where, follow = f"arr_{start}", arrays[start + 1 : end]
        weights = _plain(arrays[start], where)
        if weights.ndim not in (2, 4) or 0 in weights.shape:
            raise ImportRefused(f"{where}: expected weights of 2 or 4 dimensions, found {list(weights.shape)}")
        if weights.ndim == 2:
            weights = weights.T
        if len(follow) not in (4, 5):
            raise ImportRefused(
                f"{where}: expected 5 arrays after the weights (bias, beta, gamma, mean, inverse deviation), or 4 "
                f"without the bias, found {len(follow)}"
            )
        values = [
            _vector(array, f"arr_{start + 1 + place}", len(weights), last=end == len(arrays))
            for place, array in enumerate(follow)
        ]
        *biases, beta, gamma, mean, inverse = values
        if (inverse < 0).any():
            raise ImportRefused(f"arr_{end - 1}: expected the inverse of a deviation, found a negative number")
        bias = biases[0] if biases else np.zeros(len(weights))
        norm = (beta, gamma, mean, inverse)
        if len({each.ndim for each in norm}) > 1:
            raise ImportRefused(f"{where}: expected beta, gamma, mean and inverse deviation of one shape")
        layers.append(_Layer(where=where, weights=weights, bias=np.broadcast_to(bias, len(weights)), norm=norm))
    return layers


def _plain(array: Array, where: str) -> Array:
    """Refuse numbers that float64 does not hold exactly."""
    if array.dtype.itemsize > 8 or array.dtype.kind not in "buif":
        raise ImportRefused(f"{where}: expected numbers of up to 64 bits, found {array.dtype}")
    return array


def _vector(array: Array, where: str, outputs: int, *, last: bool) -> npt.NDArray[np.float64]:
    if last and array.shape == (1,) != (outputs,):
        array = array.reshape(())
    allowed: list[tuple[int, ...]] = [(outputs,), *([()] if last else [])]
    if array.shape not in allowed:
        raise ImportRefused(
            f"{where}: expected {outputs} numbers, as the weights before it, found {list(array.shape)}"
        )
    values: npt.NDArray[np.float64] = _plain(array, where).astype(np.float64)
    if not np.isfinite(values).all():
        raise ImportRefused(f"{where}: not all numbers are finite; the training has diverged")
    return values


def _after(layer: _Layer, bits: int, *, last: bool) -> Step | Scaling:
    beta, gamma, mean, inverse = layer.norm
    if last and layer.has_scalar_norm:
        if (layer.bias != layer.bias[0]).any():
            raise ImportRefused(
                f"{layer.where}: scores with a bias for each class; expected none beside one normalisation for all"
            )
        # Only the sign matters, and the product of the two could vanish.
        return Scaling(factor=float(np.sign(gamma) * np.sign(inverse)))
    norm = InverseStep(bias=layer.bias, mean=mean, inverse=inverse, scale=gamma, shift=beta)
    return Step(norm=norm, bits=bits, halves_up=True)


@frozen(kw_only=True)
class _Place:
    """What a file does not say of one layer: its convolution's stride and padding, and the pools that follow it."""

    record: Conv | None = None
    pools: tuple[tuple[int, int], ...] = ()


def _described(layers: list[_Layer], topology: Topology) -> tuple[Input, list[_Place]]:
    """Take over a topology's input, strides, padding and pools."""
    places: list[tuple[Conv | Dense, list[tuple[int, int]]]] = []
    for record in topology.layers:
        if isinstance(record, Pool):
            places[-1][1].append((record.size, record.stride))
        else:
            places.append((record, []))
    if len(places) != len(layers):
        raise ImportRefused(
            f"it has {len(layers)} layers with weights, topology {topology.name!r} has {len(places)}"
        )
    for layer, (record, _) in zip(layers, places):
        if (layer.weights.ndim == 4) != isinstance(record, Conv):
            raise ImportRefused(
                f"{layer.where}: weights of {layer.weights.ndim} dimensions, where topology {topology.name!r} has a "
                f"{type(record).__name__}"
            )
    return topology.input, [
        _Place(record=record if isinstance(record, Conv) else None, pools=tuple(pools))
        for record, pools in places
    ]


def _guessed(layers: list[_Layer]) -> tuple[Input, list[_Place]]:
    first = layers[0].weights
    windows = sum(layer.weights.ndim == 4 for layer in layers)
    if any(layer.weights.ndim == 4 for layer in layers[windows:]) or windows == len(layers):
        raise ImportRefused("expected convolutions first, and at least one dense layer after them")
    if not windows:
        return _picture_of(first.shape[1]), [_Place()] * len(layers)
    inputs = layers[windows].weights.shape[1]
    places = []
    for layer, following in pairwise(layers):
        grows = layer.weights.ndim == following.weights.ndim == 4 and layer.outputs < following.outputs
        places.append(_Place(pools=((2, 2),) if grows else ()))
    places.append(_Place())
    found = []
    for side in _SIDES:
        left = side
        for layer, place in zip(layers[:windows], places):
            left = left - layer.weights.shape[2] + 1
            left = left // 2 if place.pools else left
        found.append(max(0, left) ** 2 * layers[windows - 1].outputs)
        if found[-1] == inputs:
            return Input(height=side, width=side, channels=first.shape[1], bits=8), places
    raise ImportRefused(
        f"{layers[windows].where}: {inputs} inputs after the convolutions, expected {found[0]} of a picture of "
        f"{_SIDES[0]}x{_SIDES[0]} without padding, with a pool of 2x2 before each convolution of more channels; name "
        f"a topology that says it with {argument('topology')}. One-bit activations that are padded with 0, as in "
        "BinaryNet's cifar10.py, have no equal here"
    )


def _picture_of(inputs: int) -> Input:
    """Return the picture of so many numbers: a square, grey or in three colours, else one row."""
    for channels in (1, 3):
        side = isqrt(inputs // channels)
        if side * side * channels == inputs:
            return Input(height=side, width=side, channels=channels, bits=1)
    return Input(height=1, width=inputs, bits=1)
