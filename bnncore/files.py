"""Reading files within bounds, writing them so that a reader never sees half of one, and where they are kept."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from bnncore import environment
from bnncore.errors import BnnError, ResourceError
from bnncore.spelling import argument

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "Fingerprint",
    "cache_folder",
    "check_folder",
    "check_place",
    "check_space",
    "claimed",
    "fingerprint",
    "fingerprint_of",
    "is_unfinished",
    "new_folder",
    "read_limited",
    "reading",
    "remove_unfinished",
    "scratch_folder",
    "unreadable",
    "write_atomically",
    "write_together",
]

_PIECE = 2**20
# Waiting for no other end of a pipe; as bytes, and not for child processes.
_AT_ONCE = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "O_NOINHERIT")
)

# Seconds until somebody opens the other end of a pipe.
_PATIENCE = 1.0

# What is being written has such a name, ``.weights.npz.5f3a9c01.unfinished``, with so many characters of the final one.
_UNFINISHED = ".unfinished"
_NAME_PART = 40

# Seconds after which nobody is writing any more, where a system or a disk has no locks that would say so.
_ABANDONED = 24 * 3600.0

# From so many files on, one call for all is quicker.
_MANY_FILES = 1000

# How often a folder is made anew that others take away.
_ATTEMPTS = 20

_Made = TypeVar("_Made")


class Fingerprint(NamedTuple):
    """What tells a file's content from any other.

    Attributes:
        size: in bytes.
        sha256: 64 hex digits.
    """

    size: int
    sha256: str


def cache_folder() -> Path:
    """Return where fetched files are kept: ``BNNCORE_CACHE``, or ``bnncore`` in the user's cache.

    Raises:
        ResourceError: if none is named and the user has no home.
    """
    chosen = environment.CACHE.value
    try:
        if chosen:
            return Path(chosen).expanduser()
        base = environment.XDG_CACHE_HOME.value
        return (Path(base) if base else Path.home() / ".cache") / "bnncore"
    except RuntimeError as error:
        raise ResourceError(
            f"expected a home folder to keep fetched files in, found none ({error}); name a folder with "
            f"{environment.CACHE}"
        ) from error


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
    if (whole := _plain_file(path, limit)) is not None:
        return whole
    with reading(path, error, advice), io.FileIO(path, opener=_open_at_once) as file:
        # A buffer of the limit would take that much memory, however small the file. What is no file on a disk, as a
        # pipe, has size 0 until it is read.
        size = os.fstat(file.fileno()).st_size
        pieces = [_first_bytes(file, path)]
        wanted = max(0, limit + 1 - len(pieces[0])) if size <= limit else 0
        while wanted and (piece := file.read(min(max(size + 1, _PIECE), wanted))):
            pieces.append(piece)
            wanted -= len(piece)
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


def check_place(path: Path, error: type[BnnError], *, overwrite: bool = True) -> None:
    """Refuse a place for a file or a new folder where nothing can be written, before there is anything to write.

    It is tried, since rights, quotas and read-only disks show no other way. Nothing is left behind.

    Args:
        path: of what is to be written; missing folders above it will be made.
        error: what to raise.
        overwrite: whether what is there already may be replaced.

    Raises:
        BnnError: of the given class, with the system's reason, or if something is there and shall stay.
    """
    try:
        if not overwrite and os.path.lexists(path) and not _is_device(path):
            raise error(
                f"{path}: exists already; choose a new name, remove it, or allow that it is replaced with "
                f"{argument('overwrite')}"
            )
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_device(path):
            return
        check_folder(path.parent, error)
    except OSError as fault:
        raise error(f"{path}: cannot be written: {fault.strerror or fault}; choose another place") from fault


def check_folder(folder: Path, error: type[BnnError]) -> None:
    """Refuse a folder into which nothing can be written, or which cannot be made; see ``check_place``."""
    try:
        with _created(_nearest_folder(folder), "try"):
            pass
    except OSError as fault:
        wrong = "cannot be written to" if folder.is_dir() else "cannot be made a folder"
        raise error(f"{folder}: {wrong}: {fault.strerror or fault}; choose another place") from fault


def check_space(folder: Path, size: int, error: type[BnnError]) -> None:
    """Refuse to begin what the disk has no room for.

    Args:
        folder: where it is to be; need not exist yet.
        size: in bytes.
        error: what to raise.

    Raises:
        BnnError: of the given class, if less is free, as far as the system can say.
    """
    import shutil

    try:
        free = shutil.disk_usage(_nearest_folder(folder)).free
    except OSError:
        return
    if free < size:
        raise error(
            f"{folder}: the disk has {free / 1e6:,.0f} MB left, and {size / 1e6:,.0f} MB are needed; make room, or "
            "choose another place"
        )


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
            if _is_device(path):
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
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Give an empty folder beside a final place, and take away what is left of it at the end of the block.

    Args:
        parent: of both; made, if it is missing.
        name: of the final place, under which the next call finds what a killed process left.
    """
    import shutil

    remove_unfinished(parent, name)
    while True:
        scratch = _scratch(parent, name)
        _made(scratch, Path.mkdir)
        handle = None
        try:
            with suppress(OSError):
                # Windows cannot open a folder.
                handle = os.open(scratch, os.O_RDONLY)
            if handle is None or _lock(handle):
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
            mine = _lock(handle)
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


def remove_unfinished(folder: Path, name: str) -> None:
    """Take away what killed processes had begun to write under a name in a folder; those that run keep theirs."""
    start = f".{name[:_NAME_PART]}."
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(start) and entry.name.endswith(_UNFINISHED):
                _remove_abandoned(Path(entry.path))


def is_unfinished(name: str) -> bool:
    """Say whether a file or folder of that name is being written, or was when its process was killed."""
    return name.startswith(".") and name.endswith(_UNFINISHED)


def _nearest_folder(path: Path) -> Path:
    """Return the folder itself or the nearest one above it that exists.

    Raises:
        OSError: if something else is in the way, or it cannot be looked at.
    """
    for place in (path, *path.parents):
        try:
            mode = place.stat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, f"{os.strerror(errno.ENOTDIR)}: {place}")
        return place
    # A relative path in a working folder that is gone.
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _is_device(path: Path) -> bool:
    """Say whether a path is there and neither file nor folder: replacing ``/dev/null`` would harm everybody."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _scratch(folder: Path, name: str) -> Path:
    """Return a new name beside one; names have an end, which the addition must not reach."""
    return folder / f".{name[:_NAME_PART]}.{os.urandom(4).hex()}{_UNFINISHED}"


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
def _created(folder: Path, name: str) -> Iterator[tuple[Path, BinaryIO]]:
    """Create a file beside its final place, and take away what is left of it at the end of the block."""
    remove_unfinished(folder, name)
    while True:
        scratch = _scratch(folder, name)
        # Exclusive, so that it is no link of somebody else's, and not by way of tempfile, which heeds no umask.
        with _made(scratch, lambda place: place.open("xb")) as file:
            try:
                if _lock(file.fileno()):
                    yield scratch, file
                    return
            finally:
                scratch.unlink(missing_ok=True)


@contextmanager
def _written(path: Path, data: bytes) -> Iterator[Path]:
    """Write a file beside its final place, on the disk and all, to be moved there by the block."""
    with _created(path.parent, path.name) as (scratch, file):
        with _naming(path):
            file.write(data)
            with suppress(FileNotFoundError):
                scratch.chmod(path.stat().st_mode & 0o777)
            file.flush()
            # Else a file system may put it into its place before its content is on the card.
            os.fsync(file.fileno())
        if fcntl is None:
            # Windows moves no open file; elsewhere it stays locked.
            file.close()
        yield scratch


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


def _lock(handle: int) -> bool:
    """Mark an open file or folder as this process's until it ends, however that is, where the system has such locks.

    Returns:
        Whether it is: another process may just be taking it for abandoned.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # No locks on this disk, so nobody takes away what is new.
        return True
    return os.fstat(handle).st_nlink > 0


def _remove_abandoned(path: Path) -> None:
    """Remove what no process holds; without locks, what is old."""
    import shutil

    handle = None
    try:
        locked = False
        if fcntl is not None:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = True
            except BlockingIOError:
                return
            except OSError:
                locked = False
        if not locked and time.time() - path.lstat().st_mtime < _ABANDONED:
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


def _plain_file(path: str | os.PathLike[str], limit: int) -> bytes | None:
    """Return the content of a plain file within the limit; None for all else, be it an error.

    In as few calls as can be: a picture of 32x32 pixels is decoded in the time that Python's files take.
    """
    try:
        handle = os.open(path, _AT_ONCE)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            return None
        # A byte more, since what is larger by now, or in no full read, is left to a closer look.
        whole = os.read(handle, status.st_size + 1)
        return whole if len(whole) == status.st_size > 0 else None
    except OSError:
        return None
    finally:
        os.close(handle)


def _open_at_once(name: str, flags: int) -> int:
    """Open a file for ``open``, as ``os.open`` does, but refuse devices, and wait for no other end of a pipe.

    ``/dev/zero`` has no end, and to open a named pipe waits for a writer for ever.
    """
    handle = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "expected a file, found a device", name)
    return handle


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
