"""Locks that a forked process never inherits locked.

A child has one thread, that which forked. What another thread of its parent held would stay locked in it for ever, and
what that thread was about to change would stay half changed. So a fork waits, for a few seconds at most, until no other
thread holds a lock made here or is importing a module: imports lock as well, and Python does not see to those. Locks
that stay held are new in the child.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import Any

__all__ = ["new_lock", "new_rlock"]

# Longer than it takes to import numpy from a board's card. What takes longer hangs, and is not waited for again.
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.001

# Each, and whether a fork waits for it.
_locks: dict[weakref.ref[Any], bool] = {}


def new_lock(*, awaited: bool = True) -> threading.Lock:
    """Return a lock as ``threading.Lock`` makes them.

    Args:
        awaited: whether a fork waits for it. Not where a child makes what it guards anew, and not where its holder may
            wait for other locks that Python takes before a fork, as that of ``concurrent.futures``.
    """
    lock = threading.Lock()
    _locks[weakref.ref(lock, _forget)] = awaited
    return lock


def new_rlock() -> threading.RLock:
    """Return a lock as ``threading.RLock`` makes them, which the thread that holds it may take again."""
    lock = threading.RLock()
    _locks[weakref.ref(lock, _forget)] = True
    return lock


def _forget(gone: weakref.ref[Any]) -> None:
    _locks.pop(gone, None)


class _Imports:
    """Python's locks of the modules that are being imported, taken and given back together."""

    def __init__(self) -> None:
        # Neither is public. Without them a fork does not wait for imports, as anywhere else in Python.
        self._global = sys.modules.get("_imp")
        self._modules = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {})

    def acquire(self, blocking: bool = True, timeout: float = -1.0) -> bool:
        """Take them if no other thread is importing, or has ended before the timeout."""
        deadline = time.monotonic() + timeout
        while True:
            if self._global is not None:
                self._global.acquire_lock()
            if not self._busy():
                return True
            self.release()
            if not blocking or time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)

    def release(self) -> None:
        """Let other threads import."""
        if self._global is not None:
            self._global.release_lock()

    def _busy(self) -> bool:
        # One that nobody has is about to be taken, or was given back just now.
        mine = threading.get_ident()
        locks = [lock() for lock in list(self._modules.values())]
        return any(getattr(lock, "owner", mine) != mine for lock in locks if lock is not None)


class _Fork:
    """What a fork waits for: taken before it, given back after it."""

    def __init__(self) -> None:
        self._imports = _Imports()
        # Of each thread that forks.
        self._held: dict[int, list[Any]] = {}
        self._given_up: weakref.WeakSet[Any] = weakref.WeakSet()

    def before(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        held = self._held[threading.get_ident()] = []
        wanted = [lock for each, awaited in list(_locks.items()) if awaited and (lock := each()) is not None]
        # Whoever imports may hold locks, so imports end while they are waited for; no other begins then.
        wanted.append(self._imports)
        while (missing := self._take(wanted, held)) is not None:
            while held:
                held.pop().release()
            if missing in self._given_up or time.monotonic() > deadline:
                self._given_up.add(missing)
                held += [lock for lock in wanted if lock.acquire(blocking=False)]
                return
            # Another thread may have it, and wait for what was held here. So it is the first now: to wait for it with
            # nothing in hand ends in no deadlock.
            wanted.remove(missing)
            wanted.insert(0, missing)

    def _take(self, wanted: list[Any], held: list[Any]) -> Any:
        """Take all in order; return the one that was not to be had."""
        for lock in wanted:
            if not lock.acquire(timeout=_PATIENCE_SECONDS / (10 if not held else 100)):
                return lock
            held.append(lock)
            self._given_up.discard(lock)
        return None

    def in_parent(self) -> None:
        held = self._held.pop(threading.get_ident(), [])
        while held:
            held.pop().release()

    def in_child(self) -> None:
        held = self._held.pop(threading.get_ident(), [])
        self._held.clear()
        own = {id(lock) for lock in held}
        for each in list(_locks):
            lock = each()
            if lock is not None and id(lock) not in own:
                # As the standard library does with its own.
                lock._at_fork_reinit()
        while held:
            held.pop().release()


if hasattr(os, "register_at_fork"):  # Windows cannot fork
    _fork = _Fork()
    os.register_at_fork(before=_fork.before, after_in_parent=_fork.in_parent, after_in_child=_fork.in_child)
