"""Starting from integer parameters: those of a plugin, of BNN-PYNQ, or of an earlier run."""

from __future__ import annotations

import torch
from bnnhw.network import Network
from torch import Tensor

from bnncore.errors import BnnError
from bnncore.thresholds.absorb import accumulator_unit, step_positions
from bnncore.training.trainable import TrainableNetwork

__all__ = ["start_from"]

# Of the latent weights that signs become: small, so that new data can still change them.
_SPREAD = 0.1


@torch.no_grad()
def start_from(trained: TrainableNetwork, network: Network, images: Tensor) -> None:
    """Give a network to be trained the weights and steps of an integer network.

    An integer network has no batch normalisation left. Mean and variance are measured on images, and the
    shift is chosen so that each neuron steps where its threshold is. The last layer, whose classes are
    others, keeps its random weights.

    Args:
        trained: is changed; its layers but the last must have the shapes of the network's.
        network: where to start.
        images: uint8 [N, *input shape]; some hundreds give good statistics.

    Raises:
        BnnError: if the shapes differ.
    """
    ours = trained.topology
    theirs = network.topology
    if (ours.input, ours.layers[:-1], ours.precision) != (theirs.input, theirs.layers[:-1], theirs.precision):
        raise BnnError(f"topology {ours.name!r} cannot start from weights of {theirs.name!r}: other layers")
    for layer, given in zip(trained.layers[:-1], network.layers):
        weights = torch.tensor(given.weights, dtype=torch.float32)
        # Two-bit weights keep their values: their steps are at a half, not at zero.
        layer.latent.copy_(weights * _SPREAD if ours.weight_bits == 1 else weights.clamp(-1, 1))
    x = trained.encode(images)
    for layer, given in zip(trained.layers[:-1], network.layers):
        norm, stage = layer.norm, layer.block.matrix
        assert norm is not None
        sums = layer.accumulate(x)
        variance, mean = torch.var_mean(sums, dim=[0, *range(2, sums.dim())])
        norm.mean.copy_(mean)
        norm.variance.copy_(variance)
        unit, offset = (float(each) for each in accumulator_unit(stage))
        # A threshold t separates the accumulators t and t + 1: the step is half way between.
        step = (torch.tensor(given.thresholds, dtype=torch.float32) + 0.5) * unit - offset
        deviation = torch.sqrt(norm.variance + norm.epsilon)
        positions = step_positions(stage.thresholds)
        norm.scale.fill_(1.0)
        if len(positions) == 2:
            width = (step[:, 1] - step[:, 0]).clamp(min=1e-3)
            norm.scale.copy_(deviation / width)
        centre = step.mean(dim=1)
        norm.shift.copy_((norm.mean - centre) / deviation * norm.scale)
        x = trained.activate(norm.eval()(sums))
    trained.train()
