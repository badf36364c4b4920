"""What training makes small: how far answers are from labels, and from teachers' answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from bnncore.formats.recipe import Recipe
from bnncore.training.trainable import TrainableNetwork

__all__ = ["Loss", "bits_loss", "mixup"]

# Share in the loss of bits that do not decide the answer.
_CERTAINTY = 0.3

# Of the sigmoid over normalised sums, so that its slope fits their spread of about 1 from the start.
_SHARPNESS = 2.0


def bits_loss(logits: Tensor, labels: Tensor, reduction: Literal["mean", "none"] = "mean") -> Tensor:
    """Return the loss of a network with one bit a class, whose highest set bit is the answer.

    The answer is right if the own bit is set and all higher ones are not: that is what the likelihood of the
    answer needs (and not even the own bit for class 0, the answer where no bit is set). The others count for
    less: they tell whether the network is sure.

    Args:
        logits: float [N, classes], a bit is set where they are >= 0.
        labels: int64 [N].
        reduction: mean for one number, none for float [N].
    """
    ranks = torch.arange(logits.shape[1], device=logits.device)
    own = ranks == labels[:, None]
    decides = (ranks >= labels[:, None]) & ~(own & (ranks == 0))
    weight = torch.full_like(logits, _CERTAINTY).masked_fill_(decides, 1.0)
    each = functional.binary_cross_entropy_with_logits(
        _SHARPNESS * logits, own.to(logits.dtype), weight, reduction=reduction
    )
    return each * logits.shape[1] if reduction == "mean" else each.sum(dim=1)


def mixup(images: Tensor, shares: Tensor) -> Tensor:
    """Return uint8 images that keep these shares [N] of themselves; the rest is the image before in the batch."""
    shares = shares.view(-1, *(1,) * (images.dim() - 1))
    return (images * shares + images.roll(1, dims=0) * (1 - shares)).round().to(torch.uint8)


class Loss:
    """The loss of a recipe.

    Args:
        recipe: says how much teachers count, and at which temperature their answers are compared.
        output: of the topology, ``scores`` or ``bits``.
        teachers: networks in evaluation whose averaged answers are learnt beside the labels; none for bits.
    """

    def __init__(
        self, recipe: Recipe, output: Literal["scores", "bits"], teachers: Sequence[TrainableNetwork]
    ) -> None:
        self._recipe, self._output, self._teachers = recipe, output, teachers

    def __call__(self, logits: Tensor, labels: Tensor, batch: Tensor, shares: Tensor | None = None) -> Tensor:
        """Return the mean loss of a batch.

        Args:
            logits: float [N, classes].
            labels: int64 [N].
            batch: the encoded images, for the teachers.
            shares: float [N], after ``mixup``: the share of each image that is its own.
        """
        if shares is None:
            loss = self._of_labels(logits, labels, "mean")
        else:
            own, others = (self._of_labels(logits, given, "none") for given in (labels, labels.roll(1)))
            loss = (shares * own + (1 - shares) * others).mean()
        if not self._teachers:
            return loss
        temperature, share = self._recipe.temperature, self._recipe.distillation
        with torch.no_grad():
            answers = [functional.softmax(teacher(batch) / temperature, dim=1) for teacher in self._teachers]
            answer = torch.stack(answers).mean(dim=0)
        # The square keeps the size of the gradient independent of the temperature.
        distance = functional.kl_div(
            functional.log_softmax(logits / temperature, dim=1), answer, reduction="batchmean"
        )
        return (1 - share) * loss + share * temperature**2 * distance

    def _of_labels(self, logits: Tensor, labels: Tensor, reduction: Literal["mean", "none"]) -> Tensor:
        if self._output == "bits":
            return bits_loss(logits, labels, reduction)
        smoothing = self._recipe.label_smoothing
        return functional.cross_entropy(logits, labels, label_smoothing=smoothing, reduction=reduction)
