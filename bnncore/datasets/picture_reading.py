"""Reading labelled pictures one after the other, and telling of all that cannot be read at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnncore.datasets.collection import Prepare
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.errors import BnnError
from bnncore.spelling import argument

__all__ = ["BrokenPictures", "read_pictures"]

# Broken pictures that a message names with the reason; of the others it says how many.
_NAMED = 10


class BrokenPictures(DatasetError):
    """Pictures that cannot be read, all of those that were to be.

    Attributes:
        root: the folder that they are shown relative to.
        broken: path and reason of each.
        count: how many were to be read.
    """

    def __init__(self, root: Path, broken: Sequence[tuple[Path, str]], count: int) -> None:
        super().__init__(_complaint(sorted(broken), count, root))
        self.root, self.broken, self.count = root, tuple(broken), count

    @classmethod
    def together(cls, root: Path, errors: Sequence[BrokenPictures]) -> BrokenPictures:
        """Return one error for several splits."""
        return cls(
            root, [each for error in errors for each in error.broken], sum(error.count for error in errors)
        )


def read_pictures(
    items: Sequence[tuple[Path, int]],
    classes: tuple[str, ...],
    root: Path,
    prepare: Prepare | None,
    skip_broken: bool,
) -> LabelledImages:
    """Read pictures in a shuffled order, the same each time, so that the last of them are of every class.

    Args:
        items: paths and positions of their classes.
        classes: their names.
        root: that the names of the images are relative to.
        prepare: makes the network's input of a picture.
        skip_broken: go on without pictures that cannot be read.

    Raises:
        BrokenPictures: naming those that cannot be read, with the reasons.
        DatasetError: if of a class none can be read, or the pictures differ in size after preprocessing.
    """
    if prepare is None:
        raise DatasetError(f"{root}: holds pictures, which need the preprocessing of a network")
    # The trainer holds the last ones back to choose by. In the order of folders and of most tables these would
    # be whole classes, which the network would then never see.
    items = [items[position] for position in np.random.default_rng(0).permutation(len(items))]
    arrays: list[npt.NDArray[Any]] = []
    read: list[tuple[Path, int]] = []
    broken: list[tuple[Path, str]] = []
    for path, label in items:
        try:
            array = prepare(path)
        except BnnError as error:
            # Whatever is wrong with a picture names it already.
            broken.append((path, str(error).removeprefix(f"{path}: ")))
            continue
        if arrays and array.shape != arrays[0].shape:
            raise DatasetError(
                f"{path}: {list(array.shape)} after preprocessing, the others have {list(arrays[0].shape)}"
            )
        arrays.append(array)
        read.append((path, label))
    broken.sort()
    if broken and not skip_broken:
        raise BrokenPictures(root, broken, len(items))
    lost = sorted({label for _, label in items} - {label for _, label in read})
    if lost:
        raise DatasetError(
            f"{root}: none of the pictures of class {classes[lost[0]]!r} can be read, for example "
            f"{_relative(broken[0][0], root)!r}: {broken[0][1]}"
            if len(lost) < len(classes)
            else _complaint(broken, len(items), root)
        )
    return LabelledImages(
        images=np.stack(arrays),
        labels=np.array([label for _, label in read], np.int64),
        classes=classes,
        names=tuple(_relative(path, root) for path, _ in read),
        skipped=tuple(_relative(path, root) for path, _ in broken),
    )


def _complaint(broken: Sequence[tuple[Path, str]], count: int, root: Path) -> str:
    way = argument("skip_broken")
    if len(broken) == 1:
        (path, reason) = broken[0]
        return f"{path}: {reason}; repair or remove the picture, or go on without it ({way})"
    named = "; ".join(f"{_relative(path, root)!r}: {reason}" for path, reason in broken[:_NAMED])
    more = f"; and {len(broken) - _NAMED:,} more" if len(broken) > _NAMED else ""
    return (
        f"{root}: {len(broken):,} of {count:,} pictures cannot be read ({named}{more}); repair or remove them, or go "
        f"on without them ({way})"
    )


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name
