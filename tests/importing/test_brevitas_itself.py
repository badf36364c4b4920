"""Brevitas' own BNN-PYNQ models, computed by Brevitas, against their import. Skipped where it is not installed.

Brevitas 0.13 needs ``dependencies==2.0.1``; its exporter to QONNX needs ``onnx``, ``onnxoptimizer`` and
``onnxscript`` too.
"""

from __future__ import annotations

from configparser import ConfigParser

import numpy as np
import pytest
import torch
from bnnhw import reference

from bnncore.importing.brevitas import from_state_dict
from bnncore.importing.qonnx import read_qonnx

pytest.importorskip("brevitas", reason="Brevitas is not installed")

# Brevitas and the exporter of PyTorch warn of their own affairs.
pytestmark = pytest.mark.filterwarnings("ignore")

MODELS = (("cnv", 1, 1), ("cnv", 1, 2), ("cnv", 2, 2), ("lfc", 1, 1))
SIDE = {"cnv": 32, "lfc": 28}
FAN_IN = {"cnv": 512, "lfc": 1024}
EPSILON = 1e-4


def brevitas_model(family: str, weight_bits: int, activation_bits: int, seed: int):
    """Build Brevitas' model with random weights and normalisations; the last one turns the order if seed is odd."""
    from brevitas_examples.bnn_pynq.models.CNV import cnv
    from brevitas_examples.bnn_pynq.models.FC import fc

    config = ConfigParser()
    channels, input_bits = ("3", "8") if family == "cnv" else ("1", "1")
    config.read_dict(
        {
            "MODEL": {"NUM_CLASSES": "10", "IN_CHANNELS": channels, "OUT_FEATURES": "[1024, 1024, 1024]"},
            "QUANT": {
                "WEIGHT_BIT_WIDTH": str(weight_bits),
                "ACT_BIT_WIDTH": str(activation_bits),
                "IN_BIT_WIDTH": input_bits,
            },
        }
    )
    torch.manual_seed(seed)
    model = (cnv if family == "cnv" else fc)(config)
    rng = np.random.default_rng(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            count = module.num_features
            values = rng.normal(size=count), rng.normal(0, 0.5, count), rng.normal(0, 2.5, count)
            _set(module, *values, rng.uniform(10, 100, count))
        elif type(module).__name__ == "TensorNorm":
            _set(module, -0.75 if seed % 2 else 0.75, 0.125, 3.0, 500.0)
    return model.eval()


@torch.no_grad()
def _set(module, weight, bias, mean, variance) -> None:
    values = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    for name, value in values.items():
        getattr(module, name).copy_(torch.as_tensor(value).reshape(-1))


def random_images(family: str, count: int) -> np.ndarray:
    shape = (count, SIDE[family], SIDE[family], *((3,) if family == "cnv" else ()))
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def as_tensor(images: np.ndarray) -> torch.Tensor:
    pixels = torch.from_numpy(images).double() / 255
    return pixels.permute(0, 3, 1, 2) if pixels.dim() == 4 else pixels[:, None]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("family", "weight_bits", "activation_bits"), MODELS)
def test_the_scores_are_those_of_brevitas(family, weight_bits, activation_bits, seed) -> None:
    model = brevitas_model(family, weight_bits, activation_bits, seed)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    network = from_state_dict(state, f"W{weight_bits}A{activation_bits}")
    images = random_images(family, 20)
    with torch.no_grad():
        expected = model.double()(as_tensor(images)).numpy()
    sums = reference.scores(network, images)[:, :10].astype(np.float64)
    if weight_bits == activation_bits == 1:
        sums = 2 * sums - FAN_IN[family]
    turn = -1 if seed % 2 else 1
    found = (turn * sums - 3.0) / np.sqrt(500.0 + EPSILON) * (turn * 0.75) + 0.125
    assert found == pytest.approx(expected, abs=1e-9)
    # Otherwise dead activations could hide a difference.
    assert len({tuple(row) for row in expected}) == len(images)


@pytest.mark.parametrize(("family", "weight_bits", "activation_bits"), MODELS)
def test_its_export_to_qonnx_is_the_same_network(family, weight_bits, activation_bits, tmp_path) -> None:
    for needed in ("onnx", "onnxoptimizer", "onnxscript"):
        pytest.importorskip(needed, reason=f"Brevitas' exporter needs {needed}")
    from brevitas.export import export_qonnx

    model = brevitas_model(family, weight_bits, activation_bits, seed=1)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    path = tmp_path / "model.onnx"
    export_qonnx(model, args=as_tensor(random_images(family, 1)).float(), export_path=str(path), dynamo=False)
    found, expected = read_qonnx(path), from_state_dict(state, f"W{weight_bits}A{activation_bits}")
    assert found.topology.digest == expected.topology.digest
    for ours, theirs in zip(found.layers, expected.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)
