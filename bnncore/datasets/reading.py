"""Which reader a path needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from bnncore.datasets.cifar import is_cifar_binary, is_cifar_python, read_cifar_binary, read_cifar_python
from bnncore.datasets.idx import is_idx, read_idx
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.picture_folders import Prepare, is_picture_folder, read_folder, read_table

__all__ = ["has_splits", "read"]


def read(
    path: Path,
    split: Literal["train", "test"] = "train",
    prepare: Prepare | None = None,
    classes: Sequence[str] | None = None,
) -> LabelledImages:
    """Read one split of a dataset in whatever layout the path holds.

    Args:
        path: a folder of CIFAR batches (binary or Python), of idx files, or of one folder of pictures a
            class; or a CSV of paths and labels. Folders of pictures may have a folder a split, ``train`` and
            ``test``; without, they and tables are one split, returned for either.
        split: ``train`` or ``test``.
        prepare: for pictures: makes the network's input of a path.
        classes: for pictures: their order.

    Raises:
        DatasetError: if the path holds none of these, or what it holds is damaged.
    """
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    if path.is_file():
        if path.suffix.lower() != ".csv":
            raise DatasetError(f"{path}: expected a folder, or a .csv with the columns path and label")
        return read_table(path, _required(prepare, path), classes)
    if is_cifar_binary(path):
        return read_cifar_binary(path, split)
    if is_cifar_python(path):
        return read_cifar_python(path, split)
    if is_idx(path):
        return read_idx(path, split)
    if is_picture_folder(path / split):
        return read_folder(path / split, _required(prepare, path), classes)
    if is_picture_folder(path):
        return read_folder(path, _required(prepare, path), classes)
    raise DatasetError(
        f"{path}: expected CIFAR batches (data_batch_1 or data_batch_1.bin), idx files "
        "(train-images-idx3-ubyte), a folder of pictures a class, or a .csv; found none of these"
    )


def has_splits(path: Path) -> bool:
    """Whether the path tells training images from test images; a table or plain folder of pictures does not."""
    if not path.is_dir():
        return False
    return not is_picture_folder(path) or any(is_picture_folder(path / split) for split in ("train", "test"))


def _required(prepare: Prepare | None, path: Path) -> Prepare:
    if prepare is None:
        raise DatasetError(f"{path}: holds pictures, which need the preprocessing of a network")
    return prepare
