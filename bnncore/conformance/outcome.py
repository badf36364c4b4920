"""What a check has to say."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

from bnncore.errors import BnnError

__all__ = ["CheckError", "Outcome", "Seen"]

State = Literal["ok", "note", "skipped", "problem"]


class CheckError(BnnError):
    """A plugin that does not hold to something; the message says what was found and what to do."""


@frozen
class Seen:
    """What a check saw, where nothing is wrong.

    Attributes:
        text: in words.
        state: ``ok``; ``note`` for what is allowed but should be known before publishing; ``skipped`` where
            there was nothing to check.
    """

    text: str
    state: Literal["ok", "note", "skipped"] = "ok"


@frozen
class Outcome:
    """The result of one check.

    Attributes:
        check: its name, for example ``golden_vectors``.
        state: ``ok``, ``note``, ``skipped`` or ``problem``.
        text: what was seen, or what is wrong and what to do.
    """

    check: str
    state: State
    text: str
