"""Inputs that anybody can make again, and how a digest of scores is taken.

A digest is a fact that can be kept where the parameters themselves are somebody else's.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Input

__all__ = ["digest_of_files", "digest_of_scores", "made_pictures"]


def made_pictures(given: Input, count: int = 16) -> npt.NDArray[np.uint8]:
    """Return uint8 [count, *input shape]: half noise of single pixels, half of squares as large as strokes.

    From a hash, not from a generator of random numbers, whose streams libraries change.
    """
    side = 4
    coarse = (-(-given.height // side), -(-given.width // side), given.channels)
    fine = _bytes("fine", (count // 2, given.height, given.width, given.channels))
    squares = _bytes("squares", (count - count // 2, *coarse)).repeat(side, axis=1).repeat(side, axis=2)
    squares = squares[:, : given.height, : given.width]
    return np.concatenate([fine, squares]).reshape(count, *given.shape)


def _bytes(word: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    count = int(np.prod(shape))
    return np.frombuffer(hashlib.shake_256(word.encode()).digest(count), np.uint8).reshape(shape)


def digest_of_scores(scores: npt.NDArray[Any]) -> str:
    """Return the SHA-256 (hex) of scores [N, outputs] as little-endian int32, row by row."""
    return hashlib.sha256(np.ascontiguousarray(scores, "<i4").tobytes()).hexdigest()


def digest_of_files(folder: Path) -> str:
    """Return the SHA-256 (hex) of names and contents of a binparam folder's files of words."""
    # Not of classes.txt, whose line ends a checkout may change.
    listed = (
        f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in sorted(folder.glob("*.bin"))
    )
    return hashlib.sha256("".join(listed).encode()).hexdigest()
