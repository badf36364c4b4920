"""The one check of batches: nothing is converted silently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bnnhw.errors import InputError
from bnnhw.executor import checked_batch
from bnnhw.topology import Input

COLOUR = Input(height=4, width=5, channels=3)
GREY = Input(height=4, width=5)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_fitting_batch_is_not_copied(count: int) -> None:
    batch = np.zeros((count, 4, 5, 3), np.uint8)
    assert checked_batch(COLOUR, batch) is batch


def test_a_strided_batch_becomes_contiguous() -> None:
    batch = np.arange(2 * 8 * 5, dtype=np.uint8).reshape(2, 8, 5)[:, ::2]
    found = checked_batch(GREY, batch)
    assert found.flags.c_contiguous
    assert np.array_equal(found, batch)


def test_an_array_in_fortran_order_becomes_contiguous() -> None:
    batch = np.asfortranarray(np.arange(40, dtype=np.uint8).reshape(2, 4, 5))
    found = checked_batch(GREY, batch)
    assert found.flags.c_contiguous
    assert np.array_equal(found, batch)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([[0]], r"expected a uint8 array of shape \[N, 4, 5, 3\], found list; use numpy.asarray"),
        (None, "found NoneType"),
        (np.zeros((4, 5, 3), np.uint8), r"found uint8 \[4, 5, 3\]; for one image use batch\[None\]"),
        (np.zeros((1, 4, 5, 3), np.float32), r"found float32 \[1, 4, 5, 3\]; scale to 0..255"),
        (np.zeros((1, 4, 5, 3), np.int64), "found int64"),
        (np.zeros((1, 4, 5, 3), bool), "found bool"),
        (np.zeros((1, 4, 5, 3), object), "found object"),
        (np.zeros((1, 3, 4, 5), np.uint8), r"found uint8 \[1, 3, 4, 5\]"),
        (np.zeros((1, 4, 5), np.uint8), r"found uint8 \[1, 4, 5\]"),
        (np.zeros((1, 1, 4, 5, 3), np.uint8), r"found uint8 \[1, 1, 4, 5, 3\]"),
        (np.zeros((), np.uint8), r"found uint8 \[\]"),
        (np.zeros(0, np.uint8), r"found uint8 \[0\]"),
    ],
)
def test_anything_else_is_an_input_error_that_names_both(batch: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_batch(COLOUR, batch)
