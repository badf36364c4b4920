"""Augmentation changes images as declared, and nothing else."""

from __future__ import annotations

import pytest
import torch

from bnncore.formats.recipe import Augmentation
from bnncore.training.augment import Augmenter

IMAGES = torch.randint(0, 256, (6, 8, 10, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
INDICES = torch.arange(6).repeat(20)


def changed(images: torch.Tensor = IMAGES, seed: int = 0, **options) -> torch.Tensor:
    """Return every image, changed twenty times."""
    generator = torch.Generator().manual_seed(seed)
    return Augmenter(images, Augmentation(**options), generator).batch(INDICES)


def test_nothing_declared_changes_nothing() -> None:
    assert torch.equal(changed(), IMAGES[INDICES])


def test_a_flip_is_one_of_two_images() -> None:
    result = changed(flip_horizontal=True)
    same = (result == IMAGES[INDICES]).flatten(1).all(1)
    mirrored = (result == IMAGES[INDICES].flip(2)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 0 < same.sum() < len(same)


def test_a_shift_moves_the_whole_image_and_mirrors_the_edge() -> None:
    padded = torch.nn.functional.pad(
        IMAGES[INDICES].permute(0, 3, 1, 2).float(), (2, 2, 2, 2), mode="reflect"
    ).permute(0, 2, 3, 1)
    result = changed(shift=2).float()
    found = torch.zeros(len(result), dtype=torch.bool)
    for row in range(5):
        for column in range(5):
            found |= (padded[:, row : row + 8, column : column + 10] == result).flatten(1).all(1)
    assert found.all()


def test_a_transpose_swaps_rows_and_columns() -> None:
    square = IMAGES[:, :, :8]
    result = changed(square, transpose=True)
    same = (result == square[INDICES]).flatten(1).all(1)
    swapped = (result == square[INDICES].transpose(1, 2)).flatten(1).all(1)
    assert (same | swapped).all()
    assert 0 < swapped.sum() < len(swapped)


def test_brightness_is_the_same_for_all_pixels() -> None:
    grey = torch.full((6, 8, 10), 128, dtype=torch.uint8)
    result = changed(grey, brightness=0.1)
    assert (result.flatten(1) == result[:, :1, 0]).all()
    assert 128 - 26 <= int(result.min()) < 128 < int(result.max()) <= 128 + 26


@pytest.mark.parametrize(
    "options",
    [
        {"rotate": 10.0},
        {"scale": 0.2},
        {"shear": 0.2},
        {"elastic": 1.0},
        {"contrast": 0.5},
        {"colour": 0.5},
        {"noise": 0.1},
        {"cutout": 4},
    ],
)
def test_other_changes_keep_shape_and_type_and_follow_the_seed(options) -> None:
    first, again, other = changed(**options), changed(**options), changed(seed=1, **options)
    assert first.shape == IMAGES[INDICES].shape
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, IMAGES[INDICES])


def test_a_shift_larger_than_the_image_is_limited() -> None:
    assert changed(shift=50).shape == IMAGES[INDICES].shape
