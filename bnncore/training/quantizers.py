"""Quantisers with a gradient: what rounds in the forward pass and pretends not to in the backward pass.

The gradient of a step is zero almost everywhere, so training replaces it ("straight-through estimator",
Bengio et al. 2013; Courbariaux et al. 2016). Estimators for one-bit activations:

* ``clip``: the gradient of hardtanh, 1 where abs(x) <= 1, else 0 (Courbariaux et al. 2016);
* ``approx``: 2 - 2 * abs(x) where abs(x) <= 1, else 0, a closer fit to the step (Liu et al. 2018,
  Bi-Real Net).
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["Estimator", "one_bit", "quantized_weight", "ternary"]

Estimator = Literal["clip", "approx"]


def _hardtanh_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """Pass the gradient where -1 < x < 1, in one kernel instead of three passes over the map."""
    result: Tensor = torch.ops.aten.hardtanh_backward(gradient, x, -1.0, 1.0)
    return result


class _Sign(torch.autograd.Function):
    """-1 below 0, else +1, with an estimated gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, estimator: Estimator) -> Tensor:
        ctx.save_for_backward(x)
        ctx.estimator = estimator
        # Compared into a tensor of x's kind: by way of booleans it takes ten times as long.
        return torch.ge(x, 0, out=torch.empty_like(x)).mul_(2).sub_(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        if ctx.estimator == "approx":
            return x.abs().clamp_(max=1).mul_(-2).add_(2).mul_(gradient), None
        return _hardtanh_backward(gradient, x), None


class _Ternary(torch.autograd.Function):
    """Rounded to -1, 0 or +1, halves to even, with the gradient of hardtanh."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0.5).to(x.dtype) - (x < -0.5).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return _hardtanh_backward(gradient, x)


def one_bit(x: Tensor, estimator: Estimator = "clip") -> Tensor:
    """Return -1 where x < 0, else +1, in x's dtype; differentiable by ``estimator``."""
    result: Tensor = _Sign.apply(x, estimator)  # type: ignore[no-untyped-call]  # torch
    return result


def ternary(x: Tensor) -> Tensor:
    """Return -1 where x < -0.5, +1 where x > 0.5, else 0, in x's dtype; differentiable.

    That is rounding with halves to even, as in Brevitas.
    """
    result: Tensor = _Ternary.apply(x)  # type: ignore[no-untyped-call]  # torch
    return result


def quantized_weight(latent: Tensor, bits: int) -> Tensor:
    """Return the weights that latent ones stand for; the gradient passes unchanged.

    One bit: -1 below 0, else +1. Two bits: -1, 0 or +1, with steps at -0.5 and 0.5. (-2, the fourth code of
    two bits, is never used; BNN-PYNQ's parameters do not use it either.)
    """
    with torch.no_grad():
        if bits == 1:
            value = (latent >= 0).to(latent.dtype).mul_(2).sub_(1)
        else:
            value = (latent > 0.5).to(latent.dtype) - (latent < -0.5).to(latent.dtype)
    result: Tensor = _PassThrough.apply(latent, value)  # type: ignore[no-untyped-call]  # torch
    return result


class _PassThrough(torch.autograd.Function):
    """The second argument forward, the gradient to the first: exact, unlike x + (value - x)."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, value: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None
