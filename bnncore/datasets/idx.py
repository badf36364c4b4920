"""MNIST's idx files, plain or compressed with gzip (http://yann.lecun.com/exdb/mnist).

A header of big-endian 32-bit words: 0x00000803, count, rows, columns for images, 0x00000801, count for
labels; then the bytes, images row by row.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.limited import read_file, read_stream

__all__ = ["is_idx", "read_idx", "read_idx_file"]

_MAX_SIDE = 4096
_PREFIX = {"train": "train", "test": "t10k"}


def is_idx(folder: Path) -> bool:
    """Whether the folder holds MNIST's files."""
    return any(_find(folder, prefix, "images", 3) for prefix in _PREFIX.values())


def read_idx(folder: Path, split: Literal["train", "test"]) -> LabelledImages:
    """Read the images and labels of one split; the classes are the digits where there are ten.

    Raises:
        DatasetError: naming the file, what was expected and what was found.
    """
    prefix = _PREFIX[split]
    paths = []
    for what, dimensions in (("images", 3), ("labels", 1)):
        path = _find(folder, prefix, what, dimensions)
        if path is None:
            raise DatasetError(
                f"{folder}: expected {prefix}-{what}-idx{dimensions}-ubyte or the same with .gz, found neither"
            )
        paths.append(path)
    images, labels = read_idx_file(paths[0], 3), read_idx_file(paths[1], 1).astype(np.int64)
    if len(images) != len(labels):
        raise DatasetError(f"{paths[1]}: {len(labels)} labels for the {len(images)} images of {paths[0].name}")
    classes = tuple("0123456789") if len(labels) and labels.max() < 10 else ()
    return LabelledImages(images=images, labels=labels, classes=classes)


def read_idx_file(path: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """Read one idx file of bytes with that many dimensions, compressed or not.

    Raises:
        DatasetError: naming the file, what was expected and what was found.
    """
    data = _content(path)
    header = 4 + 4 * dimensions
    if len(data) < header:
        raise DatasetError(f"{path}: expected a header of {header} bytes, found {len(data)} bytes in all")
    magic = int.from_bytes(data[:4], "big")
    if magic != 0x0800 + dimensions:
        raise DatasetError(
            f"{path}: expected the magic number {0x0800 + dimensions:#010x}, found {magic:#010x}"
        )
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dimensions)]
    if any(not 1 <= side <= _MAX_SIDE for side in shape[1:]):
        raise DatasetError(f"{path}: images of {shape[1:]} pixels, expected 1 to {_MAX_SIDE} a side")
    # Python's whole numbers: a header cannot make this product overflow.
    expected = header
    size = 1
    for side in shape:
        size *= side
    expected += size
    if len(data) != expected:
        kind = "truncated" if len(data) < expected else "too long"
        raise DatasetError(f"{path}: the header asks for {expected} bytes, found {len(data)}; it is {kind}")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _find(folder: Path, prefix: str, what: str, dimensions: int) -> Path | None:
    # Some copies have a dot where the publisher has a dash.
    for separator in "-.":
        for suffix in ("", ".gz"):
            path = folder / f"{prefix}-{what}{separator}idx{dimensions}-ubyte{suffix}"
            if path.is_file():
                return path
    return None


def _content(path: Path) -> bytes:
    data = read_file(path)
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return read_stream(path, stream, len(data))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: the compressed data are damaged: {error}") from error
