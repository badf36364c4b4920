"""MNIST's idx files, plain or compressed with gzip (http://yann.lecun.com/exdb/mnist).

A header of big-endian 32-bit words: 0x00000803, count, rows, columns for images, 0x00000801, count for
labels; then the bytes, images row by row.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bnncore.datasets.collection import Layout, Prepare, missing_split
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.limited import read_file, read_stream
from bnncore.datasets.splits import SPLITS, Split, split_of
from bnncore.datasets.surveys import Survey

__all__ = ["LAYOUT", "idx_names", "read_idx_file"]

_MAX_SIDE = 4096
_PREFIX: dict[Split, str] = {"train": "train", "validation": "validation", "test": "t10k"}
# The publisher's train-images-idx3-ubyte.gz, and what copies make of it: dots for dashes, no ubyte, an idx at the end.
_NAME = re.compile(
    r"(?P<prefix>.+?)[-_.](?P<what>images?|labels?)(?:[-_.]?idx[13])?(?:[-_.]?ubyte)?(?:[-_.]idx)?(?:\.gz)?",
    re.IGNORECASE,
)
_MARK = re.compile(r"idx|ubyte", re.IGNORECASE)


class _Files:
    """MNIST's files in a folder."""

    def __init__(self, folder: Path, known: Sequence[str] | None) -> None:
        self._folder = folder
        self._found = {split: files for split in SPLITS if (files := _files(folder, split))}
        self.survey = Survey(path=folder, layout=LAYOUT.name, splits=tuple(self._found))

    def read(self, split: Split, prepare: Prepare | None = None, skip_broken: bool = False) -> LabelledImages:
        """Read images and labels of a split; the classes are the digits where there are ten."""
        files = self._found.get(split)
        if files is None:
            hint = f"; its files would be called {_PREFIX[split]}-images-idx3-ubyte and -labels-idx1-ubyte"
            raise missing_split(self._folder, split, self.survey.splits, hint)
        for what, dimensions in (("images", 3), ("labels", 1)):
            if what not in files:
                raise DatasetError(
                    f"{self._folder}: expected {_PREFIX[split]}-{what}-idx{dimensions}-ubyte or the same with .gz, "
                    "found neither"
                )
        images, labels = read_idx_file(files["images"], 3), read_idx_file(files["labels"], 1).astype(np.int64)
        if len(images) != len(labels):
            raise DatasetError(
                f"{files['labels']}: {len(labels)} labels for the {len(images)} images of {files['images'].name}"
            )
        classes = tuple("0123456789") if len(labels) and labels.max() < 10 else ()
        return LabelledImages(images=images, labels=labels, classes=classes)


def idx_names(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield of each file that is called like one of MNIST's its prefix, ``images`` or ``labels``, and the path."""
    for path in sorted(folder.iterdir()):
        match = _NAME.fullmatch(path.name)
        # Some archives unpack to a folder of the file's name with the file in it.
        if path.is_dir() and (path / path.name).is_file():
            path = path / path.name
        if match and _MARK.search(path.name) and path.is_file():
            yield match["prefix"], f"{match['what'].lower().rstrip('s')}s", path


def _files(folder: Path, split: Split) -> dict[str, Path]:
    """Return the files of images and of labels of a split, as far as they are there; the plain one before the .gz."""
    found: dict[str, Path] = {}
    # The publisher's own name goes before others.
    for prefix, what, path in sorted(
        idx_names(folder), key=lambda each: (each[0] not in _PREFIX.values(), each[2])
    ):
        if (prefix.lower() == "t10k" and split == "test") or split_of(prefix) == split:
            found.setdefault(what, path)
    return found


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


def _content(path: Path) -> bytes:
    data = read_file(path)
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return read_stream(path, stream, len(data))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: the compressed data are damaged: {error}") from error


LAYOUT = Layout(
    name="MNIST's idx files",
    example="train-images-idx3-ubyte",
    recognises=lambda path: path.is_dir() and any("images" in _files(path, split) for split in SPLITS),
    open=_Files,
    certain=True,
)
