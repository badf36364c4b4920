"""One line of what ``bnncore doctor`` reports."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

__all__ = ["Finding"]


@frozen
class Finding:
    """Something that was looked at.

    Attributes:
        state: ``ok``, ``note`` (worth knowing) or ``problem``.
        subject: what was looked at.
        text: what was found, and what to do about a problem.
    """

    state: Literal["ok", "note", "problem"]
    subject: str
    text: str
