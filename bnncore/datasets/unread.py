"""What a path holds that no layout reads, in words, and what to do about it.

People point at the archive, the folder above, one file of a set, or a set that is stored in another way. Which of these
it is takes a look at names and first bytes.
"""

from __future__ import annotations

import itertools
import os
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from bnncore.datasets.collection import Layout
from bnncore.datasets.idx import idx_names
from bnncore.pictures.signatures import is_picture
from bnncore.plain_text import shown, some

__all__ = ["below", "description"]

_DEEPEST = 3
_MOST_FOLDERS = 2_000
_MOST_NAMES = 200

_ARCHIVE = re.compile(r".*\.(?:zip|tar|tgz|tbz2?|txz|tar\.\w+|7z|rar)", re.IGNORECASE)
_CONTAINER = re.compile(
    r".*\.(?:mat|npz|npy|h5|hdf5|parquet|arrow|tfrecords?|tfrecord-.*|lmdb|pkl|pt|rec)", re.IGNORECASE
)
_PACKED = re.compile(r"(?:(?:data|test)_batch.*|.*(?:idx|ubyte).*)\.(?:gz|bz2|xz|zip|z)", re.IGNORECASE)
_AS_FILES = "save its pictures as files, one folder a class"
_UNPACK = "unpack it and give the folder"


def description(path: Path) -> str:
    """Return what a path holds and what to do, as the end of a sentence; empty if there is nothing to say."""
    # A pipe would be waited for.
    if not path.is_dir() and not path.is_file():
        return "found neither a folder nor a file"
    try:
        if path.is_file():
            return next((text for teller in _OF_FILES if (text := teller(path, []))), "")
        inner, names = path, _names(path)
        anything = f"found {some(names)}" if names else "found an empty folder"
        while len(names) == 1 and (inner / names[0]).is_dir() and len(inner.parts) < len(path.parts) + _DEEPEST:
            inner /= names[0]
            names = _names(inner)
        place = "" if inner == path else f"in {shown(inner.relative_to(path).as_posix())} "
        return next((place + text for teller in _OF_FOLDERS if (text := teller(inner, names))), anything)
    # It is looked at to help; what goes wrong there is no news.
    except OSError:
        return ""


def _names(folder: Path) -> list[str]:
    return sorted(itertools.islice((each.name for each in folder.iterdir()), _MOST_NAMES))


def below(path: Path, layouts: list[Layout]) -> list[tuple[Path, Layout]]:
    """Return the folders below one that hold a layout whose files are known by name, and which.

    Args:
        path: the folder, which holds none itself.
        layouts: to look for.
    """
    found = []
    for folder in itertools.islice(_folders(path, 0), _MOST_FOLDERS):
        for layout in layouts:
            # In a folder, too, may be what only others may look at.
            with suppress(OSError):
                if layout.certain and layout.recognises(folder):
                    found.append((folder, layout))
                    break
    return found


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    try:
        children = sorted(
            each for each in folder.iterdir() if not each.name.startswith(".") and _may_be_entered(each)
        )
    except OSError:
        return
    for child in children:
        yield child
        if depth + 1 < _DEEPEST and not child.is_symlink():
            yield from _folders(child, depth + 1)


def _may_be_entered(path: Path) -> bool:
    """Whether a path is a folder that can be looked into: a link may lead to what only others may."""
    try:
        return path.is_dir() and os.access(path, os.R_OK | os.X_OK)
    except OSError:
        return False


def _archive(path: Path, names: list[str]) -> str:
    if _ARCHIVE.fullmatch(path.name) or tarfile.is_tarfile(path) or zipfile.is_zipfile(path):
        return f"found an archive; {_UNPACK}, or bnncore data NAME --from {str(path)!r} for a known set"
    return ""


def _part_of_a_set(path: Path, names: list[str]) -> str:
    if re.fullmatch(r"(?:data|test)_batch.*|.*(?:idx[13]|ubyte).*", path.name, re.IGNORECASE):
        return f"found one file of a set; give its folder, {str(path.parent)!r}"
    return ""


def _one_picture(path: Path, names: list[str]) -> str:
    return "found one picture; give the folder that holds one folder a class" if is_picture(path) else ""


def _container(path: Path, names: list[str]) -> str:
    found = [name for name in (names or [path.name]) if _CONTAINER.fullmatch(name)]
    if not found:
        return ""
    return (
        f"found {some(found)}, which is not read; {_AS_FILES}, or from Python train on arrays with "
        "TrainingData.of_images"
    )


def _cifar_100(path: Path, names: list[str]) -> str:
    python = {"train", "test", "meta"} <= set(names) and (path / "train").is_file()
    binary = {"train.bin", "test.bin", "fine_label_names.txt"} <= set(names)
    if not python and not binary:
        return ""
    return f"found CIFAR-100, which has two labels a picture and is not read; {_AS_FILES}"


def _other_idx(path: Path, names: list[str]) -> str:
    prefixes = sorted({prefix for prefix, _, _ in idx_names(path)})
    if any(prefix.lower().startswith("emnist") for prefix in prefixes):
        return (
            "found EMNIST, whose pictures lie on their side (rows are columns) and whose labels may begin at 1, so "
            f"it is not read; {_AS_FILES}, turned upright"
        )
    if prefixes:
        return (
            f"found idx files that begin with {some(prefixes)}; if they are of MNIST's form, rename them to "
            "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same with t10k"
        )
    return ""


def _packed(path: Path, names: list[str]) -> str:
    found = [name for name in names if _PACKED.fullmatch(name)]
    return f"found {some(found)}, still compressed; unpack them" if found else ""


def _archives_inside(path: Path, names: list[str]) -> str:
    found = [name for name in names if _ARCHIVE.fullmatch(name)]
    if not found:
        return ""
    example = str(path / found[0])
    return (
        f"found {some(found)}, not unpacked; {_UNPACK}, or bnncore data NAME --from {example!r} for a known set"
    )


def _tables_inside(path: Path, names: list[str]) -> str:
    found = [name for name in names if name.lower().endswith((".csv", ".tsv"))]
    if not found:
        return ""
    return f"found {some(found)} but no pictures; a table of pictures is given itself, {str(path / found[0])!r}"


_Teller = Callable[[Path, list[str]], str]
_OF_FILES: tuple[_Teller, ...] = (_part_of_a_set, _container, _archive, _one_picture)
_OF_FOLDERS: tuple[_Teller, ...] = (
    _cifar_100,
    _other_idx,
    _packed,
    _archives_inside,
    _container,
    _tables_inside,
)
