"""How pictures are prepared where nobody says: told without numpy or Pillow, since new projects and ``explain`` ask."""

from __future__ import annotations

from bnnhw.topology import Input

from bnncore.records import Preprocessing, Step

__all__ = ["default_preprocessing"]


def default_preprocessing(given: Input) -> Preprocessing:
    """Return what is used where a dataset declares nothing: digits for one-bit grey, else a letterbox."""
    operation = "digit" if given.bits == 1 and given.channels == 1 else "letterbox"
    return Preprocessing(steps=(Step(operation=operation),))
