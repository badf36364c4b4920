"""What training makes small."""

from __future__ import annotations

import pytest
import torch

from bnncore.formats.recipe import Recipe
from bnncore.training.losses import Loss, bits_loss, mixup


def test_the_loss_of_bits_is_the_mean_of_the_images() -> None:
    logits, labels = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 4
    each = bits_loss(logits, labels, "none")
    assert each.shape == (6,)
    assert bits_loss(logits, labels) == pytest.approx(each.mean().item(), rel=1e-6)


def test_bits_that_do_not_decide_count_for_less() -> None:
    label = torch.tensor([1])
    lower = bits_loss(torch.tensor([[3.0, 3, -3]]), label)
    higher = bits_loss(torch.tensor([[-3.0, 3, 3]]), label)
    right = bits_loss(torch.tensor([[-3.0, 3, -3]]), label)
    assert right < lower < higher


def test_the_loss_of_bits_weighs_what_decides_the_answer() -> None:
    logits = torch.zeros(1, 4)
    # Each bit is as uncertain as the others, so what is left are the weights: bits 2 and 3 decide for class 2.
    each = torch.log(torch.tensor(2.0))
    assert bits_loss(logits, torch.tensor([2])) == pytest.approx(((2 + 2 * 0.3) * each).item(), rel=1e-6)
    # Class 0 is the answer where no bit is set: its own does not decide.
    assert bits_loss(logits, torch.tensor([0])) == pytest.approx(((3 + 0.3) * each).item(), rel=1e-6)


def test_who_answers_as_the_teacher_does_has_nothing_to_learn_from_it() -> None:
    recipe = Recipe(topology="any", epochs=1, distillation=1.0, temperature=2.0)
    answer = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))

    def teacher(_: torch.Tensor) -> torch.Tensor:
        return answer

    loss = Loss(recipe, "scores", [teacher])  # type: ignore[list-item]  # called as a network is
    labels = torch.zeros(5, dtype=torch.int64)
    assert loss(answer, labels, torch.empty(0)).item() == pytest.approx(0, abs=1e-6)
    assert loss(-answer, labels, torch.empty(0)).item() > 0.1


def test_blended_images_lie_between_two_images() -> None:
    images = torch.tensor([10, 210], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 8, 8, 3)
    result = mixup(images, torch.tensor([0.75, 0.5]))
    assert result.dtype == torch.uint8
    assert result[:, 0, 0, 0].tolist() == [60, 110]
    assert torch.equal(mixup(images, torch.ones(2)), images)
