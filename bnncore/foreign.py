"""Run what a plugin brings: whatever it raises becomes one error, which says whose it is.

Hooks, imports, backends and preprocessing functions are all run in a ``foreign_code``. ``SystemExit`` would end the
program without a word, and an exception whose text cannot be made would end it with somebody else's traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Literal

from bnncore.errors import BnnError
from bnncore.plain_text import brief

__all__ = ["Observer", "describe_error", "failure", "foreign_code", "is_users", "observe"]

Observer = Callable[[str, bool], None]

_observer: Observer | None = None


def observe(observer: Observer | None) -> None:
    """Let a function be told when a plugin's code begins and ends, so that one that takes the process along is known.

    Such a process is one that no user's Ctrl-C reaches; see ``is_users``.

    Args:
        observer: called with the owner, as a ``Claim`` has it, and whether its code begins; None for nobody.
    """
    global _observer
    _observer = observer


def is_users(error: BaseException) -> bool:
    """Say whether an exception is the user's Ctrl-C: any ``KeyboardInterrupt``, but in a process that is observed."""
    return isinstance(error, KeyboardInterrupt) and _observer is None


def describe_error(error: BaseException) -> str:
    r"""Return type and text of an exception in one line; the text may raise in its turn.

    >>> describe_error(ValueError("no\ncard"))
    'ValueError: no card'
    """
    kind = type(error).__name__
    try:
        text = brief(error)
    except BaseException as another:  # a stranger's, as the exception is
        if is_users(another):
            raise
        return f"{kind}, whose text raised {type(another).__name__}"
    return f"{kind}: {text}" if text else kind


def failure(where: str, error: BaseException, kind: type[BnnError]) -> BnnError:
    """Return the error that says where something went wrong: of the same kind, if it is one of bnncore's own.

    Args:
        where: what was done, and whose it is.
        error: what was raised there.
        kind: of the error to return for any other.
    """
    if isinstance(error, BnnError) and type(error).__module__.partition(".")[0] in ("bnncore", "bnnhw"):
        return type(error)(f"{where}: {brief(error)}")
    return kind(f"{where} raised {describe_error(error)}")


class foreign_code:  # noqa: N801  # used as a function
    """Run a block that is a plugin's code; only ``KeyboardInterrupt`` passes, where it is the user's.

    A class and no generator, for which ``GeneratorExit`` and ``StopIteration`` are no exceptions like others.

    Args:
        owner: whose code it is: distribution and version, as a ``Claim`` has it.
        fault: makes the error to be raised instead of what the block raised; the same object passes.
    """

    __slots__ = ("_fault", "_owner")

    def __init__(self, owner: str, fault: Callable[[BaseException], BaseException]) -> None:
        self._owner = owner
        self._fault = fault

    def __enter__(self) -> None:
        if _observer is not None:
            _observer(self._owner, True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        if _observer is not None:
            _observer(self._owner, False)
        if error is None or is_users(error):
            return False
        made = self._fault(error)
        if made is not error:
            raise made from error
        return False
