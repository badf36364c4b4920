"""Telling, once for each, what an old call is called today."""

from __future__ import annotations

import warnings

__all__ = ["OldCallWarning", "warn_old_call"]

_told: set[str] = set()


class OldCallWarning(DeprecationWarning):
    """An old package's way of doing something; the message has today's."""


def warn_old_call(old: str, new: str, *, stacklevel: int = 3) -> None:
    """Warn that an old call has a new form, the first time that it is used in this process.

    Args:
        old: the call as it was written, which is also what is told only once.
        new: the call to write today.
        stacklevel: as in ``warnings.warn``, counted from here; 3 is the caller of the function that
            calls this one.
    """
    if old in _told:
        return
    _told.add(old)
    warnings.warn(f"{old} is BNN-PYNQ's; today: {new}", OldCallWarning, stacklevel=stacklevel)
