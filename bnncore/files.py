"""Reading files that anybody may have made: within bounds, and waiting for nobody."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bnncore.errors import BnnError

__all__ = ["Fingerprint", "fingerprint", "fingerprint_of", "read_limited", "reading", "unreadable"]

_PIECE = 2**20
# Waiting for no other end of a pipe; as bytes, and not for child processes.
_AT_ONCE = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "O_NOINHERIT")
)

# Seconds until somebody opens the other end of a pipe.
_PATIENCE = 1.0


class Fingerprint(NamedTuple):
    """What tells a file's content from any other.

    Attributes:
        size: in bytes.
        sha256: 64 hex digits.
    """

    size: int
    sha256: str


def unreadable(where: str | os.PathLike[str], fault: Exception) -> str:
    """Return the one sentence for a file that cannot be read, with the system's reason."""
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else fault
    return f"{where}: cannot be read: {reason}"


@contextmanager
def reading(path: str | os.PathLike[str], error: type[BnnError], advice: str = "") -> Iterator[None]:
    """Turn what the system raises in the body of the ``with`` into an error that names the file.

    Args:
        path: the file.
        error: what to raise.
        advice: what to do then, if that can be said; it ends the message.
    """
    try:
        yield
    except OSError as fault:
        raise error(_advising(unreadable(path, fault), advice)) from fault


def read_limited(
    path: str | os.PathLike[str], limit: int, error: type[BnnError], limit_of: str, advice: str = ""
) -> bytes:
    """Return the whole content of a file that anybody may have made.

    Args:
        path: the file.
        limit: bytes that it may have; at most one more is read.
        error: what to raise.
        limit_of: for the message on a file that is larger, for example ``this is no list of class names``.
        advice: what to do in either case, if that can be said; it ends the message.

    Raises:
        BnnError: of the given class, naming the file, if it cannot be read or is larger.
    """
    try:
        # Once, since whoever writes to a pipe is told that its reader has gone when it is closed.
        handle = os.open(path, _AT_ONCE)
    except OSError as fault:
        raise error(_advising(unreadable(path, fault), advice)) from fault
    try:
        if (whole := _plain_content(handle, limit)) is not None:
            return whole
        with reading(path, error, advice), io.FileIO(handle, closefd=False) as file:
            _refuse_device(handle, path)
            # A buffer of the limit would take that much memory, however small the file. What is no file on a disk, as
            # a pipe, has size 0 until it is read.
            size = os.fstat(handle).st_size
            pieces = [_first_bytes(file, path)]
            wanted = max(0, limit + 1 - len(pieces[0])) if size <= limit else 0
            while wanted and (piece := file.read(min(max(size + 1, _PIECE), wanted))):
                pieces.append(piece)
                wanted -= len(piece)
    finally:
        os.close(handle)
    if not wanted:
        raise error(_advising(f"{path}: larger than {limit} bytes, {limit_of}", advice))
    return b"".join(pieces)


def fingerprint(path: Path, error: type[BnnError]) -> Fingerprint:
    """Return size and SHA-256 of a file of any size, in little memory.

    Raises:
        BnnError: of the given class, naming the file, if it cannot be read.
    """
    size, digest = 0, hashlib.sha256()
    with reading(path, error), io.FileIO(path, opener=_open_at_once) as file:
        piece = _first_bytes(file, path) or file.read(_PIECE)
        while piece:
            size += len(piece)
            digest.update(piece)
            piece = file.read(_PIECE)
    return Fingerprint(size, digest.hexdigest())


def fingerprint_of(data: bytes) -> Fingerprint:
    """Return size and SHA-256 of bytes."""
    return Fingerprint(len(data), hashlib.sha256(data).hexdigest())


def _plain_content(handle: int, limit: int) -> bytes | None:
    """Return the content of a plain file within the limit; None for all else, be it an error, from its beginning.

    In as few calls as can be: a picture of 32x32 pixels is decoded in the time that Python's files take.
    """
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return None
        # A byte more, since what is larger by now, or in no full read, is left to a closer look.
        whole = os.read(handle, status.st_size + 1)
        if len(whole) == status.st_size > 0:
            return whole
        os.lseek(handle, 0, os.SEEK_SET)
    except OSError:
        pass
    return None


def _open_at_once(name: str, flags: int) -> int:
    """Open a file for ``open``, as ``os.open`` does, but refuse devices, and wait for no other end of a pipe."""
    handle = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _refuse_device(handle, name)
    except OSError:
        os.close(handle)
        raise
    return handle


def _refuse_device(handle: int, path: str | os.PathLike[str]) -> None:
    """Raise an ``OSError`` for a device: ``/dev/zero`` has no end."""
    mode = os.fstat(handle).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "expected a file, found a device", str(path))


def _first_bytes(file: io.FileIO, path: str | os.PathLike[str]) -> bytes:
    """Return what a pipe has first, and nothing of a plain file; from then on, reading waits for the writer.

    Raises:
        OSError: if nobody has opened the pipe for writing within a second: then nobody will.
    """
    handle, first = file.fileno(), b""
    if stat.S_ISFIFO(os.fstat(handle).st_mode):
        import select

        select.select([handle], [], [], _PATIENCE)
        # Not yet blocking: one that is being written to, but empty for now, is told from one that nobody writes to.
        with suppress(BlockingIOError):
            first = os.read(handle, _PIECE)
            if not first:
                raise OSError(errno.EPIPE, "expected a file, found a pipe with nothing in it", str(path))
    if hasattr(os, "O_NONBLOCK"):
        os.set_blocking(handle, True)
    return first


def _advising(message: str, advice: str) -> str:
    return f"{message}; {advice}" if advice else message
