"""What a check has to say."""

from __future__ import annotations

from bnncore.diagnosis.finding import Finding, State
from bnncore.errors import BnnError

__all__ = ["CheckError", "seen"]


class CheckError(BnnError):
    """A plugin that does not hold to something; the message says what was found and what to do."""


def seen(text: str, state: State = "ok") -> Finding:
    """Return what a check saw, where nothing is wrong; ``run_check`` writes the check's name into it.

    Args:
        text: in words.
        state: ``ok``; ``note`` for what is allowed but should be known before publishing; ``skipped`` where
            there was nothing to check.
    """
    return Finding(state, "", text)
