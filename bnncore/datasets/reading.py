"""Which reader a path needs: the first of the table that recognises it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bnncore.datasets.collection import Collection, Layout, Prepare
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.layouts import LAYOUTS
from bnncore.datasets.splits import SPLITS, Split
from bnncore.datasets.surveys import Survey
from bnncore.datasets.unread import below, description
from bnncore.plain_text import some
from bnncore.spelling import argument

__all__ = ["has_splits", "open_collection", "read", "survey"]


def read(
    path: str | os.PathLike[str],
    split: Split = "train",
    prepare: Prepare | None = None,
    classes: Sequence[str] | None = None,
    *,
    skip_broken: bool = False,
) -> LabelledImages:
    """Read one split of a dataset in whatever layout the path holds.

    Args:
        path: a folder of CIFAR batches (binary or Python), of idx files, or of one folder of pictures a
            class; or a CSV of paths and labels. Folders of pictures may have a folder a split, called as publishers
            call it (``train``, ``Training_Set``, ``val``, ``test1``, …), and tables a column ``split``; without,
            they are one split, returned for any.
        split: ``train``, ``validation`` or ``test``.
        prepare: for pictures: makes the network's input of a path.
        classes: for pictures: their order; sorted by name if None, those of all splits.
        skip_broken: for pictures: go on without those that cannot be read; ``skipped`` of the result names them.

    Raises:
        DatasetError: if the path holds none of these, does not have the split, can be understood in several ways, or
            what it holds is damaged; of pictures, all that cannot be read are named at once.
    """
    if split not in SPLITS:
        raise DatasetError(f"{argument('split')} must be one of {', '.join(SPLITS)}, not {split!r}")
    return open_collection(path, classes).read(split, prepare, skip_broken)


def survey(path: str | os.PathLike[str], classes: Sequence[str] | None = None) -> Survey:
    """Say what a path holds, before a picture is decoded: splits, classes and counts, and what is passed over.

    Args:
        path: as for ``read``.
        classes: as for ``read``.

    Raises:
        DatasetError: as ``read``, but for pictures that are damaged.
    """
    return open_collection(path, classes).survey


def has_splits(path: str | os.PathLike[str]) -> bool:
    """Whether the path tells training images from others; a table or folder of pictures need not.

    Raises:
        DatasetError: if it is a folder of pictures, or a table, that cannot be understood.
    """
    found = _found(Path(path))
    return found is not None and bool(found[1].open(found[0], None).survey.splits)


def open_collection(path: str | os.PathLike[str], classes: Sequence[str] | None = None) -> Collection:
    """Look through a path, and return what reads its splits.

    Raises:
        DatasetError: as ``survey``.
    """
    path = Path(path)
    found = _found(path)
    if found is not None:
        return found[1].open(found[0], classes)
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    told = description(path)
    if path.is_file():
        raise DatasetError(
            f"{path}: expected a folder, or a .csv with the columns path and label{told and f'; {told}'}"
        )
    raise DatasetError(
        f"{path}: expected CIFAR batches (data_batch_1 or data_batch_1.bin), idx files "
        f"(train-images-idx3-ubyte), a folder of pictures a class, or a .csv; {told or 'found none of these'}"
    )


def _found(path: Path) -> tuple[Path, Layout] | None:
    """Return the layout of a path and where it is: there, or in the only folder below that has a known set's files."""
    for layout in LAYOUTS:
        if path.exists() and layout.recognises(path):
            return path, layout
    if not path.is_dir():
        return None
    places = below(path, LAYOUTS)
    if len(places) > 1:
        names = [place.relative_to(path).as_posix() for place, _ in places]
        raise DatasetError(
            f"{path}: holds several sets, {some(names)}; give the folder of the one that is meant"
        )
    return places[0] if places else None
