"""QONNX graphs of one chain become integer networks; everything else is refused."""

from __future__ import annotations

import sys
from typing import Any

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
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.shape = shape
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


def dense(tmp_path, at: str, *affine: tuple[str, float]):
    """Save two layers without a normalisation, with something multiplied or added at one place."""
    graph = Graph([1, 1, 4, 4])

    def place(name: str) -> None:
        for kind, number in affine if name == at else ():
            graph.node(kind, number)

    rng = np.random.default_rng(3)
    graph.pixels()
    place("after the pixels")
    graph.node("Flatten")
    graph.node("Gemm", graph.weights(rng.uniform(-1, 1, (8, 16)), 1), transB=1)
    place("before the step")
    graph.quant(1)
    place("after the step")
    graph.node("Gemm", graph.weights(rng.uniform(-1, 1, (3, 8)), 1), transB=1)
    place("after the scores")
    return graph.save(tmp_path / "dense.onnx")


@pytest.mark.parametrize("affine", [("Add", 3.0), ("Mul", -1.0), ("Mul", 0.5), ("Sub", 1.0), ("Div", 4.0)])
@pytest.mark.parametrize("at", ["after the pixels", "before the step", "after the step"])
def test_numbers_between_layers_are_refused(tmp_path, at, affine) -> None:
    with pytest.raises(ImportRefused, match="before the node"):
        read_qonnx(dense(tmp_path, at, affine))


def test_numbers_before_a_normalisation_are_refused(small) -> None:
    def change(graph) -> None:
        position = next(i for i, node in enumerate(graph.nodes) if node.op_type == "BatchNormalization")
        norm = graph.nodes[position]
        shifted = onnx.helper.make_node("Add", [norm.input[0], graph.constant(3.0)], ["shifted"])
        norm.input[0] = "shifted"
        graph.nodes.insert(position, shifted)

    with pytest.raises(ImportRefused, match="before the node BatchNormalization"):
        read_qonnx(small(change)[0])


def test_numbers_that_cancel_and_those_after_the_scores_change_nothing(tmp_path) -> None:
    plain = read_qonnx(dense(tmp_path, "nowhere"))
    for at, affine in (
        ("before the step", (("Mul", -2.0), ("Div", -2.0))),
        ("after the scores", (("Add", 3.0),)),
    ):
        found = read_qonnx(dense(tmp_path, at, *affine))
        for ours, theirs in zip(found.layers, plain.layers):
            assert np.array_equal(ours.weights, theirs.weights)
            assert np.array_equal(ours.thresholds, theirs.thresholds)


@pytest.mark.parametrize(("factor", "sign"), [(-2.0, -1), (2.0, 1)])
def test_numbers_computed_from_constants_are_followed(small, factor, sign) -> None:
    path, weights = small()
    model = onnx.load(str(path))
    graph = model.graph
    # Brevitas divides the scores by a variance to the power of one half.
    scaled = next(node for node in graph.node if node.op_type == "Div")
    for name, value in (("variance", 500.0), ("half", 0.5), ("factor", factor)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array([value], np.float32), name))
    computed = (("Pow", ["variance", "half"], "deviation"), ("Mul", ["deviation", "factor"], "product"))
    scaled.input[1] = "product"
    nodes = [onnx.helper.make_node(kind, inputs, [output]) for kind, inputs, output in computed]
    nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, str(path))
    signs = np.where(weights >= 0, 1, -1).reshape(4, 5, 3, 3).transpose(0, 2, 3, 1).reshape(4, 45)
    assert np.array_equal(read_qonnx(path).layers[-1].weights, sign * signs)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(small, value) -> None:
    def change(graph) -> None:
        graph.constants[next(name for name, each in graph.constants.items() if each.ndim == 4)].flat[0] = value

    with pytest.raises(ImportRefused, match="not all numbers are finite"):
        read_qonnx(small(change)[0])


def test_an_epsilon_that_is_not_finite_is_refused(small) -> None:
    def change(graph) -> None:
        norm = next(node for node in graph.nodes if node.op_type == "BatchNormalization")
        norm.attribute[0].f = np.nan

    with pytest.raises(ImportRefused, match="finite epsilon"):
        read_qonnx(small(change)[0])


@pytest.mark.parametrize(
    ("bits", "scale", "narrow", "message"),
    [(8.0, 1 / 128, 1, "without -128"), (1.0, 1.0, 1, "expected a BipolarQuant")],
)
def test_pixels_that_are_quantised_otherwise_are_refused(tmp_path, bits, scale, narrow, message) -> None:
    graph = Graph([1, 1, 4, 4])
    graph.node("Mul", 2.0)
    graph.node("Sub", 1.0)
    options = {"signed": 1, "narrow": narrow, "rounding_mode": "ROUND"}
    graph.node("Quant", scale, 0.0, bits, domain=DOMAIN, **options)
    with pytest.raises(ImportRefused, match=message):
        read_qonnx(graph.save(tmp_path / "narrow.onnx"))


def _without_inputs(model) -> None:
    del model.graph.node[0].input[:]


def _without_scale(model) -> None:
    quantiser = next(node for node in model.graph.node if node.op_type == "Quant")
    del quantiser.input[1:]


def _without_window(model) -> None:
    pool = next(node for node in model.graph.node if node.op_type == "MaxPool")
    del pool.attribute[:]


def _without_values(model) -> None:
    model.graph.initializer[-1].raw_data = b"\0"


def _with_a_width_that_is_no_number(model) -> None:
    quantiser = next(node for node in model.graph.node if node.op_type == "Quant")
    tensor = next(each for each in model.graph.initializer if each.name == quantiser.input[3])
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(np.nan, np.float32), tensor.name))


@pytest.mark.parametrize(
    "damage",
    [_without_inputs, _without_scale, _without_window, _without_values, _with_a_width_that_is_no_number],
)
def test_a_malformed_graph_is_an_error_with_the_file(small, damage) -> None:
    path, _ = small()
    model = onnx.load(str(path))
    damage(model)
    onnx.save(model, str(path))
    with pytest.raises(BnnError, match=r"small\.onnx: expected a valid ONNX model"):
        read_qonnx(path)


def test_weights_of_another_rank_are_refused(tmp_path) -> None:
    graph = Graph([1, 1, 4, 4])
    graph.pixels()
    graph.node("Conv", graph.weights(np.ones((2, 1, 3)), 1), kernel_shape=[3])
    with pytest.raises(ImportRefused, match="3 dimensions, expected 4"):
        read_qonnx(graph.save(tmp_path / "line.onnx"))


def test_without_onnx_the_message_names_the_extra(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BnnError, match=r"pip install 'bnncore\[qonnx\]'"):
        read_qonnx(tmp_path / "any.onnx")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"not a model"])
def test_a_damaged_file_is_refused(tmp_path, content) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(BnnError, match=r"bad\.onnx"):
        read_qonnx(tmp_path / "bad.onnx")
