"""Brevitas' models become integer networks that answer alike, or are refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from bnnhw import reference

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.cli import main
from bnncore.errors import BnnError
from bnncore.importing.brevitas import from_state_dict, read_brevitas
from bnncore.importing.chain import ImportRefused

pytestmark = pytest.mark.slow


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def affine(scores: np.ndarray, popcount_of: int = 0, sign: float = 1.0) -> np.ndarray:
    """Return what the last normalisation makes of scores, as in the state dicts."""
    sums = 2 * scores - popcount_of if popcount_of else scores
    return (sign * sums - 3.0) / np.sqrt(500.0 + 1e-4) * np.float32(0.7 * sign) + np.float32(0.1)


@pytest.mark.parametrize(
    ("precision", "weight_bits", "activation_bits"), [("W1A1", 1, 1), ("W1A2", 1, 2), ("W2A2", 2, 2)]
)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_cnv_gives_the_same_scores(cnv_state, brevitas_forward, precision, weight_bits, activation_bits, sign):
    state, batch = cnv_state(sign=sign), images(12, 32, 32, 3)
    network = from_state_dict(state, precision)
    expected = brevitas_forward(state, batch, weight_bits, activation_bits)
    scores = reference.scores(network, batch)[:, :10].astype(np.float64)
    assert network.topology == TOPOLOGIES[f"cnv{precision}"]
    found = affine(scores, 512 if precision == "W1A1" else 0, sign)
    assert found == pytest.approx(expected, abs=1e-9)
    assert (scores.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_lfc_keeps_its_scores(lfc_state, brevitas_forward) -> None:
    state, batch = lfc_state(), images(40, 28, 28)
    network = from_state_dict(state, "W1A1")
    expected = brevitas_forward(state, batch, 1, 1)
    assert network.topology.output == "scores"
    assert affine(reference.scores(network, batch).astype(np.float64), 1024) == pytest.approx(
        expected, abs=1e-9
    )


def test_halves_are_rounded_to_even(cnv_state, brevitas_forward) -> None:
    state = cnv_state()
    for name, value in state.items():
        # y = s / 4 with whole means: many sums lie exactly on the steps at -1/2 and 1/2.
        if name.endswith("running_mean"):
            value[:] = value.round()
        elif name.endswith("running_var"):
            value[:] = 16 - 1e-4
        elif name.endswith("bias"):
            value[:] = 0
        elif value.ndim == 1 and name.endswith("weight"):
            value[:] = 1
    batch = images(4, 32, 32, 3)
    expected = brevitas_forward(state, batch, 1, 2)
    scores = reference.scores(from_state_dict(state, "W1A2"), batch)[:, :10].astype(np.float64)
    mean, variance = (state[f"linear_features.7.running_{key}"].astype(np.float64) for key in ("mean", "var"))
    assert (scores - mean) / np.sqrt(variance + 1e-4) == pytest.approx(expected, abs=1e-9)


def test_names_of_parallel_training_are_understood(cnv_state) -> None:
    state = {f"module.{name}": value for name, value in cnv_state().items()}
    assert from_state_dict(state, "W1A1").topology.name == "cnvW1A1"


def test_fewer_inputs_and_other_numbers_of_classes_are_kept(cnv_state) -> None:
    network = from_state_dict(cnv_state(classes=3), "W1A1")
    assert network.topology.outputs == 64
    assert (network.layers[-1].weights[3:] == 1).all()


def test_two_bit_pixels_are_refused(lfc_state) -> None:
    with pytest.raises(ImportRefused, match="two-bit pixels"):
        from_state_dict(lfc_state(), "W1A2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update({"features.0.alpha": np.ones(1)}), "belongs to no CNV"),
        (lambda s: s.update({"fc.weight": np.ones(1)}), "belongs to no CNV"),
        (lambda s: s.pop("conv_features.2.running_var"), "expected a batch normalisation"),
        (lambda s: s.pop("conv_features.4.weight"), "expected"),
        (lambda s: s.update({"conv_features.4.bias": np.ones(64)}), "one matrix or kernel"),
        (lambda s: s.update({"linear_features.7.weight": np.zeros(1)}), "no order among the classes"),
        (lambda s: s.update({"linear_features.7.weight": np.ones(10)}), "one scale for all classes"),
        (lambda s: s.update({"linear_features.0.weight": np.ones((512, 255))}), "255 inputs, expected 256"),
        (lambda s: s["conv_features.2.running_mean"].fill(np.nan), "finite"),
        (lambda s: s.clear(), "normalisation after every layer"),
    ],
)
def test_anything_else_is_refused_with_the_reason(cnv_state, change, message) -> None:
    state = cnv_state()
    change(state)
    with pytest.raises(BnnError, match=message):
        from_state_dict(state, "W1A1")


@pytest.mark.parametrize("precision", ["W1A3", "", "cnvW1A1", "W4A4"])
def test_an_unknown_precision_is_refused(cnv_state, precision) -> None:
    with pytest.raises(ImportRefused, match="precision"):
        from_state_dict(cnv_state(), precision)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_checkpoint_file_is_read(cnv_state, tmp_path, wrapped) -> None:
    state = {name: torch.from_numpy(value) for name, value in cnv_state().items()}
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "best.tar")
    network = read_brevitas(tmp_path / "best.tar", "W1A1")
    expected = from_state_dict(cnv_state(), "W1A1")
    assert network.topology == expected.topology
    for ours, theirs in zip(network.layers, expected.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)


class _Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle was run')",))


@pytest.mark.parametrize("content", [b"", b"noise" * 100])
def test_a_damaged_file_is_refused(tmp_path, content) -> None:
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(BnnError, match=r"bad\.pth"):
        read_brevitas(tmp_path / "bad.pth", "W1A1")


def test_a_hostile_file_is_not_run(tmp_path) -> None:
    torch.save({"state_dict": _Evil()}, tmp_path / "evil.pth")
    with pytest.raises(BnnError, match=r"evil\.pth"):
        read_brevitas(tmp_path / "evil.pth", "W1A1")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("precision", ["W1A1", "W2A2"])
@pytest.mark.parametrize(
    "entry",
    [
        "conv_features.8.weight",
        "conv_features.9.running_var",
        "linear_features.7.running_var",
        "linear_features.7.bias",
    ],
)
def test_numbers_that_are_not_finite_are_refused_with_their_place(cnv_state, entry, precision, value) -> None:
    state = cnv_state()
    state[entry].flat[0] = value
    with pytest.raises(ImportRefused, match=rf"{entry}: not all numbers are finite"):
        from_state_dict(state, precision)


def test_a_negative_variance_of_the_scores_is_refused(cnv_state) -> None:
    state = cnv_state()
    state["linear_features.7.running_var"][:] = -500
    with pytest.raises(ImportRefused, match="variance is negative"):
        from_state_dict(state, "W1A1")


@pytest.mark.parametrize(
    "kind", [torch.Tensor.bfloat16, torch.Tensor.double, lambda tensor: torch.nn.Parameter(tensor)]
)
def test_tensors_of_other_kinds_are_read_exactly(lfc_state, tmp_path, kind) -> None:
    rounded = {name: torch.from_numpy(value).bfloat16().float() for name, value in lfc_state().items()}
    # As a float32 it would be a zero, which is +1.
    tiny = torch.full((1,), -1e-60, dtype=torch.float64)
    state = {name: kind(value) for name, value in rounded.items()}
    if state["features.2.weight"].dtype == torch.float64:
        state["features.2.weight"].view(-1)[:1] = tiny
    torch.save(state, tmp_path / "other.pth")
    network = read_brevitas(tmp_path / "other.pth", "W1A1")
    expected = from_state_dict({name: value.detach().double().numpy() for name, value in state.items()}, "W1A1")
    for ours, theirs in zip(network.layers, expected.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({1: torch.ones(1)}, "names of tensors as keys, found 1"),
        ({"features.2.weight": torch.ones(2, 2).to_sparse()}, "plain tensor of real numbers"),
        ({"features.2.weight": torch.ones(2, 2, dtype=torch.complex64)}, "found complex ones"),
        ({"features.².weight": torch.ones(2, 2)}, "belongs to no CNV"),
    ],
)
def test_other_contents_are_refused_with_the_reason(tmp_path, content, message) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(ImportRefused, match=message) as caught:
        read_brevitas(tmp_path / "odd.pth", "W1A1")
    assert "odd.pth" in str(caught.value)


def test_a_checkpoint_is_read_without_pytorch(lfc_state, tmp_path, monkeypatch, capsys) -> None:
    torch.save({name: torch.from_numpy(value) for name, value in lfc_state().items()}, tmp_path / "x.pth")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit) as stopped:
        main(["import", str(tmp_path / "x.pth"), "--precision", "W1A1", "--out", str(tmp_path / "x.npz")])
    assert stopped.value.code == 0, capsys.readouterr().err
