"""The learning curve as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bnncore.extras import missing_extra
from bnncore.training.results import Epoch

__all__ = ["write_curve"]


def write_curve(path: Path, history: Sequence[Epoch]) -> None:
    """Draw loss and accuracy over the epochs and write a PNG.

    Raises:
        BnnError: without matplotlib.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_extra("a learning curve", "matplotlib", "train") from error
    # Figure and canvas directly: pyplot would keep every figure and choose a screen.
    figure = Figure(figsize=(8, 4.5))
    FigureCanvasAgg(figure)
    numbers = [epoch.number for epoch in history]
    left = figure.add_subplot()
    left.plot(numbers, [100 * epoch.train_accuracy for epoch in history], label="training, changed images")
    measured = [(e.number, 100 * e.validation_accuracy) for e in history if e.validation_accuracy is not None]
    if measured:
        left.plot(*zip(*measured), label="validation, images as they are")
    left.set_xlabel("epoch")
    left.set_ylabel("right, %")
    right = left.twinx()
    right.plot(numbers, [epoch.loss for epoch in history], color="grey", linestyle=":", label="loss")
    right.set_ylabel("loss")
    lines = [*left.get_lines(), *right.get_lines()]
    left.legend(lines, [str(line.get_label()) for line in lines], loc="center right")
    left.grid(alpha=0.3)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
