"""How good a network is: measured on labelled images, shown as text and pictures. Needs no PyTorch."""

from __future__ import annotations

from bnncore.evaluation.accuracy import wilson_interval
from bnncore.evaluation.measure import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate", "wilson_interval"]
