"""QONNX graphs of one chain become integer networks; everything else is refused."""

from __future__ import annotations

import numpy as np
import pytest
from bnnhw import reference

from bnncore.errors import BnnError
from bnncore.importing.brevitas import from_state_dict
from bnncore.importing.chain import ImportRefused
from bnncore.importing.qonnx import read_qonnx

onnx = pytest.importorskip("onnx", reason="needs the package onnx: pip install bnncore[qonnx]")
DOMAIN = "qonnx.custom_op.general"


class Graph:
    """A graph under construction, one node after the other."""

    def __init__(self, shape, output: str = "out") -> None:
        self.nodes, self.constants, self.shape = [], {}, shape
        self.data = "x"

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def node(self, kind, *constants, domain="", **attributes) -> None:
        """Append a node that takes the data and constants."""
        names = [each if isinstance(each, str) else self.constant(each) for each in constants]
        output = f"t{len(self.nodes)}"
        inputs = [self.data, *names]
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        self.data = output

    def quant(self, bits: int, scale: float = 1.0, narrow: int = 1, **attributes) -> None:
        if bits == 1:
            self.node("BipolarQuant", scale, domain=DOMAIN)
        else:
            options = {"signed": 1, "narrow": narrow, "rounding_mode": "ROUND", **attributes}
            self.node("Quant", scale, 0.0, float(bits), domain=DOMAIN, **options)

    def weights(self, value, bits: int) -> str:
        """Append the quantiser of weights and return its output."""
        data, self.data = self.data, self.constant(value)
        self.quant(bits)
        name, self.data = self.data, data
        return name

    def pixels(self, bits: int = 8) -> None:
        self.node("Mul", 2.0)
        self.node("Sub", 1.0)
        self.quant(bits, 1 / 128 if bits == 8 else 1.0, narrow=0)

    def save(self, path):
        """Write the model and return its path."""
        initializers = [onnx.numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes,
            "g",
            [value("x", onnx.TensorProto.FLOAT, self.shape)],
            [value(self.data, onnx.TensorProto.FLOAT, None)],
            initializers,
        )
        onnx.save(onnx.helper.make_model(graph), str(path))
        return path


@pytest.fixture
def small(tmp_path):
    """Return a function that builds a small convolutional graph, with one thing changed."""

    def build(change=None, activation_bits: int = 2, **options):
        rng = np.random.default_rng(0)
        graph = Graph([1, 2, 6, 6])
        graph.pixels()
        layer = {"strides": [1, 1], "pads": [1, 1, 1, 1], "kernel_shape": [3, 3], **options}
        graph.node("Conv", graph.weights(rng.uniform(-1, 1, (5, 2, 3, 3)), 1), **layer)
        statistics = rng.normal(size=5), rng.normal(size=5), rng.normal(size=5), rng.uniform(0.5, 3, 5)
        graph.node("BatchNormalization", *statistics, epsilon=1e-3)
        graph.quant(activation_bits)
        graph.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        graph.node("Flatten")
        if change is not None:
            change(graph)
        weights = rng.uniform(-1, 1, (4, 45))
        graph.node("Gemm", graph.weights(weights, 1), transB=1)
        graph.node("Div", -3.0)
        graph.node("Add", 1.0)
        return graph.save(tmp_path / "small.onnx"), weights

    return build


def test_a_flattened_map_is_read_in_the_right_order(small) -> None:
    path, weights = small()
    network = read_qonnx(path)
    signs = np.where(weights >= 0, 1, -1).reshape(4, 5, 3, 3).transpose(0, 2, 3, 1).reshape(4, 45)
    # The last layer is divided by -3, which turns the order of the classes, and so the signs.
    assert np.array_equal(network.layers[-1].weights, -signs)
    assert (network.topology.input.shape, network.topology.name) == ((6, 6, 2), "small")
    assert reference.scores(network, np.zeros((1, 6, 6, 2), np.uint8)).shape == (1, 4)


def test_a_graph_equals_its_state_dict(cnv_state, tmp_path) -> None:
    state = cnv_state()
    graph = Graph([1, 3, 32, 32])
    graph.pixels()
    for number in (1, 4, 8, 11, 15, 18):
        name, norm = f"conv_features.{number}", f"conv_features.{number + 1}"
        graph.node("Conv", graph.weights(state[f"{name}.weight"], 1), kernel_shape=[3, 3])
        parts = [state[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")]
        graph.node("BatchNormalization", *parts, epsilon=1e-4)
        graph.quant(2)
        if number in (4, 11):
            graph.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    graph.node("Reshape", [1, -1])
    for number in (0, 3):
        graph.node("MatMul", graph.weights(state[f"linear_features.{number}.weight"].T, 1))
        norm = f"linear_features.{number + 1}"
        parts = [state[f"{norm}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")]
        graph.node("BatchNormalization", *parts, epsilon=1e-4)
        graph.quant(2)
    graph.node("Gemm", graph.weights(state["linear_features.6.weight"], 1), transB=1)
    graph.node("Mul", 0.5)
    found = read_qonnx(graph.save(tmp_path / "cnv.onnx"))
    expected = from_state_dict(state, "W1A2")
    assert found.topology == expected.topology
    for ours, theirs in zip(found.layers, expected.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        # float32 holds 1e-4 otherwise than float64: a threshold may not move for that.
        assert np.array_equal(ours.thresholds, theirs.thresholds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.node("Relu"), "Relu has no equal"),
        (lambda g: g.node("Mul", 2.0), "between layers"),
        (lambda g: g.node("Add", np.ones(5)), "one constant number"),
        (lambda g: g.quant(1), "one step a layer"),
        (lambda g: g.node("MaxPool", kernel_shape=[2, 2], pads=[1, 1, 1, 1]), "padding"),
        (lambda g: g.node("Gemm", np.full((45, 45), 0.5)), "not quantised"),
        (lambda g: g.node("Transpose", perm=[1, 0]), "transposed between layers"),
    ],
)
def test_what_has_no_equal_is_refused(small, change, message) -> None:
    path, _ = small(change)
    with pytest.raises(ImportRefused, match=message) as caught:
        read_qonnx(path)
    assert "small.onnx" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": 2}, "groups"),
        ({"strides": [1, 2]}, "differs between directions"),
        ({"pads": [0, 0, 1, 1]}, "differs between directions"),
        ({"dilations": [2, 2]}, "dilated"),
    ],
)
def test_other_convolutions_are_refused(small, options, message) -> None:
    with pytest.raises(ImportRefused, match=message):
        read_qonnx(small(**options)[0])


def test_two_bit_pixels_are_refused(tmp_path) -> None:
    graph = Graph([1, 1, 4, 4])
    graph.node("Mul", 2.0)
    graph.node("Sub", 1.0)
    graph.quant(2)
    with pytest.raises(ImportRefused, match="pixels of 2 bits"):
        read_qonnx(graph.save(tmp_path / "two.onnx"))


def test_zeros_around_one_bit_activations_are_refused(tmp_path) -> None:
    graph = Graph([1, 1, 6, 6])
    graph.pixels(1)
    ones = np.ones((2, 1, 3, 3))
    graph.node("Conv", graph.weights(ones, 1), pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    graph.quant(1)
    graph.node("Flatten")
    graph.node("Gemm", graph.weights(np.ones((2, 72)), 1), transB=1)
    with pytest.raises(ImportRefused, match="pads one-bit"):
        read_qonnx(graph.save(tmp_path / "padded.onnx"))


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"not a model"])
def test_a_damaged_file_is_refused(tmp_path, content) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(BnnError, match=r"bad\.onnx"):
        read_qonnx(tmp_path / "bad.onnx")
