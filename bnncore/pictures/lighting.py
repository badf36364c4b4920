"""Ink on paper that is lit unevenly, or ends before the picture does: each place has a background of its own.

All is computed in logarithms of grey, in which half the light is the same step everywhere. What is darker than its
surroundings and no wider than a window vanishes when the picture is closed (the largest value in a window around each
pixel, then the smallest of these, as in grey morphology); what stays is the light on the paper, a desk around it, and
every edge between them. The difference is ink. Light ink is found in the negative.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from bnncore.pictures.decoding import Resampling

__all__ = ["Ink", "local_ink", "varies"]

Array = npt.NDArray[Any]

# Steps of 255 by which a plain background differs along the picture's edge: a scanner's noise, not a weak shadow.
_PLAIN = 16
# The background is looked for in a picture of this longer side, in which the noise of sensors is averaged away.
_SIDE = 160
# A stroke is narrower than this share of the shorter side, and paper is wider.
_WINDOW_SHARE = 0.3
# For the question which way ink differs: the longer side, and the window of a median, less than half of it ink.
_COARSE_SIDE, _COARSE_WINDOW = 28, 7
# Grey values that are added to all, so that the noise of what is nearly black is no ink.
_DIM = 24
# Ink is at least this share of the picture: a digit of a fifth of its height.
_LEAST_SHARE = 1 / 200


class Ink(NamedTuple):
    """Where ink is, and how much.

    Attributes:
        amount: float32 [H, W], 0 for paper to 255 for ink that has none of its light, or the paper none of the ink's.
        strong: bool [H, W], what is ink for certain.
    """

    amount: Array
    strong: Array


def varies(edge: Array) -> bool:
    """Say whether the outermost pixels, 0 to 255 in any order, show more than one plain background."""
    ordered = np.sort(edge)
    last = len(ordered) - 1
    # A digit that is cut off at the edge is no background.
    return bool(ordered[last - last // 10] - ordered[last // 10] > _PLAIN)


def local_ink(grey: Array) -> Ink:
    """Return the ink of either polarity in a grey picture, float32 [H, W], 0 to 255."""
    small = _logarithm(_shrunk(grey, _SIDE))
    seen = _logarithm(grey)
    if _is_light(_logarithm(_shrunk(grey, _COARSE_SIDE))):
        small, seen = -small, -seen
    background = _closed(small)
    strong = _strong(background - small)
    size = (grey.shape[1], grey.shape[0])
    steps = np.maximum(np.asarray(Image.fromarray(background).resize(size, Resampling.BILINEAR)) - seen, 0)
    where = np.asarray(Image.fromarray(strong.astype(np.uint8)).resize(size, Resampling.NEAREST))
    return Ink(-255 * np.expm1(-steps), where > 0)


def _logarithm(grey: Array) -> Array:
    result: Array = np.log(grey + np.float32(_DIM))
    return result


def _shrunk(grey: Array, side: int) -> Array:
    """Return float32 [h, w] with a longer side of so many pixels at most, each the mean of those it stands for."""
    height, width = grey.shape
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    result: Array = np.asarray(Image.fromarray(grey).resize(size, Resampling.BOX))
    return result


def _is_light(coarse: Array) -> bool:
    """Say whether what differs from the paper around it is lighter: ink is the smaller part of any place."""
    padded = np.pad(coarse, _COARSE_WINDOW // 2, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_COARSE_WINDOW, _COARSE_WINDOW))
    count = _COARSE_WINDOW**2
    paper = np.partition(windows.reshape(*coarse.shape, count), count // 2, axis=-1)[..., count // 2]
    # The third power, since ink differs by much, and the weak differences of uneven light come both ways.
    return bool(((coarse - paper) ** 3).sum() > 0)


def _closed(small: Array) -> Array:
    """Return float32 [h, w] without what is dark over less than a window."""
    window = max(2, round(min(small.shape) * _WINDOW_SHARE))
    # Beyond the picture all is dark, so that what is dark along its edge is as wide as can be, and no ink.
    result = np.pad(small, window - 1, constant_values=-np.inf)
    for sign in (1, -1):
        result *= sign
        for _ in ("down", "across"):
            result = _largest(result, window).T
        result *= sign
    return result


def _largest(given: Array, window: int) -> Array:
    """Return [H - window + 1, W]: of each pixel and those below it, ``window`` in all, the largest."""
    done = 1
    while done < window:
        more = min(done, window - done)
        given = np.maximum(given[: len(given) - more], given[more:])
        done += more
    return given


def _strong(ink: Array) -> Array:
    """Return bool [h, w]: what has at least half as much as most of the strokes."""
    typical = np.sort(ink, axis=None)[-max(1, round(ink.size * _LEAST_SHARE))]
    result: Array = ink > 0.5 * typical
    return result
