"""Places for files: where fetched ones are kept, and whether something can be written before there is anything to."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from bnncore import environment
from bnncore.errors import BnnError, ResourceError
from bnncore.spelling import argument
from bnncore.unfinished import scratch_file

__all__ = ["cache_folder", "check_folder", "check_place", "check_space", "is_device"]


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
        if not overwrite and os.path.lexists(path) and not is_device(path):
            raise error(
                f"{path}: exists already; choose a new name, remove it, or allow that it is replaced with "
                f"{argument('overwrite')}"
            )
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if is_device(path):
            return
        check_folder(path.parent, error)
    except OSError as fault:
        raise error(f"{path}: cannot be written: {fault.strerror or fault}; choose another place") from fault


def check_folder(folder: Path, error: type[BnnError]) -> None:
    """Refuse a folder into which nothing can be written, or which cannot be made; see ``check_place``."""
    try:
        with scratch_file(_nearest_folder(folder), "try"):
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


def is_device(path: Path) -> bool:
    """Say whether a path is there and neither file nor folder: replacing ``/dev/null`` would harm everybody."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


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
