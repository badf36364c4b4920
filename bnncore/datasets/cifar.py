"""CIFAR-10's two layouts, binary and Python, which CUCUMBER-9 shares.

Binary (https://www.cs.toronto.edu/~kriz/cifar.html): ``data_batch_*.bin`` and ``test_batch.bin``, records of
3073 bytes: the label, then 1024 red, 1024 green and 1024 blue bytes, each row by row; names in
``batches.meta.txt``. Python: ``data_batch_*``, ``test_batch`` and ``batches.meta``, pickled dictionaries with
``data`` (uint8 [N, 3072], planes as above), ``labels`` and, often, ``filenames``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnncore.datasets.class_index import checked_names
from bnncore.datasets.collection import Layout, Prepare
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.limited import read_file
from bnncore.datasets.pickles import read_pickle
from bnncore.datasets.splits import Split
from bnncore.datasets.surveys import Survey

__all__ = ["BINARY", "PYTHON"]

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_RECORD = 1 + _PIXELS
_STEMS: dict[Split, str] = {"train": "data_batch", "test": "test_batch"}


class _Batches:
    """CIFAR's batches in a folder, of one of the two layouts; the names of their classes are read and checked."""

    def __init__(
        self,
        folder: Path,
        name: str,
        suffix: str,
        classes: tuple[str, ...],
        read: Callable[[list[Path], tuple[str, ...]], LabelledImages],
    ) -> None:
        self._folder, self._suffix, self._read = folder, suffix, read
        splits = tuple(split for split in _STEMS if _batches(folder, split, suffix))
        self.survey = Survey(path=folder, layout=name, splits=splits, classes=classes)

    def read(self, split: Split, prepare: Prepare | None = None, skip_broken: bool = False) -> LabelledImages:
        """Read the batches of a split; the images are what a network sees, whatever ``prepare`` is."""
        found = _batches(self._folder, split, self._suffix)
        if not found:
            stem = _STEMS.get(split, "data_batch")
            example = f"{stem}_1" if stem == "data_batch" else stem
            raise DatasetError(
                f"{self._folder}: expected files such as {example}{self._suffix} for the {split} split, found none"
            )
        return self._read(found, self.survey.classes)


def _open_binary(folder: Path, known: Sequence[str] | None) -> _Batches:
    return _Batches(folder, BINARY.name, ".bin", _classes_text(folder / "batches.meta.txt"), _read_binary)


def _open_python(folder: Path, known: Sequence[str] | None) -> _Batches:
    names = folder / "batches.meta"
    return _Batches(folder, PYTHON.name, "", _class_names(names) if names.is_file() else (), _read_python)


def _read_binary(paths: list[Path], classes: tuple[str, ...]) -> LabelledImages:
    images, labels = [], []
    for path in paths:
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


def _read_python(paths: list[Path], classes: tuple[str, ...]) -> LabelledImages:
    """Read pickled batches, of Python 2 or 3; nothing in them is run."""
    images, labels, files = [], [], []
    for path in paths:
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
    if split not in _STEMS:
        return []
    pattern = re.compile(rf"{_STEMS[split]}(?:_(\d+))?")
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = pattern.fullmatch(path.name[: -len(suffix)] if suffix else path.name)
        if match and path.name.endswith(suffix) and path.is_file():
            found.append((int(match[1] or 0), path))
    return [path for _, path in sorted(found)]


def _interleaved(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    maps = planes.reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(maps)


def _classes_text(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    text = read_file(path).decode("utf-8", "replace")
    return checked_names(path, [line.strip() for line in text.split("\n") if line.strip()])


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
    return checked_names(path, [_text(name) for name in names])


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


def _holds(suffix: str) -> Callable[[Path], bool]:
    return lambda path: path.is_dir() and any(_batches(path, split, suffix) for split in _STEMS)


BINARY = Layout(
    name="CIFAR's binary batches",
    example="data_batch_1.bin",
    recognises=_holds(".bin"),
    open=_open_binary,
    certain=True,
)
PYTHON = Layout(
    name="CIFAR's batches for Python",
    example="data_batch_1",
    recognises=_holds(""),
    open=_open_python,
    certain=True,
)
