"""What a layout of labelled images must offer; ``layouts`` is the table of those that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from attrs import frozen

from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.splits import Split
from bnncore.datasets.surveys import Survey
from bnncore.spelling import argument

__all__ = ["Collection", "Layout", "Prepare", "missing_split"]

# Turns the path of a picture into the network's input: uint8 [height, width(, 3)].
Prepare = Callable[[Path], npt.NDArray[np.uint8]]


class Collection(Protocol):
    """Labelled images at one path, looked through but not read."""

    @property
    def survey(self) -> Survey:
        """What is there."""

    def read(self, split: Split, prepare: Prepare | None, skip_broken: bool) -> LabelledImages:
        """Read the images of a split; all of them, whichever is asked for, if they are not split.

        Args:
            split: which.
            prepare: for pictures: makes the network's input of a path.
            skip_broken: for pictures: go on without those that cannot be read, and name them in the result.

        Raises:
            DatasetError: if the split is not there, or an image is damaged.
        """


@frozen(kw_only=True)
class Layout:
    """One way in which labelled images lie on a disk.

    Attributes:
        name: for people, for example ``CIFAR's binary batches``.
        example: a file that shows it, for the message of who finds none.
        recognises: whether a path (that exists) holds this layout, at little cost; never raises.
        open: look through the path. The second argument are the classes in the order of a network, if they are
            known; a layout that has its own may leave it alone. Raises ``DatasetError``.
        certain: whether its files are known by their names, so that it is looked for in folders below, too.
    """

    name: str
    example: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path, Sequence[str] | None], Collection]
    certain: bool = False


def missing_split(path: Path, split: Split, found: Sequence[Split], hint: str = "") -> DatasetError:
    """Return the error for a split that is not there."""
    there = " and ".join(found) or "none"
    choice = f"; choose with {argument('split', found[0])}" if found and not hint else ""
    return DatasetError(f"{path}: expected a {split} split, found {there}{hint or choice}")
