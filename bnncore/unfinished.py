"""What is being written, beside its final place under a name of its own, and what killed processes left of it.

A lock tells one from the other: it is the writing process's until that ends, however that is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["claimed", "is_unfinished", "scratch_file", "scratch_folder"]

# Such names are ``.weights.npz.5f3a9c01.unfinished``, with so many characters of the final one.
_UNFINISHED = ".unfinished"
_NAME_PART = 40

# Seconds after which nobody is writing any more, where a system or a disk has no locks that would say so.
_ABANDONED = 24 * 3600.0

# How often a folder is made anew that others take away.
_ATTEMPTS = 20

_Made = TypeVar("_Made")


@contextmanager
def scratch_file(folder: Path, name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """Create a file beside its final place, and take away what is left of it at the end of the block."""
    _remove_what_was_left(folder, name)
    while True:
        scratch = _scratch(folder, name)
        # Exclusive, so that it is no link of somebody else's, and not by way of tempfile, which heeds no umask.
        with _made(scratch, lambda place: place.open("xb")) as file:
            try:
                if _is_ours(file.fileno()):
                    yield scratch, file
                    return
            finally:
                scratch.unlink(missing_ok=True)


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder beside a final place, and take away what is left of it at the end of the block.

    Args:
        parent: of both; made, if it is missing.
        name: of the final place, under which the next call finds what a killed process left.
    """
    import shutil

    _remove_what_was_left(parent, name)
    while True:
        scratch = _scratch(parent, name)
        _made(scratch, Path.mkdir)
        handle = None
        try:
            with suppress(OSError):
                # Windows cannot open a folder.
                handle = os.open(scratch, os.O_RDONLY)
            if handle is None or _is_ours(handle):
                yield scratch
                return
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            if handle is not None:
                os.close(handle)


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold a file that processes go on writing, one after the other, as a transfer that broke off.

    An empty one is made where there is none, and one that is still empty is taken away at the end of the block.

    Returns:
        Whether it is this block's: another process or thread may just be writing it. Where a system or a disk has no
        locks, it always is.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            mine = _lock(handle) is not False
            if not _is_at(path, handle):
                # Moved to its final place meanwhile, or taken away.
                continue
            if fcntl is None:
                # Windows moves no open file.
                os.close(handle)
                handle = -1
            try:
                yield mine
            finally:
                if mine and _is_at(path, handle) and path.stat().st_size == 0:
                    path.unlink(missing_ok=True)
            return
        finally:
            if handle >= 0:
                os.close(handle)


def is_unfinished(name: str) -> bool:
    """Say whether a file or folder of that name is being written, or was when its process was killed."""
    return name.startswith(".") and name.endswith(_UNFINISHED)


def _scratch(folder: Path, name: str) -> Path:
    """Return a new name beside one; names have an end, which the addition must not reach."""
    return folder / f".{name[:_NAME_PART]}.{os.urandom(4).hex()}{_UNFINISHED}"


def _made(path: Path, make: Callable[[Path], _Made]) -> _Made:
    """Make something at a path, and once more if another process, which failed, has taken its folder away."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return make(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    return make(path)


def _is_at(path: Path, handle: int) -> bool:
    """Say whether a path is still that of an open file; of one that is closed (-1), whether there is any."""
    try:
        return handle < 0 or os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int) -> bool | None:
    """Mark an open file or folder as this process's until it ends, however that is.

    Returns:
        Whether it is, or is another's; None if the system or the disk has no such locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_ours(handle: int) -> bool:
    """Lock what was just created; without locks nobody takes away what is new."""
    locked = _lock(handle)
    # Another process may have taken it for abandoned before it was locked.
    return locked is None or (locked and os.fstat(handle).st_nlink > 0)


def _remove_what_was_left(folder: Path, name: str) -> None:
    """Take away what killed processes had begun to write under a name in a folder; those that run keep theirs."""
    start = f".{name[:_NAME_PART]}."
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(start) and entry.name.endswith(_UNFINISHED):
                _remove_abandoned(Path(entry.path))


def _remove_abandoned(path: Path) -> None:
    """Remove what no process holds; without locks, what is old."""
    import shutil

    handle = None
    try:
        locked = None
        if fcntl is not None:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            locked = _lock(handle)
        young = time.time() - path.lstat().st_mtime < _ABANDONED
        if locked is False or (locked is None and young):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    except OSError:
        return
    finally:
        if handle is not None:
            os.close(handle)
