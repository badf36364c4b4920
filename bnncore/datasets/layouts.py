"""The table of layouts that are read. A new one is a file that ends in a ``Layout``, and its line here."""

from __future__ import annotations

from bnncore.datasets import cifar, idx, picture_folders, picture_tables
from bnncore.datasets.collection import Layout

__all__ = ["LAYOUTS"]

LAYOUTS: list[Layout] = [
    cifar.BINARY,
    cifar.PYTHON,
    idx.LAYOUT,
    picture_tables.LAYOUT,
    # The last, since it takes whatever has pictures below it.
    picture_folders.LAYOUT,
]
"""Asked in this order; the first that recognises a path reads it."""
