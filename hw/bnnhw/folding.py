"""Logical parameters to accelerator words and back (docs/reference/bnn-pynq-parameters.md#word-order).

Row r of a layer lives in memory (PE) r mod PE at fold r div PE; input i is lane i mod SIMD of word
i div SIMD. A word holds SIMD weights, lane 0 lowest. A fan-in that SIMD does not divide is padded: pad
inputs are 0 bits, pad weights are 1 bits, and the thresholds make up for what the pad adds.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from attrs import evolve, frozen

from bnnhw.errors import NetworkError
from bnnhw.network import LayerParameters
from bnnhw.topology import FoldingLayer, MatrixStage

__all__ = ["FoldedLayer", "fold", "folded_fan_in", "stored_bits", "unfold"]


@frozen(kw_only=True, eq=False)
class FoldedLayer:
    """One layer as an accelerator stores it.

    Attributes:
        weights: uint64 [PE, folds * words a row].
        thresholds: int64 [PE, folds, thresholds a neuron]; kept even if there are none.
    """

    weights: npt.NDArray[np.uint64]
    thresholds: npt.NDArray[np.int64]


def folded_fan_in(stage: MatrixStage, folding: FoldingLayer) -> int:
    """Return the fan-in rounded up to whole words (784 becomes 832 with SIMD 64)."""
    return -(-stage.fan_in // folding.simd) * folding.simd


def stored_bits(stage: MatrixStage) -> int:
    """Return how many low bits of a threshold word the accelerator keeps: 24 for pixels, else 16."""
    return 24 if stage.sees_pixels else 16


def fold(stage: MatrixStage, folding: FoldingLayer, weight_bits: int, layer: LayerParameters) -> FoldedLayer:
    """Return the words that an accelerator of this folding stores for a layer.

    Raises:
        NetworkError: if a threshold does not fit the accelerator's width.
    """
    fan_in = folded_fan_in(stage, folding)
    pad = fan_in - stage.fan_in
    codes = layer.weights.astype(np.int64)
    codes = (codes > 0).astype(np.uint64) if weight_bits == 1 else (codes & 3).astype(np.uint64)
    # A pad weight is the code 1: +1 in either width.
    codes = np.pad(codes, ((0, 0), (0, pad)), constant_values=1)
    folds = stage.outputs // folding.pe
    lanes = codes.reshape(folds, folding.pe, fan_in // folding.simd, folding.simd)
    shifts = np.arange(folding.simd, dtype=np.uint64) * np.uint64(weight_bits)
    words = (lanes << shifts).sum(axis=-1, dtype=np.uint64)
    thresholds = layer.thresholds.astype(np.int64) + _pad_effect(stage, np.full(stage.outputs, pad), pad)
    low, high = _range(stage)
    outside = (thresholds < low) | (thresholds > high)
    if outside.any():
        raise NetworkError(
            f"layer {stage.number}: threshold {thresholds[outside].flat[0]} does not fit the accelerator's "
            f"{stored_bits(stage)} bits ({low} to {high}); these parameters run on numpy and cpu only"
        )
    return FoldedLayer(
        weights=np.ascontiguousarray(words.transpose(1, 0, 2)).reshape(folding.pe, -1),
        thresholds=np.ascontiguousarray(
            thresholds.reshape(folds, folding.pe, stage.thresholds).transpose(1, 0, 2)
        ),
    )


def unfold(stage: MatrixStage, folding: FoldingLayer, weight_bits: int, folded: FoldedLayer) -> LayerParameters:
    """Return the logical parameters that an accelerator of this folding would compute with.

    Thresholds keep only their low bits, as in the accelerator. Pads of any weight are accounted for.
    """
    fan_in = folded_fan_in(stage, folding)
    folds = stage.outputs // folding.pe
    words = folded.weights.reshape(folding.pe, folds, -1).transpose(1, 0, 2)
    shifts = np.arange(folding.simd, dtype=np.uint64) * np.uint64(weight_bits)
    mask = np.uint64((1 << weight_bits) - 1)
    codes = ((words[..., None] >> shifts) & mask).astype(np.int8).reshape(stage.outputs, fan_in)
    weights = np.where(codes > 0, 1, -1) if weight_bits == 1 else np.where(codes > 1, codes - 4, codes)
    pad_sum = weights[:, stage.fan_in :].sum(axis=1, dtype=np.int64)
    bits = stored_bits(stage)
    thresholds = folded.thresholds.transpose(1, 0, 2).reshape(stage.outputs, stage.thresholds)
    thresholds = ((thresholds + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1))
    thresholds = thresholds - _pad_effect(stage, pad_sum, fan_in - stage.fan_in)
    return LayerParameters(
        weights=np.ascontiguousarray(weights[:, : stage.fan_in]).astype(np.int8),
        thresholds=np.ascontiguousarray(thresholds).astype(np.int32),
    )


def _pad_effect(stage: MatrixStage, pad_sum: npt.NDArray[np.int64], pad: int) -> npt.NDArray[np.int64]:
    """Return what the pad adds to each row's accumulator, int64 [outputs, 1].

    ``pad_sum`` is the sum of the row's pad weights. Pad inputs are the code 0, which stands for the number 0
    where inputs can be that, else for -1: what a padded convolution sees beyond its map.
    """
    wider = evolve(stage, fan_in=stage.fan_in + pad)
    effect = (stage.blank * pad_sum + wider.offset - stage.offset) / stage.unit
    return effect.astype(np.int64)[:, None]


def _range(stage: MatrixStage) -> tuple[int, int]:
    half = 1 << (stored_bits(stage) - 1)
    return -half, half - 1
