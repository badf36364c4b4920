"""What a network is to a machine: its input, its layers, and what its outputs mean.

Records only. Nothing here needs numpy, so a topology can be described, compared and
digested before anything heavy is imported. The shapes that follow from a topology are in
``stages``; the semantics of each stage are in ``bnnhw.reference``.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, Union

from attrs import asdict, field, frozen

from bnnhw.errors import TopologyError

__all__ = [
    "Accumulator",
    "Conv",
    "Dense",
    "Folding",
    "FoldingLayer",
    "Input",
    "MatrixStage",
    "Output",
    "Pool",
    "PoolStage",
    "Topology",
    "first_difference",
    "matrix_stages",
    "signature",
    "stages",
]

Accumulator = Literal["pixels", "popcount", "signed"]
Output = Literal["scores", "bits"]

# By how much a sum grows where the accumulator grows by 1.
_UNITS: dict[Accumulator, float] = {"pixels": 0.5, "popcount": 2.0, "signed": 1.0}

# What a byte of a picture stands for, by the bits of the input. For 8, q(v) in units of 1/128: 2v/255 - 1
# rounded half up and saturated, as BNN-PYNQ's CNV reads pixels; the C kernels hold the same in ``encode.h``.
_BYTE_VALUES = {
    1: tuple(1 if v >= 128 else -1 for v in range(256)),
    8: tuple(v - 128 if v < 128 else min(v - 127, 127) for v in range(256)),
}

# Standard deviation of q of a random byte, rounded (73.9).
_PIXEL_DEVIATION = 74

# Limits on what an outsider's description may ask for. A fan-in of 2**20 eight-bit inputs with
# two-bit weights reaches 2 * 2**20 * 2 * 128 = 2**29, so every accumulator fits in int32.
MAX_SIDE = 4096
MAX_CHANNELS = 65536
MAX_FAN_IN = 2**20
MAX_WEIGHTS = 2**28
MAX_LAYERS = 256

# Of what an image takes to run, the memory of its maps and the time: a file of a kilobyte can ask for any. Networks on
# photographs of 224x224 pixels have maps of 3 million values, 15 million together, and 2**34 operations.
MAX_MAP = 2**24
MAX_MAPS = 2**28
MAX_OPERATIONS = 2**36

# Channels that kernels store together: a map of one channel takes as much as one of 64.
_TOGETHER = 64

MAX_NAME = 200


def _whole(low: int, high: int) -> Any:
    """Return an attrs validator for an int (no bool) in low..high."""

    def check(instance: object, attribute: Any, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            kind = type(instance).__name__
            raise TopologyError(
                f"{kind}.{attribute.name} must be a whole number from {low} to {high}, not {value!r:.60}"
            )

    return check


def _instance(kind: type) -> Any:
    """Return an attrs validator for a record or text of one type; attrs' own raises TypeError."""

    def check(instance: object, attribute: Any, value: object) -> None:
        if not isinstance(value, kind):
            owner = type(instance).__name__
            raise TopologyError(f"{owner}.{attribute.name} must be {kind.__name__}, not {value!r:.60}")

    return check


def _name(instance: object, attribute: Any, value: str) -> None:
    if len(value) > MAX_NAME:
        raise TopologyError(f"Topology.name must have at most {MAX_NAME} characters, not {len(value)}")


def _as_layers(given: Iterable[Any]) -> tuple[Any, ...]:
    try:
        return tuple(given)
    except TypeError:
        raise TopologyError(f"layers must be a sequence of records, not {given!r:.60}") from None


@frozen(kw_only=True)
class Input:
    """The tensor a network sees: unsigned bytes, row-major, channel fastest.

    Attributes:
        height, width: in pixels, 1 to 4096.
        channels: 1 for grey, 3 for RGB.
        bits: 8 for pixels in units of 1/128 (``q`` of BNN-PYNQ's CNV), 1 for one bit a pixel; what each
            byte then stands for is in ``values``.
    """

    height: int = field(validator=_whole(1, MAX_SIDE))
    width: int = field(validator=_whole(1, MAX_SIDE))
    channels: int = field(default=1, validator=_whole(1, MAX_CHANNELS))
    bits: int = field(default=8, validator=_whole(1, 8))

    def __attrs_post_init__(self) -> None:
        if self.bits not in (1, 8):
            raise TopologyError(f"Input.bits must be 1 or 8, not {self.bits}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image as an array: (height, width) or (height, width, channels)."""
        if self.channels == 1:
            return (self.height, self.width)
        return (self.height, self.width, self.channels)

    @property
    def values(self) -> tuple[int, ...]:
        """What each byte v stands for in the first layer's sums, 256 numbers.

        8 bits: q(v) = v - 128 below 128, else min(v - 127, 127), in units of 1/128. 1 bit: -1 where
        v < 128, else +1.
        """
        return _BYTE_VALUES[self.bits]


@frozen(kw_only=True)
class Conv:
    """A square convolution (cross-correlation) followed by thresholds.

    Attributes:
        outputs: number of output channels.
        kernel: side of the window in pixels.
        stride: step of the window in pixels.
        padding: pixels added on every side. Padded positions hold 0 where the layer's input can
            hold 0 (8-bit pixels, 2-bit activations) and -1 where it is one bit.
    """

    outputs: int = field(validator=_whole(1, MAX_CHANNELS))
    kernel: int = field(default=3, validator=_whole(1, MAX_SIDE))
    stride: int = field(default=1, validator=_whole(1, MAX_SIDE))
    padding: int = field(default=0, validator=_whole(0, MAX_SIDE))

    def __attrs_post_init__(self) -> None:
        if self.padding >= self.kernel:
            raise TopologyError(
                f"Conv.padding must be smaller than its kernel ({self.kernel}), not {self.padding}"
            )


@frozen(kw_only=True)
class Pool:
    """A square maximum pool; an incomplete window at the right or lower edge is dropped."""

    size: int = field(default=2, validator=_whole(1, MAX_SIDE))
    stride: int = field(validator=_whole(1, MAX_SIDE))

    @stride.default
    def _stride_is_size(self) -> int:
        return self.size


@frozen(kw_only=True)
class Dense:
    """A fully connected layer followed by thresholds; a map is read row, column, channel."""

    outputs: int = field(validator=_whole(1, MAX_CHANNELS))


Layer = Union[Conv, Pool, Dense]


def _layer_records(instance: Any, attribute: Any, value: tuple[object, ...]) -> None:
    for position, layer in enumerate(value):
        if not isinstance(layer, (Conv, Pool, Dense)):
            raise TopologyError(
                f"topology {instance.name!r}, layer {position} ({type(layer).__name__}): "
                "expected a Conv, Pool or Dense record"
            )


def _output(instance: object, attribute: Any, value: object) -> None:
    if value not in ("scores", "bits"):
        raise TopologyError(f"Topology.output must be 'scores' or 'bits', not {value!r:.60}")


_KINDS: dict[str, type[Conv] | type[Pool] | type[Dense]] = {"conv": Conv, "pool": Pool, "dense": Dense}


@frozen(kw_only=True)
class Topology:
    """A network without its weights.

    Attributes:
        name: how people call it, for example ``cnvW1A1``.
        input: the tensor it sees.
        layers: ``Conv``, ``Pool`` and ``Dense`` records in order; the last is a ``Dense``.
        weight_bits: 1 for weights of -1 and +1, 2 for weights of -2 to +1.
        activation_bits: 1 for activations of -1 and +1 (one threshold a neuron), 2 for -1, 0
            and +1 (two thresholds a neuron).
        output: ``"scores"`` if the last layer has no thresholds and its accumulators are the
            class scores, ``"bits"`` if it has one threshold and yields one bit a class.
        summary: one line for people.

    Raises:
        TopologyError: if the layers do not fit together.
    """

    name: str = field(validator=[_instance(str), _name])
    input: Input = field(validator=_instance(Input))
    layers: tuple[Layer, ...] = field(converter=_as_layers, validator=_layer_records)
    weight_bits: int = field(default=1, validator=_whole(1, 2))
    activation_bits: int = field(default=1, validator=_whole(1, 2))
    output: Output = field(default="scores", validator=_output)
    summary: str = field(default="", eq=False, validator=_instance(str))

    def __attrs_post_init__(self) -> None:
        stages(self)

    @property
    def outputs(self) -> int:
        """Number of outputs of the last layer, at least as many as there are classes."""
        return self.layers[-1].outputs  # type: ignore[union-attr]  # checked: the last is a Dense

    @property
    def precision(self) -> str:
        """The usual short form, for example ``W1A2``."""
        return f"W{self.weight_bits}A{self.activation_bits}"

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of everything that fixes the shapes of the parameters; not of the name."""
        return hashlib.sha256("\n".join(signature(self)).encode()).hexdigest()

    @property
    def weights(self) -> int:
        """Number of weights."""
        return sum(stage.fan_in * stage.outputs for stage in matrix_stages(self))

    @property
    def operations(self) -> int:
        """Multiply-accumulates an image."""
        return sum(
            stage.fan_in * stage.outputs * stage.output_shape[0] * stage.output_shape[1]
            for stage in matrix_stages(self)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; ``from_dict`` reads it back."""
        names = {kind: name for name, kind in _KINDS.items()}
        return {
            "name": self.name,
            "input": asdict(self.input),
            "layers": [{"kind": names[type(layer)], **asdict(layer)} for layer in self.layers],
            "weight_bits": self.weight_bits,
            "activation_bits": self.activation_bits,
            "output": self.output,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Topology:
        """Build a topology from ``to_dict``'s data.

        Raises:
            TopologyError: if a key is missing, unknown, or holds an impossible value.
        """
        try:
            known = dict(data)
            layers = []
            for item in known.pop("layers"):
                options = dict(item)
                layers.append(_KINDS[options.pop("kind")](**options))
            return cls(input=Input(**known.pop("input")), layers=tuple(layers), **known)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, TopologyError):
                raise
            reason = str(error)
            raise TopologyError(f"not a topology: {type(error).__name__}: {reason:.200}") from error


@frozen(kw_only=True)
class MatrixStage:
    """What follows from a ``Conv`` or ``Dense`` at its place in a topology.

    A neuron sums weight times input, with inputs of -1, 0 and +1, or q of a pixel. Thresholds and scores
    are in another unit, for historical reasons, and the arithmetic between both is here::

        accumulator = (sum + offset) / unit

    ============ ========================================== ======= ======
    accumulator  is                                         unit    offset
    ============ ========================================== ======= ======
    ``pixels``   twice the sum, so in units of 1/256        1/2     0
    ``popcount`` inputs that equal their weight             2       fan_in
    ``signed``   the sum                                    1       0
    ============ ========================================== ======= ======

    Attributes:
        number: position among the layers that have weights, from 0.
        layer: the record itself.
        input_shape, output_shape: (height, width, channels); a dense output is (1, 1, outputs).
        fan_in: inputs of one neuron. Position i is (row * kernel + column) * channels + channel
            for a convolution, (row * width + column) * channels + channel for a dense layer.
        input_bits: 8 for pixels, else the bits of the activations that arrive.
        weight_bits: 1 or 2, as in the topology.
        thresholds: a neuron: 0, 1 or 2.
        accumulator: name of the unit that thresholds and scores are in; ``"pixels"`` exactly where
            ``input_bits`` is 8.
    """

    number: int
    layer: Conv | Dense
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    fan_in: int
    input_bits: int
    weight_bits: int
    thresholds: int
    accumulator: Accumulator

    @property
    def outputs(self) -> int:
        """Number of neurons (rows of the weight matrix)."""
        return self.layer.outputs

    @property
    def sees_pixels(self) -> bool:
        """Whether its inputs are pixels; else they are -1, 0 and 1."""
        return self.input_bits == 8

    @property
    def largest_input(self) -> int:
        """The greatest magnitude of an input: 128 for pixels, else 1."""
        return 128 if self.sees_pixels else 1

    @property
    def blank(self) -> int:
        """What stands where a window leaves the map: 0, or -1 where an input cannot hold 0."""
        return -1 if self.input_bits == 1 else 0

    @property
    def input_unit(self) -> float:
        """What an input of 1 is outside of integer arithmetic, as in training: 1/128 for pixels, else 1."""
        return 1 / self.largest_input

    @property
    def unit(self) -> float:
        """By how much the sum grows where the accumulator grows by 1: 1/2, 1 or 2.

        A power of two, so floating point divides by it exactly.
        """
        return _UNITS[self.accumulator]

    @property
    def offset(self) -> int:
        """What is added to the sum before it is divided by ``unit``; the same for every neuron."""
        return self.fan_in if self.accumulator == "popcount" else 0

    @property
    def largest_sum(self) -> int:
        """The greatest magnitude of a sum, or of a part of one, that weights of these bits can reach."""
        return self.fan_in * self.weight_bits * self.largest_input

    @property
    def largest(self) -> int:
        """The greatest magnitude of an accumulator: that of the largest sum; at most 2**29."""
        return int((self.largest_sum + self.offset) / self.unit)

    @property
    def centre(self) -> float:
        """The mean of the accumulator under random weights, which is that of a sum of 0."""
        return self.offset / self.unit

    @property
    def spread(self) -> float:
        """The standard deviation of the accumulator under random one-bit weights.

        sqrt(fan_in) times that of one input, 74 for a random pixel and else 1, in the accumulator's unit.
        """
        deviation = _PIXEL_DEVIATION if self.sees_pixels else 1
        return deviation / self.unit * math.sqrt(self.fan_in)


@frozen(kw_only=True)
class PoolStage:
    """What follows from a ``Pool`` at its place in a topology."""

    layer: Pool
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]


@lru_cache(maxsize=256)
def stages(topology: Topology) -> tuple[MatrixStage | PoolStage, ...]:
    """Return the shapes that follow from a topology, one stage a layer.

    Raises:
        TopologyError: if the layers do not fit together, naming the first that does not.
    """
    layers = topology.layers
    if not layers or not isinstance(layers[-1], Dense):
        raise TopologyError(f"topology {topology.name!r}: the last layer must be a Dense layer")
    if len(layers) > MAX_LAYERS:
        raise TopologyError(f"topology {topology.name!r}: {len(layers)} layers, the limit is {MAX_LAYERS}")
    shape = (topology.input.height, topology.input.width, topology.input.channels)
    bits = topology.input.bits
    result: list[MatrixStage | PoolStage] = []
    number = weights = packed = values = operations = 0
    flat = False
    for position, layer in enumerate(layers):
        where = f"topology {topology.name!r}, layer {position} ({type(layer).__name__})"
        values += _map_values(
            where, shape, layer.padding if isinstance(layer, Conv) else 0, first=position == 0
        )
        if flat and not isinstance(layer, Dense):
            raise TopologyError(f"{where}: only Dense layers can follow a Dense layer")
        if isinstance(layer, Pool):
            if number == 0:
                raise TopologyError(f"{where}: the first layer must have weights")
            after = _window(where, shape, layer.size, layer.stride, 0)
            pooled = (*after, shape[2])
            operations += layer.size**2 * math.prod(pooled)
            _check_cost(where, values, operations)
            result.append(PoolStage(layer=layer, input_shape=shape, output_shape=pooled))
            shape = pooled
            continue
        if isinstance(layer, Conv):
            after = _window(where, shape, layer.kernel, layer.stride, layer.padding)
            output_shape = (*after, layer.outputs)
            fan_in = layer.kernel**2 * shape[2]
        else:
            flat = True
            output_shape = (1, 1, layer.outputs)
            fan_in = shape[0] * shape[1] * shape[2]
        # Kernels store the weights of all layers but the first by pixel, whose channels they round up.
        stored = fan_in if number == 0 else fan_in // shape[2] * _rounded(shape[2])
        weights += fan_in * layer.outputs
        packed += stored * layer.outputs
        if fan_in > MAX_FAN_IN or weights > MAX_WEIGHTS:
            raise TopologyError(
                f"{where}: {fan_in} inputs a neuron and {weights} weights so far; "
                f"the limits are {MAX_FAN_IN} and {MAX_WEIGHTS}"
            )
        if packed > MAX_WEIGHTS:
            raise TopologyError(
                f"{where}: {packed} weights so far where channels are stored in groups of {_TOGETHER}; the limit is "
                f"{MAX_WEIGHTS}"
            )
        operations += fan_in * math.prod(output_shape)
        _check_cost(where, values, operations)
        last = position == len(layers) - 1
        result.append(
            MatrixStage(
                number=number,
                layer=layer,
                input_shape=shape,
                output_shape=output_shape,
                fan_in=fan_in,
                input_bits=bits,
                weight_bits=topology.weight_bits,
                thresholds=int(topology.output == "bits") if last else topology.activation_bits,
                accumulator=_accumulator(topology, bits),
            )
        )
        shape, bits = output_shape, topology.activation_bits
        number += 1
    return tuple(result)


def matrix_stages(topology: Topology) -> tuple[MatrixStage, ...]:
    """Return only the stages that have weights."""
    return tuple(stage for stage in stages(topology) if isinstance(stage, MatrixStage))


def _accumulator(topology: Topology, input_bits: int) -> Accumulator:
    if input_bits == 8:
        return "pixels"
    if topology.weight_bits == topology.activation_bits == 1:
        return "popcount"
    return "signed"


def _map_values(where: str, shape: tuple[int, int, int], padding: int, first: bool) -> int:
    """Return how many values are stored of a map that a layer reads, padding included; of the first, bytes."""
    height, width, channels = shape
    places = (height + 2 * padding) * (width + 2 * padding)
    if places * channels > MAX_MAP:
        raise TopologyError(
            f"{where}: reads a map of {height}x{width} places and {channels} channels, padded by {padding}; the limit "
            f"is {MAX_MAP} values"
        )
    return places * (channels if first else _rounded(channels))


def _rounded(channels: int) -> int:
    return -(-channels // _TOGETHER) * _TOGETHER


def _check_cost(where: str, values: int, operations: int) -> None:
    if values > MAX_MAPS or operations > MAX_OPERATIONS:
        raise TopologyError(
            f"{where}: {values} values in maps and {operations} operations an image so far; the limits are {MAX_MAPS} "
            f"and {MAX_OPERATIONS}"
        )


def _window(where: str, shape: tuple[int, int, int], size: int, stride: int, padding: int) -> tuple[int, int]:
    height, width = ((side + 2 * padding - size) // stride + 1 for side in shape[:2])
    if height < 1 or width < 1 or size > min(shape[:2]) + 2 * padding:
        raise TopologyError(f"{where}: a window of {size}x{size} does not fit into {shape[0]}x{shape[1]}")
    return height, width


def signature(topology: Topology) -> tuple[str, ...]:
    """Return one line a layer that fixes every shape and meaning; the digest hashes it."""
    given = topology.input
    lines = [f"input {given.height}x{given.width}x{given.channels} {given.bits}-bit {topology.precision}"]
    for stage in stages(topology):
        layer = stage.layer
        if isinstance(layer, Pool):
            lines.append(f"pool {layer.size}x{layer.size} stride {layer.stride}")
        elif isinstance(layer, Conv):
            lines.append(
                f"conv {layer.kernel}x{layer.kernel} stride {layer.stride} padding {layer.padding} "
                f"{stage.input_shape[2]}->{layer.outputs}"
            )
        else:
            lines.append(f"dense {stage.fan_in}->{layer.outputs}")  # type: ignore[union-attr]  # a Dense
    lines.append(f"output {topology.output}")
    return tuple(lines)


def first_difference(expected: Topology, found: Topology) -> str | None:
    """Say in one line where two topologies first differ, or None if their shapes are the same."""
    ours, theirs = signature(expected), signature(found)
    for position in range(max(len(ours), len(theirs))):
        left = ours[position] if position < len(ours) else "nothing"
        right = theirs[position] if position < len(theirs) else "nothing"
        if left != right:
            where = "input" if position == 0 else f"layer {position - 1}"
            return f"{where}: expected {left!r}, found {right!r}"
    return None


@frozen(kw_only=True)
class FoldingLayer:
    """How many neurons (PE) and inputs a neuron (SIMD) an accelerator handles a cycle."""

    pe: int = field(validator=_whole(1, 4096))
    simd: int = field(validator=_whole(1, 64))


def _folding_layers(instance: object, attribute: Any, value: tuple[object, ...]) -> None:
    for position, layer in enumerate(value):
        if not isinstance(layer, FoldingLayer):
            raise TopologyError(f"Folding.layers[{position}] must be a FoldingLayer, not {layer!r}")


@frozen(kw_only=True)
class Folding:
    """PE and SIMD of every layer that has weights, in order.

    It fixes the order of words in an accelerator's memories and in a binparam directory
    (docs/reference/bnn-pynq-parameters.md#word-order), and nothing else: the parameters
    themselves do not know it.
    """

    layers: tuple[FoldingLayer, ...] = field(converter=_as_layers, validator=_folding_layers)

    @classmethod
    def of(cls, *pairs: tuple[int, int]) -> Folding:
        """Build a folding from (PE, SIMD) pairs."""
        return cls(layers=tuple(FoldingLayer(pe=pe, simd=simd) for pe, simd in pairs))

    def check(self, topology: Topology) -> None:
        """Refuse a folding that does not divide the topology's layers.

        Raises:
            TopologyError: naming the first layer that does not fit.
        """
        matrices = matrix_stages(topology)
        if len(matrices) != len(self.layers):
            raise TopologyError(
                f"folding has {len(self.layers)} layers, topology {topology.name!r} has "
                f"{len(matrices)} layers with weights"
            )
        for stage, layer in zip(matrices, self.layers):
            if stage.outputs % layer.pe:
                raise TopologyError(
                    f"folding of topology {topology.name!r}, layer {stage.number}: "
                    f"PE {layer.pe} does not divide {stage.outputs} outputs"
                )
            if layer.simd * topology.weight_bits > 64:
                raise TopologyError(
                    f"folding of topology {topology.name!r}, layer {stage.number}: SIMD {layer.simd} of "
                    f"{topology.weight_bits} bits does not fit a 64-bit word"
                )

    def digest(self, topology: Topology) -> str:
        """SHA-256 (hex) of the topology's shapes and this folding together."""
        lines = [*signature(topology), *(f"pe {layer.pe} simd {layer.simd}" for layer in self.layers)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
