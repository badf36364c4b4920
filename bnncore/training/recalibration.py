"""Recalibrating batch normalisation: its statistics measured anew, before they become thresholds."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from bnncore.training.trainable import TrainableNetwork

__all__ = ["recalibrate"]


@torch.no_grad()
def recalibrate(network: TrainableNetwork, batches: Iterable[Tensor]) -> None:
    """Replace running means and variances by those of given images, layer by layer.

    The running ones are of the last few batches, and of layers before that were normalised by each batch itself.
    Neurons that answer with a sign notice: which way one turns hangs on small differences.

    Args:
        network: is changed, and left in evaluation.
        batches: encoded images, float32. All of their maps are kept in memory, one layer at a time.
    """
    network.eval()
    maps = list(batches)
    for layer in network.layers:
        norm = layer.norm
        if norm is None:
            return
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for x in maps:
            sums = layer.accumulate(x).double()
            others = [0, *range(2, sums.dim())]
            count += sums.numel() // sums.shape[1]
            total, squares = total + sums.sum(others), squares + (sums * sums).sum(others)
        mean = total / count
        norm.mean.copy_(mean)
        norm.variance.copy_((squares / count - mean * mean).clamp_(min=0))
        for position, x in enumerate(maps):
            maps[position] = network.activate(norm(layer.accumulate(x)))
