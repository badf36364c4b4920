"""What a network's outputs say: which class wins, and how the others follow.

Two kinds, and the topology says which a network has. Scores: the highest wins, of equals the first. Bits:
the highest class whose bit is set wins, class 0 if none is; so BNN-PYNQ ranked batches.

A row holds the outputs of the classes alone. A network may have more outputs than there are classes: cut
the rows first, since an output without a class must not win.

Nothing here imports numpy, so that an answer can be described without it; the arrays bring it along.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bnnhw.topology import Output

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ranking", "responding", "shares", "winner", "winners"]


def winner(output: Output, row: npt.NDArray[np.int32]) -> int:
    """Return the class that wins one image.

    Args:
        output: of the topology.
        row: int32 [classes], at least one; 0 and 1 where outputs are bits.
    """
    return int(winners(output, row[None])[0])


def winners(output: Output, rows: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return int64 [N], the class that wins each image, for int32 [N, classes]."""
    found: npt.NDArray[np.int64]
    if output == "scores":
        found = rows.argmax(axis=1)
    else:
        found = (rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)) * rows.any(axis=1)
    # numpy's own index type has 32 bits on small boards.
    return found.astype("int64", copy=False)


def ranking(output: Output, row: npt.NDArray[np.int32]) -> list[int]:
    """Return all classes for int32 [classes], the winner first.

    Scores: the higher first, of equals the lower class. Bits: those set first, and the higher class before
    the lower; if none is set, the lower class first, since class 0 wins then.
    """
    values = row.tolist()
    classes = range(len(values))
    last_wins = output == "bits" and any(values)
    # Sorting keeps the order of equals.
    return sorted(reversed(classes) if last_wins else classes, key=lambda place: -values[place])


def responding(output: Output, row: npt.NDArray[np.int32]) -> list[int] | None:
    """Return the classes whose bit is set, lowest first, for int32 [classes]; None where outputs are scores.

    Exactly one is what a network of bits was trained for.
    """
    if output == "scores":
        return None
    classes: list[int] = row.nonzero()[0].tolist()
    return classes


def shares(output: Output, row: npt.NDArray[np.int32], spread: float) -> list[float]:
    """Return a number from 0 to 1 for each class of int32 [classes]; no probabilities, and not calibrated.

    Scores: the softmax of the scores in units of ``spread``. Bits: one over the number of bits set where the
    class's is, so all are 0 where none is.

    Args:
        output: of the topology.
        row: as for ``winner``.
        spread: standard deviation of a score under random weights, above 0; see ``MatrixStage.spread``. Bits
            have none.
    """
    values = row.tolist()
    if output == "bits":
        return [value / max(1, sum(values)) for value in values]
    best = max(values)
    weights = [math.exp((value - best) / spread) for value in values]
    total = sum(weights)
    return [weight / total for weight in weights]
