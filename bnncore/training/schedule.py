"""How the learning rates go through a run: warmup, plateau, cosine decay."""

from __future__ import annotations

import math

__all__ = ["schedule"]


def schedule(progress: float, warmup: float, plateau: float = 0.0) -> float:
    """Return the fraction of the peak rate at a progress of 0 to 1: a ramp, a plateau, a cosine to 0.

    Args:
        progress: of the whole run.
        warmup: part of the run without the plateau that is the ramp.
        plateau: part of the whole run that is the plateau.
    """
    rise = warmup * (1 - plateau)
    if progress < rise:
        return progress / rise
    fall = max(1 - plateau - rise, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * max(0.0, progress - rise - plateau) / fall))
