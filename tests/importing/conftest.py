"""State dicts as Brevitas' BNN-PYNQ models have them, and what those models compute, without Brevitas."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install bnncore[train]")
functional = torch.nn.functional

CONVOLUTIONS = ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256))
POOLED = (1, 3)


def _norm(state, name, features, rng, spread) -> None:
    state[f"{name}.weight"] = rng.normal(size=features)
    state[f"{name}.bias"] = rng.normal(0, 0.5, features)
    state[f"{name}.running_mean"] = rng.normal(0, spread / 4, features)
    state[f"{name}.running_var"] = rng.uniform(0.1, 1, features) * spread**2
    state[f"{name}.num_batches_tracked"] = np.array(1)


def _tensor_norm(state, name, sign) -> None:
    for key, value in (("weight", 0.7 * sign), ("bias", 0.1), ("running_mean", 3.0), ("running_var", 500.0)):
        state[f"{name}.{key}"] = np.array([value])


@pytest.fixture
def cnv_state():
    """Return a function that makes a random state dict of CNV."""

    def make(seed: int = 0, sign: float = 1.0, classes: int = 10) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        state: dict[str, np.ndarray] = {}
        number = 1
        for position, (channels, outputs) in enumerate(CONVOLUTIONS):
            name = f"conv_features.{number}"
            state[f"{name}.weight"] = rng.uniform(-1, 1, (outputs, channels, 3, 3))
            spread = (channels * 9) ** 0.5
            _norm(state, f"conv_features.{number + 1}", outputs, rng, spread if channels > 3 else spread / 2)
            number += 4 if position in POOLED else 3
        for number, (inputs, outputs) in ((0, (256, 512)), (3, (512, 512))):
            state[f"linear_features.{number}.weight"] = rng.uniform(-1, 1, (outputs, inputs))
            _norm(state, f"linear_features.{number + 1}", outputs, rng, inputs**0.5)
        state["linear_features.6.weight"] = rng.uniform(-1, 1, (classes, 512))
        _tensor_norm(state, "linear_features.7", sign)
        return {key: value.astype(np.float32) for key, value in state.items()}

    return make


@pytest.fixture
def lfc_state():
    """Return a function that makes a random state dict of LFC."""

    def make(seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        state: dict[str, np.ndarray] = {}
        for number, (inputs, outputs) in ((2, (784, 1024)), (6, (1024, 1024)), (10, (1024, 1024))):
            state[f"features.{number}.weight"] = rng.uniform(-1, 1, (outputs, inputs))
            _norm(state, f"features.{number + 1}", outputs, rng, inputs**0.5)
        state["features.14.weight"] = rng.uniform(-1, 1, (10, 1024))
        _tensor_norm(state, "features.15", 1.0)
        return {key: value.astype(np.float32) for key, value in state.items()}

    return make


def _quantized(weight, bits):
    return torch.where(weight >= 0, 1.0, -1.0).double() if bits == 1 else weight.round().clamp(-1, 1)


def _normalized(x, state, name, epsilon):
    weight, bias, mean, variance = (
        torch.from_numpy(state[f"{name}.{key}"]).double()
        for key in ("weight", "bias", "running_mean", "running_var")
    )
    shape = (-1, *(1,) * (x.dim() - 2))
    slope = weight / torch.sqrt(variance + epsilon)
    return (x - mean.view(shape)) * slope.view(shape) + bias.view(shape)


@pytest.fixture
def brevitas_forward():
    """Return a function that evaluates a state dict in float64, as Brevitas' modules do."""

    def forward(state, images: np.ndarray, weight_bits: int, activation_bits: int) -> np.ndarray:
        weights = {
            key: torch.from_numpy(value).double() for key, value in state.items() if key.endswith("weight")
        }
        x = torch.from_numpy(images).double() / 255
        convolutional = "conv_features.1.weight" in state
        epsilon = 1e-4 if convolutional else 1e-5
        if convolutional:
            x = ((2 * x - 1).permute(0, 3, 1, 2) * 128).round().clamp(-128, 127) / 128
            names, step = [1, 4, 8, 11, 15, 18], "conv_features"
        else:
            x = _quantized(2 * x.flatten(1) - 1, 1)
            names, step = [2, 6, 10], "features"
        for position, number in enumerate(names):
            weight = _quantized(weights[f"{step}.{number}.weight"], weight_bits)
            x = functional.conv2d(x, weight) if weight.dim() == 4 else functional.linear(x, weight)
            x = _quantized(_normalized(x, state, f"{step}.{number + 1}", epsilon), activation_bits)
            if convolutional and position in POOLED:
                x = functional.max_pool2d(x, 2)
        last, final = "features.14", "features.15"
        if convolutional:
            x = x.flatten(1)
            for number in (0, 3):
                x = functional.linear(x, _quantized(weights[f"linear_features.{number}.weight"], weight_bits))
                x = _quantized(_normalized(x, state, f"linear_features.{number + 1}", epsilon), activation_bits)
            last, final = "linear_features.6", "linear_features.7"
        x = functional.linear(x, _quantized(weights[f"{last}.weight"], weight_bits))
        return _normalized(x, state, final, 1e-4).numpy()

    return forward
