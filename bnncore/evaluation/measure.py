"""What a classifier answers to labelled images, and where it goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen

from bnncore.classifier import Classifier
from bnncore.datasets import DatasetError, LabelledImages
from bnncore.evaluation.accuracy import Counted

__all__ = ["Evaluation", "evaluate"]

_CHUNK = 250


@frozen(kw_only=True, eq=False)
class Evaluation(Counted):
    """What a classifier answered to labelled images.

    Attributes:
        classes: names.
        confusion: int64 [classes, classes]; row: the true class, column: the answer.
        predicted: int64 [N], the answers in the order of the images.
        margin: float64 [N]: by how much a wrong answer's share exceeds that of the true class, 0 for right ones; see
            ``worst``.
        seconds: wall time for all images, without reading and preparing them.
        backend: what computed.
    """

    classes: tuple[str, ...]
    confusion: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    margin: npt.NDArray[np.float64]
    seconds: float
    backend: str

    @property
    def right(self) -> int:
        """Number of right answers."""
        return int(np.trace(self.confusion))

    @property
    def recall(self) -> list[float | None]:
        """For each class, the fraction of its images that were recognised; None without images."""
        return _ratios(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def precision(self) -> list[float | None]:
        """For each class, the fraction of its answers that were right; None if it was never answered."""
        return _ratios(np.diag(self.confusion), self.confusion.sum(axis=0))

    def worst(self, count: int) -> npt.NDArray[np.int64]:
        """Return the positions of wrong answers, those given with the most confidence first."""
        wrong = np.flatnonzero(self.margin > 0)
        order = np.argsort(-self.margin[wrong], kind="stable")
        return wrong[order][:count].astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        low, high = self.interval
        return {
            "samples": self.samples,
            "right": self.right,
            "accuracy": self.accuracy,
            "interval_95": [low, high],
            "classes": [
                {"name": name, "precision": precision, "recall": recall, "images": int(images)}
                for name, precision, recall, images in zip(
                    self.classes, self.precision, self.recall, self.confusion.sum(axis=1)
                )
            ],
            "confusion": self.confusion.tolist(),
            "images_per_second": self.samples / self.seconds if self.seconds else None,
            "backend": self.backend,
        }


def evaluate(
    classifier: Classifier, data: LabelledImages, progress: Callable[[int], None] | None = None
) -> Evaluation:
    """Classify labelled images and count.

    Args:
        classifier: its classes must be those of the data, in the same order, where the data name them.
        data: at least one image, in the input's shape.
        progress: called with the number of images done since the last call.

    Raises:
        DatasetError: if there are no images, or the classes are others.
        InputError: if the images have another shape than the network's input.
    """
    classes = classifier.classes
    if len(data) == 0:
        raise DatasetError("there are no images to evaluate on")
    if data.classes and data.classes != classes:
        raise DatasetError(
            f"the data have the classes {', '.join(data.classes)}, the network has {', '.join(classes)}; "
            "they must be the same, in the same order"
        )
    if int(data.labels.max()) >= len(classes):
        raise DatasetError(f"label {int(data.labels.max())}, but the network has {len(classes)} classes")
    predicted = np.empty(len(data), np.int64)
    margin = np.zeros(len(data))
    seconds = 0.0
    # The device is opened, and its first call paid for, outside the measurement.
    classifier.scores(data.images[:1])
    for start in range(0, len(data), _CHUNK):
        part = slice(start, start + _CHUNK)
        began = time.perf_counter()
        answers = classifier.classify_batch(data.images[part])
        seconds += time.perf_counter() - began
        for position, answer in enumerate(answers, start):
            predicted[position] = answer.index
            if answer.index != data.labels[position]:
                shares = answer.confidences()
                # At least a trace, so that an answer without any bit set counts as wrong, too.
                margin[position] = max(shares[answer.index] - shares[int(data.labels[position])], 1e-9)
        if progress is not None:
            progress(len(answers))
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (data.labels, predicted), 1)
    return Evaluation(
        classes=classes,
        confusion=confusion,
        predicted=predicted,
        margin=margin,
        seconds=seconds,
        backend=classifier.backend,
    )


def _ratios(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> list[float | None]:
    return [int(a) / int(b) if b else None for a, b in zip(part, whole)]
