"""Accuracy of answers that were counted, and how far it can be trusted."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

__all__ = ["Counted", "wilson_interval"]


class Counted(ABC):
    """Answers to labelled images, however they were come by, and how many of them were right.

    Attributes:
        predicted: int64 [N], the answers in the order of the images; N is at least 1.
    """

    __slots__ = ()

    predicted: npt.NDArray[np.int64]

    @property
    @abstractmethod
    def right(self) -> int:
        """Number of right answers."""

    @property
    def samples(self) -> int:
        """Number of images."""
        return len(self.predicted)

    @property
    def accuracy(self) -> float:
        """Fraction of right answers, 0 to 1."""
        return self.right / self.samples

    @property
    def interval(self) -> tuple[float, float]:
        """Interval that holds the true accuracy with 95 % confidence; see ``wilson_interval``."""
        return wilson_interval(self.right, self.samples)


def wilson_interval(right: int, samples: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a fraction (E. B. Wilson, JASA 22, 1927).

    Unlike the textbook's plus and minus, it stays within 0 to 1 and is fair for few samples.

    Args:
        right: successes, 0 to samples.
        samples: trials, at least 1.
        z: 1.96 for 95 %.
    """
    share = right / samples
    scale = 1 + z * z / samples
    centre = share + z * z / (2 * samples)
    half = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
