"""How many threads to use: never more than this process may run at once."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from bnnhw import environment
from bnnhw.errors import BackendError

__all__ = ["available_cpus", "thread_count"]

_CGROUP = Path("/sys/fs/cgroup")


def thread_count(asked: int | None = None) -> int:
    """Return the number of threads to use.

    Args:
        asked: as many; None for the environment variable ``BNNCORE_THREADS``, and without it every
            available CPU, or one in a worker process of ``multiprocessing``, whose siblings use the others.

    Raises:
        BackendError: if the number asked for is not a positive whole number.
    """
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
            raise BackendError(f"threads must be a whole number from 1 up, not {asked!r}")
        return asked
    given = environment.THREADS.value.strip()
    if given:
        if not given.isascii() or not given.isdigit() or int(given) < 1:
            raise BackendError(f"{environment.THREADS} must be a whole number from 1 up, not {given!r}")
        return int(given)
    return 1 if _in_worker() else available_cpus()


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
