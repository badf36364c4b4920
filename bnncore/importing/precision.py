"""Bits of weights and activations, as people write them: ``W1A2``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PRECISIONS", "parse_precision", "precision_in_name"]

PRECISIONS = ("W1A1", "W1A2", "W2A2")

# lfcW1A1.npz, cnv_1w1a.pth and mnist-1w-2a.npz, as the projects name them.
_IN_NAMES = (
    re.compile(r"W([12])[-_]?A([12])(?![0-9])", re.IGNORECASE),
    re.compile(r"(?<![0-9])([12])[-_]?W[-_]?([12])[-_]?A", re.IGNORECASE),
)


def parse_precision(precision: str) -> tuple[int, int]:
    """Return (bits of weights, bits of activations) of a precision such as ``W1A2``.

    Raises:
        ImportRefused: if it is none.
    """
    match = _IN_NAMES[0].fullmatch(precision)
    if match is None:
        from bnncore.importing.chain import ImportRefused

        raise ImportRefused(f"expected a precision such as W1A1, found {precision!r}")
    return int(match[1]), int(match[2])


def precision_in_name(path: Path) -> str | None:
    """Return the precision that a file's name says, or None.

    >>> from pathlib import Path
    >>> precision_in_name(Path("cnv_1w2a.pth")), precision_in_name(Path("W1A1/mnist_parameters.npz"))
    ('W1A2', None)
    """
    found = {f"W{match[1]}A{match[2]}" for pattern in _IN_NAMES for match in pattern.finditer(path.stem)}
    return found.pop() if len(found) == 1 and found <= set(PRECISIONS) else None
