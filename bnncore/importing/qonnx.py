"""Networks in QONNX (https://github.com/fastmachinelearning/qonnx), as Brevitas exports them.

A graph is read as a chain: pixels are brought to -1 to 1 and quantised; each layer is a ``Conv``, ``Gemm`` or
``MatMul`` with constant quantised weights, a ``BatchNormalization``, a ``Quant`` or ``BipolarQuant``, and
perhaps ``MaxPool``; the last layer is followed by a scale and shift for all classes. Anything else is refused.

A graph may say much in few bytes: a constant may be in another file, or be repeated along a new axis a thousand
million times. Sizes are held against the bytes of the file before anything is made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import define, field
from bnnhw.network import Network
from bnnhw.topology import Input

from bnncore.errors import BnnError
from bnncore.extras import missing_extra
from bnncore.files import read_limited
from bnncore.importing.chain import ChainLayer, ImportRefused, Scaling, Step, build_network, quantized
from bnncore.importing.recognition import MOST_BYTES
from bnncore.plain_text import shown
from bnncore.thresholds.absorb import AffineStep

__all__ = ["read_qonnx"]

Array = npt.NDArray[Any]

# Brevitas' CNV has some hundred nodes and constants.
_MOST_NODES = 10_000
_MOST_ATTRIBUTES = 20
_MOST_DIMENSIONS = 8
# What may be computed from constants: some arrays, and for each byte of the file so many.
_ALWAYS = 2**22
_TIMES = 4
# By the numbers of TensorProto.DataType: bytes of one number. What is not here has no place in these networks.
_WIDTHS = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
# Nodes that compute the shape of a flattened map; the map itself is what matters.
_SHAPES = frozenset({"Shape", "Gather", "Unsqueeze", "Concat", "Slice", "Cast"})
# What Brevitas' exporter leaves to compute from constants: the deviation under the scores.
_ARITHMETIC: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
}
_PASSED = frozenset({"Identity", "Dropout", "Reshape", "Flatten"})


def read_qonnx(path: Path) -> Network:
    """Return the integer network that answers as the graph does.

    Args:
        path: an ``.onnx`` file whose one input is [N, channels, height, width], pixels from 0 to 1.

    Raises:
        BnnError: if the file cannot be read, or the package ``onnx`` is not installed.
        ImportRefused: if a node has no equal in an integer network; the message names it.
    """
    try:
        import onnx
    except ImportError as error:
        raise missing_extra("reading QONNX", "onnx", "qonnx") from error
    data = read_limited(path, MOST_BYTES, BnnError, "the limit for a network")
    try:
        # Weights in other files are not followed: they could be anywhere.
        model = onnx.load_model_from_string(data)
    # protobuf's own errors, which say nothing to a user
    except Exception as error:
        raise BnnError(
            f"{path}: expected an ONNX model, found none, or a damaged one; export it again"
        ) from error
    try:
        return _Reader(model, len(data)).network(path.stem)
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from error
    except BnnError as error:
        raise BnnError(f"{path}: {error}") from error
    # A node without its inputs or attributes, or a tensor that does not fit its shape.
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BnnError(
            f"{path}: expected a valid ONNX model, found a malformed node or tensor; export it again"
        ) from error


@define(eq=False)
class _Open:
    """A layer whose end has not been seen yet."""

    weights: Array
    stride: int
    padding: int
    norm: AffineStep | None = None
    bits: int | None = None
    pools: list[tuple[int, int]] = field(factory=list)


class _Reader:
    """Follow the data through a graph, node by node."""

    def __init__(self, model: Any, size: int) -> None:
        graph = model.graph
        _check_extent(model)
        self._left = _ALWAYS + _TIMES * size
        self._constants: dict[str, Array] = {tensor.name: _numbers(tensor) for tensor in graph.initializer}
        inputs = [each for each in graph.input if each.name not in self._constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ImportRefused(
                f"expected one input and one output, found {len(inputs)} and {len(graph.output)}"
            )
        self._nodes = list(graph.node)
        self._output = graph.output[0].name
        self._data = inputs[0].name
        self._shape = [dimension.dim_value for dimension in inputs[0].type.tensor_type.shape.dim]
        self._slope, self._shift = 1.0, 0.0
        self._input_bits: int | None = None
        self._layers: list[_Open] = []

    def network(self, name: str) -> Network:
        """Return the integer network of the whole graph."""
        for node in self._nodes:
            self._follow(node)
        if self._data != self._output or not self._layers or self._input_bits is None:
            raise ImportRefused("the input does not reach the output through layers that are known here")
        if len(self._shape) != 4:
            raise ImportRefused(f"expected an input [N, channels, height, width], found {self._shape[:8]}")
        given = Input(
            height=self._shape[2], width=self._shape[3], channels=self._shape[1], bits=self._input_bits
        )
        last = self._layers[-1]
        if not np.isfinite(self._shift):
            raise ImportRefused(f"the scores are shifted by {self._shift}; expected a finite number")
        if last.norm is not None or last.bits is not None or last.pools:
            raise ImportRefused("the last layer must give scores, without a normalisation of each or a step")
        layers = [_closed(layer) for layer in self._layers[:-1]]
        layers.append(ChainLayer(weights=last.weights, after=Scaling(factor=self._slope)))
        return build_network(name, given, layers, len(last.weights))

    def _follow(self, node: Any) -> None:
        handlers: dict[str, Callable[[Any], None]] = {
            "Constant": self._constant,
            "Transpose": self._transpose,
            "Quant": self._quant,
            "BipolarQuant": self._quant,
            "Conv": self._matrix,
            "Gemm": self._matrix,
            "MatMul": self._matrix,
            "BatchNormalization": self._norm,
            "MaxPool": self._pool,
            **dict.fromkeys(("Mul", "Div", "Add", "Sub"), self._affine),
        }
        if node.op_type in _SHAPES:
            return
        if node.op_type in _PASSED:
            self._advance(node)
            return
        if node.op_type in _ARITHMETIC and all(name in self._constants for name in node.input):
            first, second = (self._constants[name] for name in node.input)
            self._spend(8 * prod(np.broadcast_shapes(first.shape, second.shape)))
            # What is not finite is refused where it is used.
            with np.errstate(all="ignore"):
                self._constants[node.output[0]] = _ARITHMETIC[node.op_type](first, second)
            return
        if node.op_type not in handlers:
            raise ImportRefused(f"the node {_kind(node)} has no equal in an integer network")
        handlers[node.op_type](node)

    def _spend(self, size: int) -> None:
        """Refuse to make arrays of many times the bytes that the file has."""
        self._left -= size
        if self._left < 0:
            raise ImportRefused("its constants grow to many times the size of the file")

    def _advance(self, node: Any) -> None:
        if node.input[0] != self._data:
            raise ImportRefused(f"the node {_kind(node)} takes {shown(node.input[0])}: the graph is no chain")
        self._data = node.output[0]

    def _constant(self, node: Any) -> None:
        attributes = _attributes(node)
        if "value" in attributes:
            value = _numbers(attributes["value"])
        else:
            (name,) = set(attributes) & {"value_float", "value_floats", "value_int", "value_ints"}
            value = np.asarray(attributes[name], np.float32 if "float" in name else np.int64)
        self._spend(value.nbytes)
        self._constants[node.output[0]] = value

    def _transpose(self, node: Any) -> None:
        if node.input[0] not in self._constants:
            raise ImportRefused("a map is transposed between layers; only weights can be")
        order = _attributes(node).get("perm")
        self._constants[node.output[0]] = self._constants[node.input[0]].transpose(order)

    def _scalar(self, node: Any, name: str) -> float:
        value = self._constants.get(name)
        if value is None or value.size != 1:
            raise ImportRefused(f"the node {_kind(node)} takes {shown(name)}, expected one constant number")
        return float(value.reshape(()))

    def _quant(self, node: Any) -> None:
        scale = self._scalar(node, node.input[1])
        if node.op_type == "BipolarQuant":
            bits = 1
        else:
            attributes = _attributes(node)
            bits = round(self._scalar(node, node.input[3]))
            rounding = attributes.get("rounding_mode", b"ROUND")
            if self._scalar(node, node.input[2]) or not attributes.get("signed", 1) or rounding != b"ROUND":
                raise ImportRefused(
                    "a Quant that is unsigned, has a zero point, or does not round to the nearest"
                )
            narrow = attributes.get("narrow", 0)
            if bits == 1:
                raise ImportRefused("a Quant of one bit, which holds no +1; expected a BipolarQuant")
            if bits == 2 and not narrow:
                raise ImportRefused("a Quant of two bits that includes -2; only -1, 0 and +1 exist here")
            if bits == 8 and narrow:
                raise ImportRefused("a Quant of eight bits without -128, which a black pixel is here")
        if node.input[0] in self._constants:
            if scale != 1 or bits not in (1, 2):
                raise ImportRefused(
                    f"weights of {bits} bits with scale {scale}; expected 1 or 2 bits and scale 1"
                )
            self._spend(self._constants[node.input[0]].size)
            self._constants[node.output[0]] = quantized(
                self._constants[node.input[0]], bits, f"the weights {shown(node.input[0])}"
            )
            return
        self._advance(node)
        if not self._layers and self._input_bits is None:
            self._quantize_input(bits, scale)
            return
        self._refuse_affine(node)
        if not self._layers:
            raise ImportRefused("the pixels are quantised twice; expected one Quant before the first layer")
        layer = self._layers[-1]
        if scale != 1 or bits not in (1, 2) or layer.bits is not None or layer.pools:
            raise ImportRefused(
                f"activations of {bits} bits with scale {scale} in layer {len(self._layers) - 1}; expected one "
                "step a layer, before its pool, of 1 or 2 bits and scale 1"
            )
        layer.bits = bits

    def _quantize_input(self, bits: int, scale: float) -> None:
        # Pixels from 0 to 1, or bytes: either way the network must see -1 to 1.
        if not (np.isclose(self._slope, 2) or np.isclose(self._slope * 255, 2)) or not np.isclose(
            self._shift, -1
        ):
            raise ImportRefused(
                f"pixels are taken times {self._slope:g} plus {self._shift:g}; networks here see them as -1 to 1"
            )
        if (bits, scale) not in ((8, 1 / 128), (1, 1.0)):
            raise ImportRefused(
                f"pixels of {bits} bits with scale {scale:g}; networks here see 8 bits with scale 1/128, or one bit"
            )
        self._input_bits = bits
        self._slope, self._shift = 1.0, 0.0

    def _matrix(self, node: Any) -> None:
        if self._input_bits is None:
            raise ImportRefused("the pixels are not quantised before the first layer")
        if self._layers and self._layers[-1].bits is None:
            raise ImportRefused(f"layer {len(self._layers) - 1} has no step to one or two bits")
        self._refuse_affine(node)
        self._advance(node)
        weights = self._constants.get(node.input[1])
        if weights is None or len(node.input) > 2:
            raise ImportRefused(f"the node {_kind(node)} must have constant weights and no bias")
        expected = 4 if node.op_type == "Conv" else 2
        if weights.ndim != expected:
            raise ImportRefused(
                f"the weights {shown(node.input[1])} have {weights.ndim} dimensions, expected {expected} in a "
                f"{_kind(node)}"
            )
        self._spend(weights.size)
        if not np.isin(weights, (-1, 0, 1)).all():
            raise ImportRefused(f"the weights {shown(node.input[1])} are not quantised to -1, 0 and +1")
        attributes = _attributes(node)
        stride = padding = 0
        if node.op_type == "Conv":
            stride = _same(node, attributes.get("strides", [1]))
            padding = _same(node, attributes.get("pads", [0]))
            plain = {attributes.get("group", 1), _same(node, attributes.get("dilations", [1]))} == {1}
            if not plain or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
                raise ImportRefused("a convolution in groups, dilated, or padded automatically")
        elif node.op_type == "Gemm" and (
            attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1 or attributes.get("beta", 1.0) != 1
        ):
            raise ImportRefused("a Gemm with a factor or a transposed input")
        elif node.op_type == "MatMul" or not attributes.get("transB", 0):
            weights = weights.T
        self._layers.append(_Open(weights=weights.astype(np.int8), stride=stride or 1, padding=padding))

    def _refuse_affine(self, node: Any) -> None:
        """Refuse what was multiplied or added before this node: no later node makes up for it."""
        if (self._slope, self._shift) != (1.0, 0.0):
            raise ImportRefused(
                f"values are taken times {self._slope:g} plus {self._shift:g} before the node {_kind(node)}; "
                "Mul, Div, Add and Sub have an equal only before the pixels are quantised and after the last layer"
            )

    def _norm(self, node: Any) -> None:
        self._refuse_affine(node)
        self._advance(node)
        values = [self._constants.get(name) for name in node.input[1:5]]
        layer = self._layers[-1] if self._layers else None
        if layer is None or layer.norm is not None or layer.bits is not None or any(v is None for v in values):
            raise ImportRefused("a BatchNormalization that does not directly follow a layer with weights")
        scale, shift, mean, variance = (np.asarray(value, np.float64) for value in values)
        epsilon = float(_attributes(node).get("epsilon", 1e-5))
        layer.norm = AffineStep(mean=mean, variance=variance, scale=scale, shift=shift, epsilon=epsilon)

    def _pool(self, node: Any) -> None:
        self._advance(node)
        attributes = _attributes(node)
        if _same(node, attributes.get("pads", [0])) or attributes.get("ceil_mode", 0):
            raise ImportRefused("a MaxPool with padding or incomplete windows")
        if _same(node, attributes.get("dilations", [1])) != 1:
            raise ImportRefused("a dilated MaxPool")
        if not self._layers or self._layers[-1].bits is None:
            raise ImportRefused("a MaxPool that does not follow a step to one or two bits")
        size = _same(node, attributes["kernel_shape"])
        self._layers[-1].pools.append((size, _same(node, attributes.get("strides", [1]))))

    def _affine(self, node: Any) -> None:
        """Follow a number that is added to all values, or multiplies all: at either end of the chain only."""
        first, second = node.input
        if self._data not in (first, second):
            raise ImportRefused(f"the node {_kind(node)} joins two branches: the graph is no chain")
        number = self._scalar(node, second if first == self._data else first)
        number_first = second == self._data and node.op_type in ("Sub", "Div")
        if number_first or (self._layers and self._layers[-1].norm is not None) or not np.isfinite(number):
            raise ImportRefused(f"the node {_kind(node)} between layers has no equal in an integer network")
        if node.op_type in ("Mul", "Div"):
            factor = number if node.op_type == "Mul" else 1 / number if number else float("inf")
            self._slope, self._shift = self._slope * factor, self._shift * factor
        else:
            self._shift += number if node.op_type == "Add" else -number
        self._data = node.output[0]


def _check_extent(model: Any) -> None:
    """Refuse what is not in this file, and what no chain of layers needs, before any of it is looked at."""
    graph = model.graph
    for what, count in (
        ("nodes", len(graph.node)),
        ("constants", len(graph.initializer)),
        ("inputs", len(graph.input)),
    ):
        if count > _MOST_NODES:
            raise ImportRefused(f"{count} {what}; graphs of up to {_MOST_NODES} are read")
    if len(model.functions) or len(model.training_info):
        raise ImportRefused("functions or training inside the model; only a graph of plain nodes is read")
    if len(graph.sparse_initializer):
        raise ImportRefused("sparse weights; only plain ones are read")
    for tensor in graph.initializer:
        _check_location(tensor)
    for node in graph.node:
        if len(node.attribute) > _MOST_ATTRIBUTES:
            raise ImportRefused(
                f"a node of {len(node.attribute)} attributes; up to {_MOST_ATTRIBUTES} are read"
            )
        for attribute in node.attribute:
            inner = attribute.HasField("g") or attribute.HasField("sparse_tensor") or attribute.ref_attr_name
            if inner or len(attribute.graphs) or len(attribute.tensors) or len(attribute.sparse_tensors):
                raise ImportRefused(
                    f"the node {_kind(node)} holds a graph or sparse tensors; only plain nodes are read"
                )
            if attribute.HasField("t"):
                _check_location(attribute.t)


def _check_location(tensor: Any) -> None:
    if tensor.data_location or len(tensor.external_data):
        raise ImportRefused(f"the weights {shown(tensor.name)} are in another file; save the model in one")


def _numbers(tensor: Any) -> Array:
    """Return a tensor's numbers, of which there are as many in the file as its shape says."""
    from onnx import numpy_helper

    _check_location(tensor)
    width = _WIDTHS.get(tensor.data_type)
    if width is None or tensor.HasField("segment") or len(tensor.dims) > _MOST_DIMENSIONS:
        raise ImportRefused(
            f"the tensor {shown(tensor.name)}: expected plain numbers of at most {_MOST_DIMENSIONS} dimensions"
        )
    typed = max(
        map(
            len,
            (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data),
        )
    )
    there = len(tensor.raw_data) / width if tensor.HasField("raw_data") else typed
    if min(tensor.dims, default=0) < 0 or prod(tensor.dims) != there:
        raise ValueError("a tensor that does not fit its shape")
    array: Array = numpy_helper.to_array(tensor)
    return array


def _kind(node: Any) -> str:
    """Return the name of a node's operator, quoted if it is none that an operator has."""
    kind: str = node.op_type
    return kind if kind.isidentifier() and len(kind) < 60 else shown(kind)


def _closed(layer: _Open) -> ChainLayer:
    assert layer.bits is not None
    count = len(layer.weights)
    # Without a normalisation the sums themselves are stepped.
    plain = AffineStep(
        mean=np.zeros(count), variance=np.ones(count), scale=np.ones(count), shift=np.zeros(count), epsilon=0.0
    )
    return ChainLayer(
        weights=layer.weights,
        after=Step(norm=layer.norm or plain, bits=layer.bits),
        stride=layer.stride,
        padding=layer.padding,
        pools=tuple(layer.pools),
    )


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _same(node: Any, values: Any) -> int:
    """Return the one value that an attribute has in every direction."""
    if len(set(values)) != 1:
        raise ImportRefused(f"the node {_kind(node)} differs between directions: {list(values[:8])}")
    return int(values[0])
