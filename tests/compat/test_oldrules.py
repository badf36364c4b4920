"""BNN-PYNQ's four ways to name a winner, where they differ."""

from __future__ import annotations

import numpy as np
import pytest

from bnncore.compat.oldrules import many_bits, many_scores, one_bits, one_scores


def bits(*fired: int, classes: int = 10) -> np.ndarray:
    row = np.zeros(classes, np.int32)
    row[list(fired)] = 1
    return row


@pytest.mark.parametrize(("row", "winner"), [([1, 5, 5], 1), ([-3, -1, -2], 1), ([0, 0, 0], 0)])
def test_one_image_takes_the_first_maximum(row: list[int], winner: int) -> None:
    assert one_scores(np.array(row, np.int32)) == winner


def test_many_images_start_from_zero_at_class_zero() -> None:
    scores = np.array([[-3, -1, -2], [-3, 0, -2], [-3, 1, 1]], np.int32)
    assert many_scores(scores).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("fired", "winner"),
    [((), 0), ((0,), 0), ((7,), 7), ((3, 2), 4), ((3, 0), 3), ((5, 4, 3), 6)],
)
def test_one_image_of_bits_rounds_the_logarithm(fired: tuple[int, ...], winner: int) -> None:
    assert one_bits(bits(*fired)) == winner


def test_one_image_of_bits_never_gives_a_class_that_does_not_exist() -> None:
    assert one_bits(bits(9, 8)) == 9


def test_many_images_of_bits_take_the_highest() -> None:
    assert many_bits(np.stack([bits(), bits(3, 2), bits(9, 8), bits(0)])).tolist() == [0, 3, 9, 0]
