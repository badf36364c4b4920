"""Writing files and folders so that a reader never sees half of one, whatever becomes of the writer."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bnncore.places import is_device
from bnncore.unfinished import scratch_file, scratch_folder

__all__ = ["new_folder", "write_atomically", "write_together"]

# From so many files on, one call for all is quicker.
_MANY_FILES = 1000


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside its final place and move it there, replacing what was there.

    Missing folders are made. On any error the old file, if there was one, is untouched; and where the power fails,
    there is the old file or the new one, both whole. The new one has the permissions of the old, or those
    that the umask leaves. What a killed process had begun to write there is taken away. A device or a pipe is
    written to as it is.
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write several files, all or none of them, each as ``write_atomically`` does.

    They are moved into their places at the end, when all are whole on the disk. If that fails at one, those before it
    are put back as they were.
    """
    with ExitStack() as stack:
        moves = []
        for path, data in files.items():
            if is_device(path):
                path.write_bytes(data)
                continue
            stack.enter_context(_folders(path.parent))
            scratch = stack.enter_context(_written(path, data))
            moves.append((scratch, path))
        _move(moves)
    for folder in dict.fromkeys(path.parent for _, path in moves):
        _sync_folder(folder)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to write into, whose content has its place at the end of the block, whole or not at all.

    If the block fails or is interrupted, nothing is left, and what a killed process left is taken away at the next
    call. A folder that exists already keeps what is in it.

    Args:
        folder: the final place; missing folders above it are made.

    Raises:
        FileExistsError: at the end, if a file is there already; then none is written.
    """
    present = folder.is_dir()
    parent, name = (folder, "content") if present else (folder.parent, folder.name)
    with _folders(parent), scratch_folder(parent, name) as scratch, _naming(folder):
        yield scratch
        _sync_content(scratch)
        if not present:
            scratch.replace(folder)
            _sync_folder(parent)
            return
        found = [path for path in sorted(scratch.rglob("*")) if not path.is_dir()]
        moves = [(path, folder / path.relative_to(scratch)) for path in found]
        for _, target in moves:
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        with ExitStack() as stack:
            for _, target in moves:
                stack.enter_context(_folders(target.parent))
            _move(moves)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say where it was that the system refused something: of a full disk it does not."""
    try:
        yield
    except OSError as fault:
        if fault.errno is not None and not fault.filename:
            fault.filename = str(path)
        raise


@contextmanager
def _folders(folder: Path) -> Iterator[None]:
    """Make a folder and those above it; if the block fails, those that were not there are taken away again."""
    missing = []
    for place in (folder, *folder.parents):
        if place.is_dir():
            break
        if place.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        missing.append(place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for place in missing:
            # One into which somebody else has put something stays.
            with suppress(OSError):
                place.rmdir()
        raise


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """Write a file beside its final place, on the disk and all, to be moved there by the block."""
    with scratch_file(path.parent, path.name) as (scratch, file):
        with _naming(path):
            file.write(data)
            with suppress(FileNotFoundError):
                scratch.chmod(path.stat().st_mode & 0o777)
            file.flush()
            # Else a file system may put it into its place before its content is on the card.
            os.fsync(file.fileno())
        if os.name == "nt":
            # Windows moves no open file; elsewhere it stays locked.
            file.close()
        yield scratch


def _move(moves: Sequence[tuple[Path, Path]]) -> None:
    """Move files into their places; if one cannot be moved, put the places before it back as they were."""
    # In memory, since a disk that is full has no room for copies; one file alone is moved whole or not at all.
    before = {target: _content(target) for _, target in moves} if len(moves) > 1 else {}
    done = []
    try:
        for scratch, target in moves:
            done.append(target)
            scratch.replace(target)
    except BaseException:
        for target in done if before else ():
            _restore(target, before[target])
        raise


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _restore(path: Path, content: bytes | None) -> None:
    with suppress(OSError):
        if content is None:
            path.unlink(missing_ok=True)
        elif path.read_bytes() != content:
            path.write_bytes(content)


def _sync_content(folder: Path) -> None:
    """Bring a folder's files to the disk: each by itself, or with everything else where they are many."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    if len(found) > _MANY_FILES and hasattr(os, "sync"):
        os.sync()
        return
    for path in found:
        with path.open("rb") as file, suppress(OSError):
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can; the file has its name in any case."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
