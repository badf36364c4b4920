"""What is loaded on a device, known to every process of the machine.

One small file a device is lock and state at once: a process holds its lock while it uses the device,
and reads and writes there which bitstream and which parameters are loaded. Anything that cannot be read as
such means: unknown, load everything.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import asdict, frozen

from bnnhw.errors import BackendError

__all__ = ["Resident", "StateFile", "default_directory"]

_POLL_SECONDS = 0.005
_LIMIT = 65536
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@frozen(kw_only=True)
class Resident:
    """What is loaded.

    Attributes:
        bitstream: SHA-256 of the bitstream file.
        parameters: tells the parameter set from others, or "" if none is loaded.
        stamp: ``Device.stamp`` after the bitstream was loaded.
    """

    bitstream: str
    parameters: str
    stamp: str


class StateFile:
    """The state file of one device, open and locked.

    Written entries are lost when the machine restarts, as the device's content is.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> Resident | None:
        """Return what is loaded, or None if nobody knows."""
        try:
            entry = json.loads(os.pread(self._descriptor, _LIMIT, 0))
            if entry.pop("boot") != _boot_id():
                return None
            resident = Resident(**entry)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return resident if all(isinstance(value, str) for value in asdict(resident).values()) else None

    def write(self, resident: Resident | None) -> None:
        """Note what is loaded; None before anything changes it, so that an accident leaves "unknown".

        Nothing happens in a process that was forked meanwhile: the device is its parent's.
        """
        if self._descriptor not in _open:
            return
        entry = b"" if resident is None else json.dumps({"boot": _boot_id(), **asdict(resident)}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, entry, 0)


@contextmanager
def locked(directory: Path, device: str, timeout: float) -> Iterator[StateFile]:
    """Open a device's state file, for this process alone while the context lasts.

    Args:
        directory: where state files are, the same for every process.
        device: name of the device.
        timeout: longest time to wait for another process, in seconds.

    Raises:
        BackendError: if the file cannot be opened, or the device stays in use.
    """
    path = directory / f"bnncore-{re.sub(r'[^A-Za-z0-9]+', '-', device)}.lock"
    try:
        # Opened anew each time: processes that fork would share an open file, and with it the lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BackendError(
            f"{path}: expected a lock file for the FPGA that this user may write, found: {error.strerror}. "
            "Run as the user who used the FPGA before (on a PYNQ board: root)"
        ) from error
    _open.add(descriptor)
    try:
        _lock(descriptor, path, timeout)
        yield StateFile(descriptor)
    finally:
        # Closing drops the lock. Where it is not there, this is a child that was forked meanwhile.
        if descriptor in _open:
            _open.discard(descriptor)
            os.close(descriptor)


# A child that keeps its parent's open file would keep the device locked, for as long as it lives.
_open: set[int] = set()


def _disown() -> None:
    while _open:
        os.close(_open.pop())


os.register_at_fork(after_in_child=_disown)


def default_directory() -> Path:
    """Return where state files are kept: a place that is emptied when the machine restarts, if there is one."""
    shared = Path("/run/lock")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def _lock(descriptor: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise BackendError(
                    f"another process has used the FPGA for more than {timeout:g} s without a break (it holds "
                    f"{path}); end it, or try again later"
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
