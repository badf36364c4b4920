"""A network that can be trained, built from any topology.

It computes what ``bnnhw.reference`` computes, with real numbers in three places: latent weights, whose
signs are the weights; batch normalisation, which ``bnncore.training.export`` turns into integer thresholds;
and, on networks with scores, one factor for all classes, which makes them logits.
"""

from __future__ import annotations

import math

import torch
from bnnhw.topology import Topology
from torch import Tensor, nn

from bnncore.errors import BnnError
from bnncore.training.layers import Layer, blocks
from bnncore.training.quantizers import Estimator, one_bit, ternary

__all__ = ["TrainableNetwork"]

# The least scale of a pooled layer: small enough to do no harm, large enough not to underflow in bfloat16.
_LEAST_SCALE = 1e-3

# Of initial latent weights. Small beside their range of -1 to 1: weights change signs easily at first, and
# less so as they grow.
_SPREAD = 0.1


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
        self.log_scale = nn.Parameter(torch.tensor(-0.5 * math.log(grouped[-1].matrix.fan_in)))
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
        return x * self.log_scale.exp() if self.topology.output == "scores" else x

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
