"""How BNN-PYNQ named a winner: four rules that are not quite the same.

See docs/reference/bnn-pynq-parameters.md#which-class-wins.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from bnnhw.outputs import winner, winners

__all__ = ["many_bits", "many_scores", "one_bits", "one_scores"]

Scores = npt.NDArray[np.int32]


def one_scores(scores: Scores) -> int:
    """Return the first maximum of int32 [classes], which is our rule."""
    return winner("scores", scores)


def many_scores(scores: Scores) -> npt.NDArray[np.int32]:
    """Return int32 [N]: the first maximum, but 0 where no score of int32 [N, classes] is above 0.

    The search started from a best score of 0 at class 0.
    """
    return np.where(scores.max(axis=1) > 0, scores.argmax(axis=1), 0).astype(np.int32)


def one_bits(bits: Scores) -> int:
    """Return the class of one image's bits, int32 [classes] of 0 and 1: ``round(log2(word))``.

    With several bits set, the logarithm may round up to a class that did not respond. Where it rounds up
    to a class that does not exist, whose name nobody could ask for, this gives the highest bit.
    """
    fired = np.flatnonzero(bits).tolist()
    if not fired:
        return 0
    rounded = round(math.log2(sum(1 << bit for bit in fired)))
    return rounded if rounded < len(bits) else fired[-1]


def many_bits(bits: Scores) -> npt.NDArray[np.int32]:
    """Return int32 [N]: the highest bit set in each row of int32 [N, classes], 0 where none is; our rule."""
    return winners("bits", bits).astype(np.int32)
