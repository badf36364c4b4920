"""What was found when something was looked at: the lines of ``bnncore doctor`` and ``bnncore check``."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

__all__ = ["Finding", "State"]

State = Literal["ok", "note", "skipped", "problem"]


@frozen
class Finding:
    """Something that was looked at.

    Attributes:
        state: ``ok``; ``note``, worth knowing; ``skipped``, there was nothing to look at; or ``problem``.
        subject: what was looked at: a part of this machine, or the name of a check.
        text: what was found, and what to do about a problem.
    """

    state: State
    subject: str
    text: str
