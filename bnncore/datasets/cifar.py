"""CIFAR-10's two layouts, binary and Python, which CUCUMBER-9 shares.

Binary (https://www.cs.toronto.edu/~kriz/cifar.html): ``data_batch_*.bin`` and ``test_batch.bin``, records of
3073 bytes: the label, then 1024 red, 1024 green and 1024 blue bytes, each row by row; names in
``batches.meta.txt``. Python: ``data_batch_*``, ``test_batch`` and ``batches.meta``, pickled dictionaries with
``data`` (uint8 [N, 3072], planes as above), ``labels`` and, often, ``filenames``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.limited import read_file
from bnncore.datasets.pickles import read_pickle

__all__ = ["is_cifar_binary", "is_cifar_python", "read_cifar_binary", "read_cifar_python"]

Split = Literal["train", "test"]

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_RECORD = 1 + _PIXELS


def is_cifar_binary(folder: Path) -> bool:
    """Whether the folder holds CIFAR's binary batches."""
    return any(folder.glob("*_batch*.bin"))


def is_cifar_python(folder: Path) -> bool:
    """Whether the folder holds CIFAR's pickled batches."""
    return bool(_batches(folder, "train", "") or _batches(folder, "test", ""))


def read_cifar_binary(folder: Path, split: Split) -> LabelledImages:
    """Read the binary batches of one split.

    Raises:
        DatasetError: naming the file, what was expected and what was found.
    """
    classes = _classes_text(folder / "batches.meta.txt")
    images, labels = [], []
    for path in _required_batches(folder, split, ".bin"):
        data = read_file(path)
        if not data or len(data) % _RECORD:
            raise DatasetError(
                f"{path}: expected whole records of {_RECORD} bytes, found {len(data)} bytes; it is truncated "
                "or of another layout (CIFAR-100 has records of 3074)"
            )
        records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
        labels.append(_checked_labels(path, records[:, 0].astype(np.int64), classes))
        images.append(_interleaved(records[:, 1:]))
    return LabelledImages(images=np.concatenate(images), labels=np.concatenate(labels), classes=classes)


def read_cifar_python(folder: Path, split: Split) -> LabelledImages:
    """Read the pickled batches of one split, of Python 2 or 3; nothing in them is run.

    Raises:
        DatasetError: naming the file, what was expected and what was found.
    """
    classes: tuple[str, ...] = ()
    if (folder / "batches.meta").is_file():
        classes = _class_names(folder / "batches.meta")
    images, labels, files = [], [], []
    for path in _required_batches(folder, split, ""):
        batch = read_pickle(path)
        data = _item(path, batch, "data")
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2:
            raise DatasetError(f"{path}: expected 'data' as an array of bytes, one image a row")
        if data.shape[1] != _PIXELS:
            raise DatasetError(f"{path}: expected {_PIXELS} bytes an image, found {data.shape[1]}")
        found = _labels(path, _item(path, batch, "labels"))
        if len(found) != len(data):
            raise DatasetError(f"{path}: {len(data)} images, but {len(found)} labels")
        labels.append(_checked_labels(path, found, classes))
        images.append(_interleaved(data))
        given = _lookup(batch, "filenames")
        known = _are_texts(given) and len(given) == len(data)
        files += [_text(name) for name in given] if known else [f"{path.name}:{i}" for i in range(len(data))]
    return LabelledImages(
        images=np.concatenate(images), labels=np.concatenate(labels), classes=classes, names=tuple(files)
    )


def _batches(folder: Path, split: Split, suffix: str) -> list[Path]:
    """Return the files of a split, batch 2 before batch 10."""
    pattern = re.compile(r"data_batch(?:_(\d+))?" if split == "train" else r"test_batch(?:_(\d+))?")
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = pattern.fullmatch(path.name[: -len(suffix)] if suffix else path.name)
        if match and path.name.endswith(suffix):
            found.append((int(match[1] or 0), path))
    return [path for _, path in sorted(found)]


def _required_batches(folder: Path, split: Split, suffix: str) -> list[Path]:
    found = _batches(folder, split, suffix)
    if not found:
        name = "data_batch_1" if split == "train" else "test_batch"
        raise DatasetError(f"{folder}: expected files such as {name}{suffix}, found none")
    return found


def _interleaved(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    maps = planes.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(maps)


def _classes_text(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    text = read_file(path).decode("utf-8", "replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _lookup(batch: Any, key: str) -> Any:
    """Return an item whose key is text or, from a Python 3 that kept Python 2's, bytes."""
    if not isinstance(batch, dict):
        return None
    return batch[key] if key in batch else batch.get(key.encode())


def _item(path: Path, batch: Any, key: str) -> Any:
    value = _lookup(batch, key)
    if value is None:
        found = (
            ", ".join(sorted(repr(_text(name)) for name in batch if isinstance(name, (str, bytes))))
            if isinstance(batch, dict)
            else "no dictionary"
        )
        raise DatasetError(f"{path}: expected a dictionary with {key!r}, found {found or 'one without names'}")
    return value


def _class_names(path: Path) -> tuple[str, ...]:
    names = _item(path, read_pickle(path), "label_names")
    if not _are_texts(names):
        raise DatasetError(f"{path}: expected 'label_names' as a list of texts")
    return tuple(_text(name) for name in names)


def _are_texts(value: Any) -> bool:
    # A hostile list that holds another one twice, and so on, would be endless as text.
    return isinstance(value, (list, tuple)) and all(isinstance(item, (str, bytes)) for item in value)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _labels(path: Path, value: Any) -> npt.NDArray[np.int64]:
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu":
        return value.astype(np.int64)
    if isinstance(value, list) and all(isinstance(item, int) and abs(item) < 2**31 for item in value):
        return np.array(value, np.int64)
    raise DatasetError(f"{path}: expected 'labels' as a list of whole numbers")


def _checked_labels(
    path: Path, labels: npt.NDArray[np.int64], classes: tuple[str, ...]
) -> npt.NDArray[np.int64]:
    limit = len(classes) or 256
    wrong = (labels < 0) | (labels >= limit)
    if wrong.any():
        position = int(wrong.argmax())
        raise DatasetError(
            f"{path}: image {position} has label {int(labels[position])}, expected 0 to {limit - 1}; "
            "the file is garbled or of another layout"
        )
    return labels
