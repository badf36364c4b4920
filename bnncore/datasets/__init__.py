"""Readers of labelled images in the layouts of their publishers. Need numpy; pictures need Pillow.

``read`` finds out which layout a path holds, and ``survey`` says what is there; ``layouts`` is the table of those that
are known. Nothing that is read is run: Python batches go through a restricted unpickler (``pickles``).
"""

from __future__ import annotations

from bnncore.datasets.labelled import DatasetError, LabelledImages, joined
from bnncore.datasets.reading import has_splits, read, survey
from bnncore.datasets.surveys import PassedOver, Survey

__all__ = ["DatasetError", "LabelledImages", "PassedOver", "Survey", "has_splits", "joined", "read", "survey"]
