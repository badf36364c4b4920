"""A network that can be trained, built from any topology.

It computes what ``bnnhw.reference`` computes, with real numbers in three places: latent weights, whose
signs are the weights; batch normalisation, which ``bnncore.training.export`` folds into integer thresholds;
and, on networks with scores, one factor for all classes, which makes them logits.

A pool is applied before the normalisation and the step that precede it in the topology. That is the same
function as long as the step rises (maximum and rising functions commute), which ``constrain`` sees to by
keeping the scales of pooled layers positive; it is cheaper, and the gradient reaches the true maximum.
"""

from __future__ import annotations

import math

import torch
from attrs import frozen
from bnnhw.topology import Conv, MatrixStage, PoolStage, Topology, stages
from torch import Tensor, nn
from torch.nn import functional

from bnncore.errors import BnnError
from bnncore.training.quantizers import Estimator, one_bit, quantized_weight, ternary

__all__ = ["Block", "Layer", "Normalization", "TrainableNetwork", "blocks"]

# The least scale of a pooled layer: small enough to do no harm, large enough not to underflow in bfloat16.
_LEAST_SCALE = 1e-3

# Of initial latent weights. Small beside their range of -1 to 1: weights change signs easily at first, and
# less so as they grow.
_SPREAD = 0.1


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


class TrainableNetwork(nn.Module):
    """A topology with latent weights and batch normalisation.

    Args:
        topology: what to build; any ``bnnhw.topology.Topology``.
        classes: number of classes; outputs beyond them are not trained, and padded when exported.
        estimator: gradient of one-bit activations; see ``bnncore.training.quantizers``.
        momentum: of the running statistics of batch normalisation.
        quantized: False makes a teacher: real weights, and rectifiers instead of steps. It cannot be
            exported.
        generator: of the initial weights; the global one if None.

    Raises:
        BnnError: if there are more classes than outputs.
    """

    codes: Tensor
    layers: list[Layer]

    def __init__(
        self,
        topology: Topology,
        classes: int,
        estimator: Estimator = "clip",
        momentum: float = 0.1,
        quantized: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= classes <= topology.outputs:
            raise BnnError(
                f"topology {topology.name!r} has {topology.outputs} outputs, {classes} classes do not fit; "
                "choose a topology with more outputs"
            )
        self.topology, self.classes, self.estimator = topology, classes, estimator
        self.momentum, self.quantized = momentum, quantized
        grouped = blocks(topology)
        self.layers = nn.ModuleList(  # type: ignore[assignment]  # behaves as the list it is declared as
            Layer(
                block,
                classes if block is grouped[-1] else block.matrix.outputs,
                topology.weight_bits if quantized else None,
                momentum,
                last=block is grouped[-1],
            )
            for block in grouped
        )
        # Scores have a spread of about sqrt(fan-in); a softmax learns well from logits of a few units.
        self.log_temperature = nn.Parameter(torch.tensor(-0.5 * math.log(grouped[-1].matrix.fan_in)))
        # What each byte stands for: q / 128, or -1 and +1.
        codes = torch.tensor(topology.input.values) * grouped[0].matrix.input_unit
        self.register_buffer("codes", codes, persistent=False)
        for layer in self.layers:
            nn.init.uniform_(layer.latent, -_SPREAD, _SPREAD, generator=generator)

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return self.codes.device

    def encode(self, batch: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Turn uint8 [N, *input shape] into what the first layer sees: [N, channels, height, width].

        Pixels of 8 bits become q / 128, bits become -1 or +1 (``bnnhw.reference.encode``); both are exact
        even in bfloat16.
        """
        given = self.topology.input
        values = self.codes.to(dtype)[batch.reshape(len(batch), -1).int()]
        return values.view(-1, given.height, given.width, given.channels).permute(0, 3, 1, 2)

    def features(self, x: Tensor) -> Tensor:
        """Return the last layer's sums [N, classes] (after normalisation on networks with bits)."""
        for layer in self.layers:
            x = layer.accumulate(x)
            if layer.norm is not None:
                x = layer.norm(x)
            if not layer.last:
                x = self.activate(x)
        return x

    def activate(self, x: Tensor) -> Tensor:
        """Return what the next layer sees of normalised sums: -1 and +1, or -1, 0 and +1."""
        if not self.quantized:
            return torch.relu(x)
        return one_bit(x, self.estimator) if self.topology.activation_bits == 1 else ternary(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return float logits [N, classes] for an encoded batch.

        On networks with scores: the scores (as signed sums) times one learnt factor, for a softmax. On
        networks with bits: one number a class, whose bit is set where it is >= 0.
        """
        x = self.features(x)
        if x.dtype is torch.bfloat16:
            x = x.float()
        return x * self.log_temperature.exp() if self.topology.output == "scores" else x

    def predict(self, logits: Tensor) -> Tensor:
        """Return class indices int64 [N]: ``bnnhw.outputs.winners`` on the device, of scores or of bits set."""
        if self.topology.output == "scores":
            return logits.argmax(dim=1)
        ranks = torch.arange(self.classes, device=logits.device)
        return (ranks * (logits >= 0)).amax(dim=1)

    def set_real_weights(self, real: bool) -> None:
        """Let weights keep their real values in training, or quantise them (again)."""
        for layer in self.layers:
            layer.real_weights = real

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring parameters back where training left their range; call it after each optimiser step.

        Latent weights stay in -1 to +1, so that none is out of reach of a change of sign; scales of pooled
        layers stay positive.
        """
        for layer in self.layers:
            layer.latent.clamp_(-1, 1)
            if layer.norm is not None and layer.block.pools:
                layer.norm.scale.clamp_(min=_LEAST_SCALE)


def _flat(x: Tensor) -> Tensor:
    """Flatten a map row by row, channel fastest, as a topology's dense layers read it."""
    return x if x.dim() == 2 else x.permute(0, 2, 3, 1).flatten(1)
