"""Where the metadata of installed distributions are, and how a file of them is read; none is understood here.

``importlib.metadata`` is asked only for what is in no folder: in a zip file on ``sys.path``, or known to a finder.
Every start would pay for importing it (``python -X importtime -c "import importlib.metadata"``): 20 ms of a computer's
time, where to read a hundred distributions here takes 3.
"""
# ruff: noqa: PTH100, PTH116, PTH118, PTH119, PTH122, PTH208  # Paths as text: every start reads hundreds, and pathlib would take most of the time.

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.machinery import PathFinder
from typing import Any, NamedTuple

from bnncore.files import unreadable
from bnncore.plain_text import one_line

__all__ = ["HEADERS", "Found", "search"]

HEADERS = ("METADATA", "PKG-INFO")
"""Files that begin with name and version, in a ``.dist-info`` and in an ``.egg-info``."""

_SUFFIXES = (".dist-info", ".egg-info")
# Lists of entry points have some hundred bytes, the largest known some ten thousand.
_LIMIT = 2**20
# Name and version stand at the top; what is below, such as a README, may be large.
_TOP = 2**16
# A named pipe would make us wait for its writer.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Found(NamedTuple):
    """The metadata of one distribution.

    Attributes:
        stem: name of the folder without its suffix; empty if they are in none.
        place: path of the folder, or what comes next to that.
        read: returns the content of one of its files, of ``HEADERS`` the top, or None if it has none such; the empty
            name is the place itself, where an old installer wrote a file instead of a folder.
        source: what ``importlib.metadata`` knows the distribution as, where that found it.
    """

    stem: str
    place: str
    read: Callable[[str], bytes | None]
    source: Any = None


def search(note: Callable[[str], None]) -> Iterator[Found]:
    """Yield what there is, in order of ``sys.path``.

    Args:
        note: is told what cannot be searched, and why.
    """
    seen = set()
    for entry in list(sys.path):
        # Imports pass over anything else, too.
        if not isinstance(entry, str):
            continue
        folder = entry or os.curdir
        try:
            status = os.stat(folder)
            # One folder is often there twice, by a link or by two spellings.
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            if stat.S_ISDIR(status.st_mode):
                yield from _in_folder(os.path.abspath(folder), os.listdir(folder))
            elif stat.S_ISREG(status.st_mode):
                yield from _from(PathFinder, folder, note, path=[folder])
        except (FileNotFoundError, NotADirectoryError, ValueError):
            # Python's own sys.path has some that do not exist.
            continue
        except OSError as error:
            note(unreadable(one_line(folder), error))
    for finder in list(sys.meta_path):
        if finder is not PathFinder and hasattr(finder, "find_distributions"):
            yield from _from(finder, f"finder {type(finder).__name__}", note)


def _in_folder(folder: str, names: Iterable[str]) -> Iterator[Found]:
    """Yield the metadata in a folder, by name, so that the order is the same everywhere."""
    for name in sorted(name for name in names if name.lower().endswith(_SUFFIXES)):
        place = os.path.join(folder, name)
        yield Found(os.path.splitext(name)[0], place, partial(_read_file, place))
    if folder.endswith(".egg"):
        place = os.path.join(folder, "EGG-INFO")
        yield Found(os.path.splitext(os.path.basename(folder))[0], place, partial(_read_file, place))


def _read_file(place: str, name: str) -> bytes | None:
    """Return the content of a file.

    Raises:
        OSError: if it cannot be read, or is no file, or too large to be what it should be.
    """
    try:
        handle = os.open(os.path.join(place, name) if name else place, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        status = os.fstat(handle)
        if not name and stat.S_ISDIR(status.st_mode):
            return None
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        if name in HEADERS or not name:
            return os.read(handle, _TOP)
        if status.st_size > _LIMIT:
            raise OSError(errno.EFBIG, f"larger than {_LIMIT} bytes")
        return os.read(handle, _LIMIT)
    finally:
        os.close(handle)


def _from(finder: Any, where: str, note: Callable[[str], None], **context: Any) -> Iterator[Found]:
    """Yield what a finder of ``importlib.metadata`` knows; it may be anybody's, and raise anything."""
    from importlib.metadata import DistributionFinder

    try:
        for each in finder.find_distributions(DistributionFinder.Context(**context)):
            place = str(getattr(each, "_path", "") or each.locate_file("")).rstrip("/")
            stem, suffix = os.path.splitext(os.path.basename(place))
            yield Found(stem if suffix in _SUFFIXES else "", place, partial(_read_text, each), each)
    except Exception as error:
        note(unreadable(one_line(where), error))


def _read_text(source: Any, name: str) -> bytes | None:
    """Return the content of a file of a distribution that a finder knows."""
    text: str | None = source.read_text(name)
    return None if text is None else text.encode("utf-8", "surrogateescape")
