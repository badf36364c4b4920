"""How good a network is: measured on labelled images, shown as text and pictures. Needs no PyTorch."""

from __future__ import annotations

from bnncore.evaluation.measure import Evaluation, evaluate, predictions, wilson_interval

__all__ = ["Evaluation", "evaluate", "predictions", "wilson_interval"]
