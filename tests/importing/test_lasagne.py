"""Lasagne's parameters become integer networks that decide as the trained ones do, for every picture."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from attrs import frozen
from bnnhw import reference
from bnnhw.network import Network
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from hypothesis import given, settings
from hypothesis import strategies as st

import bnncore
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.cli import main
from bnncore.errors import BnnError
from bnncore.formats.binparam import read_binparam, write_binparam
from bnncore.importing.chain import ImportRefused
from bnncore.importing.lasagne import Pooling, from_arrays, read_lasagne

PRECISIONS = ((1, 1), (1, 2), (2, 2))


@frozen(kw_only=True, eq=False)
class Plan:
    """A network as the scripts build one: convolutions (outputs, kernel, pooled) and dense layers (outputs)."""

    given: Input
    convolutions: tuple[tuple[int, int, bool], ...]
    dense: tuple[int, ...]
    scalar: bool

    def topology(self, weight_bits: int, activation_bits: int) -> Topology:
        layers: list[Conv | Pool | Dense] = []
        for outputs, kernel, pooled in self.convolutions:
            layers += [Conv(outputs=outputs, kernel=kernel), *([Pool()] if pooled else [])]
        return Topology(
            name="plan",
            input=self.given,
            layers=(*layers, *(Dense(outputs=outputs) for outputs in self.dense)),
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            output="scores" if self.scalar else "bits",
        )


LFC = Plan(
    given=Input(height=28, width=28, bits=1), convolutions=(), dense=(1024, 1024, 1024, 10), scalar=False
)
CNV = Plan(
    given=Input(height=32, width=32, channels=3),
    convolutions=(
        (64, 3, False),
        (64, 3, True),
        (128, 3, False),
        (128, 3, True),
        (256, 3, False),
        (256, 3, False),
    ),
    dense=(512, 512, 10),
    scalar=True,
)


def trained(plan: Plan, seed: int, *, coarse: bool = False) -> list[np.ndarray]:
    """Return arrays in Lasagne's order; coarse ones are multiples of 1/4, so sums lie exactly on the steps."""
    rng = np.random.default_rng(seed)

    def real(low: float, high: float, *shape: int) -> np.ndarray:
        values = rng.uniform(low, high, shape)
        return (np.round(values * 4) / 4 if coarse else values).astype(np.float32)

    side, channels = plan.given.height, plan.given.channels
    arrays: list[np.ndarray] = []
    for outputs, kernel, pooled in plan.convolutions:
        arrays += [real(-1, 1, outputs, channels, kernel, kernel), real(-1, 1, outputs)]
        arrays += norm(real, rng, kernel * channels**0.5, outputs, coarse=coarse)
        side, channels = (side - kernel + 1) // (2 if pooled else 1), outputs
    inputs = side * side * channels if plan.convolutions else plan.given.height * plan.given.width * channels
    for number, outputs in enumerate(plan.dense):
        arrays.append(real(-1, 1, inputs, outputs))
        if plan.scalar and number == len(plan.dense) - 1:
            scale = np.float32(rng.choice((-0.5, 0.75)))
            arrays += [np.float32(0.25), scale, np.float32(2), np.float32(0.125)]
        else:
            arrays.append(real(-1, 1, outputs))
            arrays += norm(real, rng, inputs**0.5, outputs, coarse=coarse)
        inputs = outputs
    return arrays


def norm(real, rng, deviation: float, outputs: int, *, coarse: bool) -> list[np.ndarray]:
    scale = real(-1, 1, outputs)
    scale[rng.random(outputs) < 0.1] = 0
    if coarse:
        return [real(-1, 1, outputs), scale, real(-3, 3, outputs), rng.choice((0.25, 0.5, 1), outputs)]
    return [
        real(-1, 1, outputs),
        scale,
        real(-deviation / 3, deviation / 3, outputs),
        real(0.5 / deviation, 2 / deviation, outputs),
    ]


def stepped(values: np.ndarray, bits: int) -> np.ndarray:
    """Round as the scripts' ``round3`` does, halves away from 0 after a shift to 0 and above: up."""
    return np.where(values >= 0, 1.0, -1.0) if bits == 1 else np.clip(np.floor(values + 0.5), -1, 1)


def forward(plan: Plan, arrays, images, weight_bits, activation_bits, pooling: Pooling = "sums") -> np.ndarray:
    """Return what the trained network computes, before the last step, in float64."""
    x = np.array(plan.given.values, np.float64)[images] / (128 if plan.given.bits == 8 else 1)
    x = x.reshape(len(images), plan.given.height, plan.given.width, -1).transpose(0, 3, 1, 2)
    rest = [np.asarray(array, np.float64) for array in arrays]
    layers = [*plan.convolutions, *((outputs, 0, False) for outputs in plan.dense)]
    for number, (_, kernel, pooled) in enumerate(layers):
        weights = stepped(rest.pop(0), weight_bits)
        bias = 0 if plan.scalar and number == len(layers) - 1 else rest.pop(0)
        beta, gamma, mean, inverse = rest[:4]
        del rest[:4]
        if kernel:
            windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(2, 3))
            x = np.einsum("nchwyx,ocyx->nohw", windows, weights, optimize=True)
        else:
            x = x.reshape(len(x), -1) @ weights
        last = number == len(layers) - 1

        def after(x, bias=bias, mean=mean, gamma=gamma, inverse=inverse, beta=beta, last=last):
            x = np.moveaxis((np.moveaxis(x, 1, -1) + bias - mean) * (gamma * inverse) + beta, -1, 1)
            return x if last else stepped(x, activation_bits)

        if pooling == "activations":
            x = after(x)
        if pooled:
            height, width = x.shape[2] // 2, x.shape[3] // 2
            x = x[:, :, : 2 * height, : 2 * width].reshape(*x.shape[:2], height, 2, width, 2).max(axis=(3, 5))
        if pooling == "sums":
            x = after(x)
    assert not rest
    return x


def pictures(shape: Input, count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape.shape), np.uint8)


def assert_equal_decisions(
    network: Network, plan: Plan, arrays, images, bits, pooling: Pooling = "sums"
) -> None:
    expected = forward(plan, arrays, images, bits[0], bits[1], pooling)
    found = reference.scores(network, images)[:, : plan.dense[-1]]
    if not plan.scalar:
        assert (found == (expected >= 0)).all()
        return
    # Undo what the last normalisation does for all classes alike.
    beta, gamma, mean, inverse = (np.float64(each) for each in arrays[-4:])
    sums = np.sign(gamma) * ((expected - beta) / (gamma * inverse) + mean)
    if len(network.layers) == 1 and plan.given.bits == 8:
        assert np.array_equal(found, np.rint(256 * sums))
    else:
        fan_in = network.layers[-1].weights.shape[1]
        assert np.array_equal(2 * found - fan_in if bits == (1, 1) else found, np.rint(sums))


plans = st.builds(
    Plan,
    given=st.builds(
        Input, height=st.just(17), width=st.just(17), channels=st.integers(1, 3), bits=st.sampled_from((1, 8))
    ),
    convolutions=st.lists(
        st.tuples(st.integers(1, 6), st.integers(1, 2), st.booleans()), min_size=0, max_size=3
    ).map(tuple),
    dense=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    scalar=st.booleans(),
)


@given(
    plans,
    st.integers(0, 2**32 - 1),
    st.sampled_from(PRECISIONS),
    st.booleans(),
    st.sampled_from(("sums", "activations")),
)
@settings(deadline=None, max_examples=150)
def test_every_decision_is_that_of_the_trained_network(plan, seed, bits, coarse, pooling) -> None:
    topology = plan.topology(*bits)
    arrays, images = trained(plan, seed, coarse=coarse), pictures(plan.given, 20, seed)
    network = from_arrays(arrays, topology.precision, topology, pooling=pooling)
    assert network.topology == topology
    assert_equal_decisions(network, plan, arrays, images, bits, pooling)


@pytest.mark.parametrize("bits", [(1, 1), (1, 2)])
def test_lfc_is_recognised_and_exact(bits) -> None:
    precision = "W{}A{}".format(*bits)
    arrays, images = trained(LFC, 3), pictures(LFC.given, 300)
    network = from_arrays(arrays, precision)
    assert network.topology == TOPOLOGIES[f"lfc{precision}"]
    assert_equal_decisions(network, LFC, arrays, images, bits)
    assert (network.layers[-1].weights[10:] == 1).all()
    assert not reference.scores(network, images)[:, 10:].any()


@pytest.mark.parametrize("bits", [(1, 1), (1, 2)])
def test_what_was_imported_goes_to_a_board(tmp_path, bits) -> None:
    network = from_arrays(trained(LFC, 3), "W{}A{}".format(*bits))
    name, digits = network.topology.name, [str(digit) for digit in range(10)]
    write_binparam(tmp_path / name, network, FOLDINGS[name], digits)
    again, _ = read_binparam(tmp_path / name, network.topology, FOLDINGS[name])
    for ours, theirs in zip(network.layers, again.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)


@pytest.mark.slow
@pytest.mark.parametrize("bits", PRECISIONS)
def test_cnv_is_recognised_and_exact(bits) -> None:
    precision = "W{}A{}".format(*bits)
    arrays, images = trained(CNV, 4), pictures(CNV.given, 12)
    network = from_arrays(arrays, precision)
    assert network.topology == TOPOLOGIES[f"cnv{precision}"]
    assert_equal_decisions(network, CNV, arrays, images, bits)


def test_every_picture_of_a_small_network() -> None:
    """Without a bias, as some scripts leave it out, and with weights of exactly 0."""
    rng = np.random.default_rng(0)
    weights = np.array([[0, -0.5, 1], [-0.0, 0.5, -1], [-1, 0, 0.25], [1, -1e-30, 0]], np.float32)
    arrays = [
        weights,
        *(rng.integers(-2, 3, 3).astype(np.float32) for _ in range(3)),
        np.full(3, 0.5, np.float32),
    ]
    images = np.array(list(product((0, 255), repeat=4)), np.uint8).reshape(16, 2, 2)
    network = from_arrays(arrays, "W1A1")
    beta, gamma, mean, inverse = (each.astype(np.float64) for each in arrays[1:])
    sums = np.where(images.reshape(16, 4) == 255, 1.0, -1.0) @ np.where(weights >= 0, 1.0, -1.0)
    expected = (sums - mean) * gamma * inverse + beta >= 0
    assert network.topology.input == Input(height=2, width=2, bits=1)
    assert np.array_equal(reference.scores(network, images), expected)


def test_where_a_step_is_met_exactly_the_activation_has_taken_it() -> None:
    # Sums of -2, 0 and 2 with steps at -2 and 0 for an activation of two bits.
    arrays = [
        np.ones((2, 1), np.float32),
        *(np.full(1, value, np.float32) for value in (0, 0, 0.5, -1, 0.5)),
        np.ones((1, 1), np.float32),
        *(np.full(1, value, np.float32) for value in (0, 0, 1, 1, 1)),
    ]
    topology = Topology(
        name="two",
        input=Input(height=1, width=2, bits=1),
        layers=(Dense(outputs=1), Dense(outputs=1)),
        activation_bits=2,
        output="bits",
    )
    network = from_arrays(arrays, "W1A2", topology)
    images = np.array([[[0, 0]], [[0, 255]], [[255, 255]]], np.uint8)
    # y = (s + 1) / 4 is -1/4, 1/4 and 3/4.
    assert network.layers[0].thresholds.tolist() == [[-4, 0]]
    assert reference.scores(network, images).tolist() == [[0], [0], [1]]
    arrays[3] = np.ones(1, np.float32)
    # y = (s + 1) / 2: 1/2 is met at a sum of 0.
    assert from_arrays(arrays, "W1A2", topology).layers[0].thresholds.tolist() == [[-3, -1]]


def test_arrays_of_other_types_and_orders_are_read_exactly(tmp_path) -> None:
    plan = Plan(given=Input(height=3, width=3, bits=1), convolutions=(), dense=(5, 4), scalar=False)
    arrays = [np.asfortranarray(array.astype(np.float64)) for array in trained(plan, 8)]
    # A float32 would make 0 of it, and +1 of that.
    arrays[0][0, 0] = -1e-60
    np.savez_compressed(tmp_path / "odd.npz", *arrays)
    network = read_lasagne(tmp_path / "odd.npz", "W1A1")
    assert network.layers[0].weights[0, 0] == -np.sign(arrays[3][0]) or arrays[3][0] >= 0
    assert_equal_decisions(network, plan, arrays, pictures(plan.given, 50), (1, 1))


def test_one_normalisation_for_all_classes_may_be_an_array_of_one() -> None:
    plan = Plan(given=Input(height=3, width=3, bits=1), convolutions=(), dense=(5, 4), scalar=True)
    arrays = trained(plan, 8)
    flat = [*arrays[:-4], *(np.atleast_1d(array) for array in arrays[-4:])]
    network = from_arrays(flat, "W1A1")
    assert network.topology.output == "scores"
    assert_equal_decisions(network, plan, arrays, pictures(plan.given, 20), (1, 1))


def test_scores_that_only_a_bias_or_no_scale_would_order_are_refused() -> None:
    plan = Plan(given=Input(height=3, width=3, bits=1), convolutions=(), dense=(5, 4), scalar=True)
    arrays = trained(plan, 8)
    with pytest.raises(ImportRefused, match="arr_6: scores with a bias for each class"):
        from_arrays([*arrays[:7], np.arange(4.0), *arrays[7:]], "W1A1")
    arrays[-3] = np.float32(0)
    with pytest.raises(ImportRefused, match="leaves no order among the classes"):
        from_arrays(arrays, "W1A1")


def changed(change) -> list[np.ndarray]:
    plan = Plan(given=Input(height=3, width=3, bits=1), convolutions=(), dense=(5, 4), scalar=False)
    arrays = trained(plan, 8)
    change(arrays)
    return arrays


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.__delitem__(slice(-2, None)), "arr_6: expected 5 arrays after the weights"),
        (lambda a: a.pop(0), "expected weights first"),
        (lambda a: a.clear(), "expected weights first"),
        (lambda a: a[3].fill(np.nan), "arr_3: not all numbers are finite"),
        (lambda a: a[0].fill(np.inf), "arr_0: not all numbers are finite"),
        (lambda a: a[5].fill(-1), "arr_5: expected the inverse of a deviation"),
        (
            lambda a: a.__setitem__(2, np.ones(6)),
            r"arr_2: expected 5 numbers, as the weights before it, found \[6\]",
        ),
        (lambda a: a.__setitem__(2, np.ones(())), r"arr_2: expected 5 numbers"),
        (lambda a: a.__setitem__(6, np.ones((7, 4))), "layer 1 has 7 inputs, expected 5"),
        (lambda a: a.__setitem__(6, np.ones((4, 5, 3, 3))), "expected convolutions first"),
        (lambda a: a.__setitem__(0, np.ones((9, 5, 1))), "2 or 4 dimensions"),
        (lambda a: a.__setitem__(0, np.ones((9, 5), complex)), "numbers of up to 64 bits, found complex128"),
        (lambda a: a.__setitem__(8, np.ones(())), "of one shape"),
    ],
)
def test_anything_else_is_refused_with_the_place(change, message) -> None:
    with pytest.raises(ImportRefused, match=message):
        from_arrays(changed(change), "W1A1")


def test_a_network_that_pads_is_refused_with_the_way() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(8, 3, 3, 3)), *(np.ones(8) for _ in range(5))]
    arrays += [rng.normal(size=(8 * 32 * 32, 10)), *(np.ones(10) for _ in range(5))]
    with pytest.raises(ImportRefused, match=r"8192 inputs after the convolutions, expected 7200 .* topology="):
        from_arrays(arrays, "W1A1")


def test_another_topology_is_refused_with_the_first_difference() -> None:
    with pytest.raises(ImportRefused, match="is not 'lfcW1A1': layer 1: expected 'dense 1024->1024'"):
        from_arrays(
            trained(Plan(given=LFC.given, convolutions=(), dense=(1024, 512, 64, 10), scalar=False), 0),
            "W1A1",
            TOPOLOGIES["lfcW1A1"],
        )
    with pytest.raises(ImportRefused, match="topology 'cnvW1A2' is W1A2, but precision='W1A1' is asked for"):
        from_arrays([np.ones((9, 5))], "W1A1", TOPOLOGIES["cnvW1A2"])


@pytest.fixture
def file(tmp_path):
    plan = Plan(given=Input(height=4, width=4, bits=1), convolutions=(), dense=(8, 3), scalar=False)
    arrays = trained(plan, 5)
    np.savez(tmp_path / "mnist_parameters.npz", *arrays)
    return tmp_path / "mnist_parameters.npz"


def test_from_the_training_s_file_to_an_answer(file, tmp_path, capsys) -> None:
    from PIL import Image

    with pytest.raises(SystemExit) as stopped:
        main(["import", str(file), "--precision", "W1A1", "--out", str(tmp_path / "ours.npz")])
    assert stopped.value.code == 0
    assert "mlpW1A1 (W1A1), 152 weights" in capsys.readouterr().out
    picture = np.random.default_rng(2).choice(np.array([0, 255], np.uint8), (4, 4))
    Image.fromarray(picture).save(tmp_path / "picture.png")
    classifier = bnncore.load(tmp_path / "ours.npz", backend="numpy")
    assert classifier.topology.input.shape == (4, 4)
    with pytest.raises(SystemExit) as stopped:
        main(["classify", str(tmp_path / "ours.npz"), str(tmp_path / "picture.png"), "--backend", "numpy"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out


def test_the_precision_is_asked_for_in_one_line(file, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["import", str(file), "--out", str(tmp_path / "ours.npz")])
    assert stopped.value.code == 2
    assert "--precision is missing" in capsys.readouterr().err


def test_the_precision_in_a_file_s_name_is_taken(file, tmp_path, capsys) -> None:
    named = file.rename(file.with_name("mnist-1w-2a.npz"))
    with pytest.raises(SystemExit) as stopped:
        main(["import", str(named), "--out", str(tmp_path / "ours.npz")])
    assert stopped.value.code == 0
    assert "(W1A2)" in capsys.readouterr().out


def test_a_named_topology_says_the_precision_and_the_rest(tmp_path, capsys) -> None:
    np.savez(tmp_path / "cifar10_parameters.npz", *trained(CNV, 2))
    options = ["--topology", "cnvW1A2", "--pooling", "activations", "--out", str(tmp_path / "ours.npz")]
    with pytest.raises(SystemExit) as stopped:
        main(["import", str(tmp_path / "cifar10_parameters.npz"), *options])
    assert stopped.value.code == 0
    assert "cnvW1A2 (W1A2)" in capsys.readouterr().out
    expected = from_arrays(trained(CNV, 2), "W1A2", TOPOLOGIES["cnvW1A2"], pooling="activations")
    found = bnncore.load(tmp_path / "ours.npz").network
    for ours, theirs in zip(found.layers, expected.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)


def test_classify_says_what_the_file_is_and_how_to_import_it(file, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["classify", str(file)])
    assert stopped.value.code == 1
    assert "trained with Lasagne" in (said := capsys.readouterr().err)
    assert f"bnncore import {file} --precision W1A1 --out" in said


def test_a_file_without_a_gap_is_asked_for(tmp_path) -> None:
    np.savez(tmp_path / "gap.npz", arr_0=np.ones((2, 2)), arr_2=np.ones(2))
    with pytest.raises(BnnError, match=r"gap\.npz: expected the arrays of Lasagne's parameters"):
        read_lasagne(tmp_path / "gap.npz", "W1A1")
