"""Pictures in folders, one a class, and pictures named by a table; shuffled, always in the same order."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.errors import BnnError
from bnncore.files import reading

__all__ = ["Prepare", "is_picture_folder", "picture_folders", "read_folder", "read_table"]

# Turns the path of a picture into the network's input: uint8 [height, width(, 3)].
Prepare = Callable[[Path], npt.NDArray[np.uint8]]

_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
_TABLE_LIMIT = 2**26


def is_picture_folder(folder: Path) -> bool:
    """Whether the folder holds a folder with pictures."""
    return folder.is_dir() and any(_pictures(child) for child in _children(folder))


def picture_folders(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each class, sorted by its name.

    Args:
        folder: holds the folders, one a class. Hidden ones, and files that are no pictures, are passed over.

    Raises:
        DatasetError: if there is none.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder with one folder of pictures a class, found none there")
    found = {child.name: _pictures(child) for child in _children(folder)}
    found = {name: paths for name, paths in found.items() if paths}
    if not found:
        raise DatasetError(
            f"{folder}: expected one folder of pictures a class, for example {folder.name}/cat/1.jpg"
        )
    return found


def read_folder(folder: Path, prepare: Prepare, classes: Sequence[str] | None = None) -> LabelledImages:
    """Read pictures from one folder a class, named as the class.

    They come in a shuffled order, the same each time, so that the last of them are of every class.

    Args:
        folder: holds the folders. Hidden ones, and files that are no pictures, are passed over.
        prepare: makes the network's input of a picture.
        classes: their order; sorted by name if None. A folder of another name is refused.

    Raises:
        DatasetError: naming the folder or picture that is wrong.
    """
    found = picture_folders(folder)
    names = tuple(classes) if classes is not None else tuple(sorted(found))
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise DatasetError(f"{folder}: the folder {unknown[0]!r} is no class; expected {', '.join(names[:12])}")
    items = [(path, index) for index, name in enumerate(names) for path in found.get(name, ())]
    return _read(items, prepare, names, folder)


def read_table(path: Path, prepare: Prepare, classes: Sequence[str] | None = None) -> LabelledImages:
    """Read the pictures that a CSV names: a header ``path,label``, then one picture a line.

    Paths are relative to the table's folder, and stay inside it. Labels are names of classes. The pictures come
    in a shuffled order, the same each time, so that the last of them are of every class.

    Args:
        path: the table, UTF-8.
        prepare: makes the network's input of a picture.
        classes: their order; sorted by name if None. A label that is none of them is refused.

    Raises:
        DatasetError: naming the line or picture that is wrong.
    """
    rows = _rows(path)
    names = tuple(classes) if classes is not None else tuple(sorted({label for _, _, label in rows}))
    index = {name: position for position, name in enumerate(names)}
    root = path.parent.resolve()
    items = []
    for number, given, label in rows:
        if label not in index:
            raise DatasetError(
                f"{path}, line {number}: {label!r} is no class; expected {', '.join(names[:12])}"
            )
        try:
            items.append((_picture(root, given), index[label]))
        except DatasetError as error:
            raise DatasetError(f"{path}, line {number}: {error}") from error
    return _read(items, prepare, names, root)


def _picture(root: Path, given: str) -> Path:
    """Return the picture that a line of a table names, in the table's folder."""
    try:
        picture = (root / given).resolve()
        inside, found = root in picture.parents, picture.is_file()
    # A NUL byte is a ValueError, a path too long an OSError, a link to itself a RuntimeError before Python 3.13.
    except (ValueError, OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(f"expected the path of a picture, found {given[:60]!r}: {reason}") from error
    if not inside:
        raise DatasetError(f"{given!r} is outside the table's folder")
    if not found:
        raise DatasetError(f"there is no file {given!r} in {root}")
    return picture


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """Return (line number, path, label) of each line of a table."""
    with reading(path, DatasetError):
        size = path.stat().st_size
    if size > _TABLE_LIMIT:
        raise DatasetError(f"{path}: larger than {_TABLE_LIMIT} bytes, this is no table of pictures")
    try:
        with reading(path, DatasetError), path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            fields = reader.fieldnames or []
            if "path" not in fields or "label" not in fields:
                raise DatasetError(
                    f"{path}: expected a first line with the columns 'path' and 'label', found {list(fields)}"
                )
            rows = [(reader.line_num, row["path"], row["label"]) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: expected a CSV in UTF-8: {error}") from error
    for number, given, label in rows:
        if not given or not label:
            raise DatasetError(f"{path}, line {number}: expected a path and a label")
    if not rows:
        raise DatasetError(f"{path}: no line after the first, so no pictures")
    return rows


def _children(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def _read(
    items: Sequence[tuple[Path, int]], prepare: Prepare, classes: tuple[str, ...], root: Path
) -> LabelledImages:
    # The trainer holds the last ones back to choose by. In the order of folders and of most tables these would
    # be whole classes, which the network would then never see.
    items = [items[position] for position in np.random.default_rng(0).permutation(len(items))]
    arrays: list[npt.NDArray[Any]] = []
    for path, _ in items:
        try:
            arrays.append(prepare(path))
        except BnnError as error:
            # Errors of reading a picture name it already, those of preprocessing need not.
            reason = str(error).removeprefix(f"{path}: ")
            raise DatasetError(f"{path}: {reason}; repair or remove the picture") from error
        if arrays[-1].shape != arrays[0].shape:
            raise DatasetError(
                f"{path}: {list(arrays[-1].shape)} after preprocessing, the others have {list(arrays[0].shape)}"
            )
    return LabelledImages(
        images=np.stack(arrays),
        labels=np.array([label for _, label in items], np.int64),
        classes=classes,
        names=tuple(_relative(path, root) for path, _ in items),
    )


def _relative(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.name
