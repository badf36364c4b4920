"""The layers of a network that can be trained: weights, pools, batch normalisation.

A pool is applied before the normalisation and the step that precede it in the topology. That is the same
function as long as the step rises (maximum and rising functions commute), which ``TrainableNetwork.constrain`` sees
to by keeping the scales of pooled layers positive; it is cheaper, and the gradient reaches the true maximum.
"""

from __future__ import annotations

import torch
from attrs import frozen
from bnnhw.topology import Conv, MatrixStage, PoolStage, Topology, stages
from torch import Tensor, nn
from torch.nn import functional

from bnncore.training.quantizers import quantized_weight

__all__ = ["Block", "Layer", "Normalization", "blocks"]


@frozen(kw_only=True)
class Block:
    """A layer with weights and the pools that follow it directly."""

    matrix: MatrixStage
    pools: tuple[PoolStage, ...]


def blocks(topology: Topology) -> tuple[Block, ...]:
    """Group a topology's stages: every pool belongs to the layer with weights before it."""
    result: list[Block] = []
    for stage in stages(topology):
        if isinstance(stage, PoolStage):
            result[-1] = Block(matrix=result[-1].matrix, pools=(*result[-1].pools, stage))
        else:
            result.append(Block(matrix=stage, pools=()))
    return tuple(result)


class Normalization(nn.Module):
    """Batch normalisation by channel: (x - mean) * scale / sqrt(variance + epsilon) + shift.

    Args:
        features: number of channels.
        momentum: of the running statistics.
        epsilon: added to the variance.
        written_out: in evaluation, compute the formula step by step, as the export reads it; else by torch's
            kernel, in less than half the time.
    """

    mean: Tensor
    variance: Tensor

    def __init__(
        self, features: int, momentum: float = 0.1, epsilon: float = 1e-5, written_out: bool = True
    ) -> None:
        super().__init__()
        self.momentum, self.epsilon, self.written_out = momentum, epsilon, written_out
        self.scale = nn.Parameter(torch.ones(features))
        self.shift = nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [N, features] or [N, features, height, width]."""
        if self.training or not self.written_out:
            return functional.batch_norm(
                x,
                self.mean,
                self.variance,
                self.scale,
                self.shift,
                self.training,
                self.momentum,
                self.epsilon,
            )
        # torch's own kernel may compute x * a + b, which breaks ties by rounding.
        broadcast = (-1, *(1,) * (x.dim() - 2))
        slope = self.scale / torch.sqrt(self.variance + self.epsilon)
        return (x - self.mean.view(broadcast)) * slope.view(broadcast) + self.shift.view(broadcast)


class Layer(nn.Module):
    """Weights of one layer and, if it has thresholds, the normalisation that becomes them."""

    norm: Normalization | None

    def __init__(self, block: Block, rows: int, weight_bits: int | None, momentum: float, last: bool) -> None:
        super().__init__()
        self.block, self.weight_bits, self.last = block, weight_bits, last
        self.real_weights = False
        # In logical order [outputs, fan_in]: row, column, channel, as the exported weights.
        self.latent = nn.Parameter(torch.empty(rows, block.matrix.fan_in))
        # A teacher has no thresholds to agree with.
        self.norm = (
            Normalization(rows, momentum, written_out=weight_bits is not None)
            if block.matrix.thresholds
            else None
        )

    def weight(self) -> Tensor:
        """Return the weights that the latent ones stand for, or the latent ones of a teacher."""
        if self.weight_bits is None:
            return self.latent
        if self.real_weights:
            # Of the size of quantised weights, so that sums and logits do not jump when this phase ends.
            return self.latent / self.latent.detach().abs().mean()
        return quantized_weight(self.latent, self.weight_bits)

    def accumulate(self, x: Tensor) -> Tensor:
        """Return sums [N, outputs, height, width] after pooling, or [N, outputs] of a dense layer."""
        stage = self.block.matrix
        layer = stage.layer
        weight = self.weight().to(x.dtype)
        if isinstance(layer, Conv):
            if layer.padding:
                blank = -1.0 if stage.input_bits == 1 else 0.0
                x = functional.pad(x, (layer.padding,) * 4, value=blank)
            if stage.output_shape[:2] == (1, 1) and x.shape[2:] == (layer.kernel, layer.kernel):
                # One window that is the whole map: as a matrix product, several times as fast.
                x = functional.linear(_flat(x), weight)[:, :, None, None]
            else:
                kernel = weight.view(-1, layer.kernel, layer.kernel, stage.input_shape[2])
                x = functional.conv2d(x, kernel.permute(0, 3, 1, 2), stride=layer.stride)
        else:
            x = functional.linear(_flat(x), weight)
        for pool in self.block.pools:
            x = functional.max_pool2d(x, pool.layer.size, pool.layer.stride)
        return x


def _flat(x: Tensor) -> Tensor:
    """Flatten a map row by row, channel fastest, as a topology's dense layers read it."""
    return x if x.dim() == 2 else x.permute(0, 2, 3, 1).flatten(1)
