"""Where files are kept, and writing them so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bnncore import environment

__all__ = ["cache_folder", "write_atomically"]


def cache_folder() -> Path:
    """Return where fetched files are kept: ``BNNCORE_CACHE``, or ``bnncore`` in the user's cache."""
    chosen = environment.CACHE.value
    if chosen:
        return Path(chosen).expanduser()
    base = environment.XDG_CACHE_HOME.value
    return (Path(base) if base else Path.home() / ".cache") / "bnncore"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file beside its final place and move it there, replacing what was there.

    Missing folders are made. On any error the old file, if there was one, is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes files that only their owner can read.
        scratch.chmod(0o644)
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
