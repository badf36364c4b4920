"""Brevitas' BNN-PYNQ models, from their state dict.

Layout: ``brevitas_examples/bnn_pynq/models/CNV.py`` and ``FC.py`` of https://github.com/Xilinx/brevitas. The
entries are numbered as the modules are: ``conv_features.1.weight`` and so on; batch normalisation follows
each layer with weights, and the last is followed by one scale and shift for all classes. A state dict holds
neither bit widths nor the epsilon of the normalisation: the caller says the widths, the family fixes epsilon.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen
from bnnhw.network import Network
from bnnhw.topology import Input

from bnncore.importing.chain import ChainLayer, ImportRefused, Scaling, Step, build_network, quantized
from bnncore.importing.precision import parse_precision
from bnncore.importing.recognition import recognise
from bnncore.importing.state_dicts import plain_names
from bnncore.importing.tensors import read_checkpoint, read_safetensors
from bnncore.plain_text import shown
from bnncore.thresholds.absorb import AffineStep

__all__ = ["from_state_dict", "read_brevitas"]

Array = npt.NDArray[Any]

_NORM = ("weight", "bias", "running_mean", "running_var")


@frozen(kw_only=True)
class _Family:
    """One of the two architectures.

    Attributes:
        name: start of a topology's name.
        lists: names of the module lists, in the order of the data.
        given: the input.
        epsilon: of batch normalisation, which a state dict does not hold.
        spacing: modules from one layer with weights to the next without a pool between them.
    """

    name: str
    lists: tuple[str, ...]
    given: Input
    epsilon: float
    spacing: int


_CNV = _Family(
    name="cnv",
    lists=("conv_features", "linear_features"),
    given=Input(height=32, width=32, channels=3, bits=8),
    epsilon=1e-4,
    spacing=3,
)
_FC = _Family(
    name="lfc", lists=("features",), given=Input(height=28, width=28, bits=1), epsilon=1e-5, spacing=4
)


def read_brevitas(path: Path, precision: str) -> Network:
    """Read a checkpoint file that PyTorch wrote, or a file of safetensors, without PyTorch.

    Only tensors and plain containers are read; nothing in the file is run.

    Args:
        path: ``.pth``, ``.tar`` and so on, with a state dict under one of the usual keys, or ``.safetensors``.
        precision: as in ``from_state_dict``.

    Raises:
        BnnError: if the file cannot be read.
        ImportRefused: see ``from_state_dict``, and if an entry is no plain tensor.
    """
    kind = recognise(path)
    read = read_safetensors if kind is not None and kind.reader == "safetensors" else read_checkpoint
    state = read(path)
    try:
        return from_state_dict(state, precision)
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from error


def from_state_dict(state: Mapping[str, Array], precision: str) -> Network:
    """Return the integer network that answers as Brevitas' model in evaluation.

    CNV becomes BNN-PYNQ's network of that precision. LFC, whose last layer has scores in Brevitas where
    BNN-PYNQ has one bit a class, becomes a topology of its own that keeps the scores.

    Args:
        state: name of each tensor, as ``model.state_dict()``, and its values.
        precision: ``W1A1``, ``W1A2`` or ``W2A2``: bits of weights and activations.

    Raises:
        ImportRefused: if it is neither CNV nor LFC, has entries that these do not have, numbers that are not
            finite, or pixels of two bits (LFC W1A2), for which there is no input here.
    """
    weight_bits, activation_bits = parse_precision(precision)
    for name in state:
        if not isinstance(name, str):
            raise ImportRefused(f"expected the names of tensors as keys, found {shown(name)}")
    entries = {name: np.asarray(value) for name, value in plain_names(state).items()}
    family = _CNV if any(name.startswith("conv_features.") for name in entries) else _FC
    if family is _FC and activation_bits == 2:
        raise ImportRefused(
            "Brevitas' fully connected networks with two-bit activations also see two-bit pixels (-1, 0, +1); "
            "networks here see pixels of eight bits or one"
        )
    layers = _layers(family, _modules(family, entries), weight_bits, activation_bits)
    given = family.given if family is _FC else _with_channels(family.given, layers[0])
    return build_network(f"{family.name}{precision}-scores", given, layers, len(layers[-1].weights))


def _with_channels(given: Input, first: ChainLayer) -> Input:
    return Input(height=given.height, width=given.width, channels=first.weights.shape[1], bits=given.bits)


def _modules(family: _Family, entries: Mapping[str, Array]) -> list[tuple[str, int, dict[str, Array]]]:
    """Return (list, number, entries) of each module with entries, in the order of the data."""
    modules: dict[tuple[int, int], dict[str, Array]] = {}
    for name, value in entries.items():
        parts = name.split(".")
        if len(parts) != 3 or parts[0] not in family.lists or not parts[1].isdecimal():
            raise ImportRefused(
                f"the entry {shown(name)} belongs to no CNV or LFC of Brevitas' bnn_pynq examples"
            )
        modules.setdefault((family.lists.index(parts[0]), int(parts[1])), {})[parts[2]] = value
    return [(family.lists[place], number, modules[place, number]) for place, number in sorted(modules)]


def _layers(
    family: _Family, modules: list[tuple[str, int, dict[str, Array]]], weight_bits: int, activation_bits: int
) -> list[ChainLayer]:
    matrices, norms = modules[0::2], modules[1::2]
    if not modules or len(matrices) != len(norms):
        raise ImportRefused("expected a normalisation after every layer with weights")
    layers = []
    for position, (matrix, norm) in enumerate(zip(matrices, norms)):
        where = f"{matrix[0]}.{matrix[1]}"
        if set(matrix[2]) != {"weight"} or matrix[2]["weight"].ndim not in (2, 4):
            raise ImportRefused(f"{where}: expected one matrix or kernel of weights, found {sorted(matrix[2])}")
        values = {name: value.astype(np.float64) for name, value in norm[2].items() if name in _NORM}
        if len(values) != len(_NORM) or set(norm[2]) - {*_NORM, "num_batches_tracked"}:
            raise ImportRefused(f"{norm[0]}.{norm[1]}: expected a batch normalisation, found {sorted(norm[2])}")
        for name, value in values.items():
            if not np.isfinite(value).all():
                raise ImportRefused(
                    f"{norm[0]}.{norm[1]}.{name}: not all numbers are finite; the training has diverged"
                )
        if (values["running_var"] < 0).any():
            raise ImportRefused(f"{norm[0]}.{norm[1]}.running_var: a variance is negative")
        weights = quantized(matrix[2]["weight"], weight_bits, f"{where}.weight")
        if position == len(matrices) - 1:
            if values["weight"].shape != (1,):
                raise ImportRefused(f"{norm[0]}.{norm[1]}: expected one scale for all classes")
            layers.append(ChainLayer(weights=weights, after=Scaling(factor=float(values["weight"][0]))))
            continue
        following = matrices[position + 1]
        pooled = following[0] == matrix[0] and following[1] - matrix[1] == family.spacing + 1
        step = Step(
            norm=AffineStep(
                mean=values["running_mean"],
                variance=values["running_var"],
                scale=values["weight"],
                shift=values["bias"],
                epsilon=family.epsilon,
            ),
            bits=activation_bits,
        )
        layers.append(ChainLayer(weights=weights, after=step, pools=((2, 2),) if pooled else ()))
    return layers
