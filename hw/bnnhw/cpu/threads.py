"""How many threads to use: never more than this process may run at once."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from bnnhw import environment
from bnnhw.errors import SettingError

__all__ = ["available_cpus", "thread_count"]

_CGROUP = Path("/sys/fs/cgroup")

# More than machines have processors. Each may take a workspace of its own, and of the system's threads.
_MOST = 1024


def thread_count(asked: int | None = None) -> int:
    """Return the number of threads to use.

    Args:
        asked: as many; None for the environment variable ``BNNCORE_THREADS``, and without it every
            available CPU, or ``OMP_NUM_THREADS`` if that is less; or one in a worker process of
            ``multiprocessing``, whose siblings use the others.

    Raises:
        SettingError: if the number asked for is not a whole number from 1 to 1024.
    """
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, int):
            raise SettingError(f"threads must be a whole number from 1 up, not {asked!r}")
        return _possible("threads", asked, repr(asked))
    given = environment.THREADS.value.strip()
    if given:
        # More digits are no more possible, and Python refuses to read thousands of them.
        number = int(given.lstrip("0")[:9] or 0) if given.isascii() and given.isdigit() else 0
        return _possible(str(environment.THREADS), number, repr(given[:40]))
    if _in_worker():
        return 1
    cpus = available_cpus()
    # With commas it has a number for each level of nested parallel work.
    others = environment.OMP_NUM_THREADS.value.split(",")[0].strip()
    if others.isascii() and others.isdigit() and 0 < len(others) < 9:
        cpus = min(cpus, max(1, int(others)))
    return cpus


def _possible(where: str, number: int, shown: str) -> int:
    if number < 1:
        raise SettingError(f"{where} must be a whole number from 1 up, not {shown}")
    if number > _MOST:
        raise SettingError(f"{where} must be a whole number up to {_MOST}, not {shown}; more do not help")
    return number


def _in_worker() -> bool:
    """Tell whether this process is a worker of ``multiprocessing``, without an import just for the question."""
    if "multiprocessing" not in sys.modules:
        return False
    import multiprocessing

    return multiprocessing.parent_process() is not None


def available_cpus() -> int:
    """Return the CPUs that this process may use: its affinity, and its control group's quota on Linux."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        cpus = os.cpu_count() or 1
    quota = _quota()
    return max(1, cpus if quota is None else min(cpus, math.ceil(quota)))


def _quota() -> float | None:
    """Return the CPUs' worth of time that the control group (version 2 or 1) allows, or None."""
    try:
        limit, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (_CGROUP / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (_CGROUP / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    try:
        share = float(limit) / float(period)
    except (ValueError, ZeroDivisionError):  # "max" means no limit
        return None
    return share if share > 0 else None
