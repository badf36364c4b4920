"""Rows for the outputs of a network that stand for no class."""

from __future__ import annotations

import numpy as np
from bnnhw.network import LayerParameters

__all__ = ["padded"]

# Beyond any accumulator, and what BNN-PYNQ writes in the rows of classes that do not exist.
_NEVER = 32767


def padded(parameters: LayerParameters, outputs: int, weight_bits: int) -> LayerParameters:
    """Return a layer with more outputs, filled as in BNN-PYNQ.

    Args:
        parameters: of the outputs that were trained, the first ones.
        outputs: how many there are to be.
        weight_bits: 1 fills with weights of +1, 2 with 0; thresholds never fire.
    """
    missing = outputs - len(parameters.weights)
    filler = 1 if weight_bits == 1 else 0
    return LayerParameters(
        weights=np.pad(parameters.weights, ((0, missing), (0, 0)), constant_values=filler),
        thresholds=np.pad(parameters.thresholds, ((0, missing), (0, 0)), constant_values=_NEVER),
    )
