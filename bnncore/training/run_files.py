"""What a run writes into its folder, and where it goes on.

``checkpoint.pt`` is written after every epoch, with ``metrics.json``; at the end, and when the user stops the run,
come ``weights.npz`` (with the classes), ``classes.txt`` and ``recipe.json``, and ``curve.png`` after those. Teachers
have a folder each, ``teacher-0`` and so on; a run that this one starts from has ``initial``; cross-validation has
``fold-0`` and so on. What has a format of its own is named there, in ``bnncore.formats``.
"""

from __future__ import annotations

__all__ = ["CHECKPOINT", "CURVE", "METRICS"]

CHECKPOINT = "checkpoint.pt"
CURVE = "curve.png"
METRICS = "metrics.json"
