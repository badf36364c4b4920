"""What every reader of a dataset returns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from attrs import evolve, field, frozen

from bnncore.errors import BnnError

__all__ = ["DatasetError", "LabelledImages", "joined"]


class DatasetError(BnnError, ValueError):
    """Files of a dataset that are missing, damaged, hostile, or of another layout."""


@frozen(kw_only=True, eq=False)
class LabelledImages:
    """Images of one size with the index of each one's class.

    Attributes:
        images: uint8 [N, height, width, 3] (RGB) or [N, height, width] (grey).
        labels: int64 [N], each 0 to len(classes) - 1.
        classes: names; empty where the files do not tell them.
        names: of the images, for reports: file names where there are any; may be empty.
        skipped: names of images that are not here because they could not be read, and that was allowed.

    Raises:
        DatasetError: if the arrays do not fit together.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...] = field(default=())
    names: tuple[str, ...] = field(default=())
    skipped: tuple[str, ...] = field(default=())

    def __attrs_post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
            raise DatasetError(
                "expected images as uint8 [N, height, width] or [N, height, width, 3], "
                f"found {images.dtype} {list(images.shape)}"
            )
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise DatasetError(
                f"expected {len(images)} labels as int64, found {labels.dtype} {list(labels.shape)}"
            )
        if self.names and len(self.names) != len(images):
            raise DatasetError(f"expected {len(images)} image names, found {len(self.names)}")
        limit = len(self.classes) or 65536
        wrong = (labels < 0) | (labels >= limit)
        if wrong.any():
            position = int(wrong.argmax())
            raise DatasetError(f"image {position} has label {int(labels[position])}, expected 0 to {limit - 1}")

    def __len__(self) -> int:
        return len(self.images)

    def named(self, classes: tuple[str, ...]) -> LabelledImages:
        """Return the same images with the names of their classes."""
        return evolve(self, classes=classes)

    def subset(self, chosen: npt.NDArray[np.int64]) -> LabelledImages:
        """Return the images at these positions, in this order."""
        return LabelledImages(
            images=self.images[chosen],
            labels=self.labels[chosen],
            classes=self.classes,
            names=tuple(self.names[int(i)] for i in chosen) if self.names else (),
            skipped=self.skipped,
        )


def joined(parts: Sequence[LabelledImages]) -> LabelledImages:
    """Return the images of several splits, one after the other.

    Raises:
        DatasetError: if their sizes or classes differ.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for other in parts[1:]:
        if other.classes != first.classes or other.images.shape[1:] != first.images.shape[1:]:
            raise DatasetError("the splits have images of different sizes, or different classes")
    return LabelledImages(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        classes=first.classes,
        names=sum((part.names for part in parts), ()) if all(part.names for part in parts) else (),
        skipped=sum((part.skipped for part in parts), ()),
    )
