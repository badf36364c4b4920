"""How messages name an argument: as a keyword in Python, as an option on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["argument", "as_options", "spelled_as_options", "wrong_type"]

# The command line runs one command in a process, whose threads all speak to the same person.
_as_options = False


def argument(name: str, value: str | None = None, *, option: str | None = None) -> str:
    """Return an argument as its caller would write it, with a value or without.

    Args:
        name: the keyword.
        value: of the argument, if the message gives one.
        option: without its dashes, where it is another word than the keyword.

    >>> argument("topology"), argument("board", "pynq-z1")
    ('topology=', "board='pynq-z1'")
    >>> with spelled_as_options():
    ...     argument("topology"), argument("board", "pynq-z1")
    ('--topology', '--board pynq-z1')
    >>> with spelled_as_options():
    ...     argument("batch_size"), argument("path", option="from")
    ('--batch-size', '--from')
    """
    if _as_options:
        option = option or name.replace("_", "-")
        return f"--{option}" if value is None else f"--{option} {value}"
    return f"{name}=" if value is None else f"{name}={value!r}"


def as_options() -> bool:
    """Say whether messages name options of the command line."""
    return _as_options


def wrong_type(name: str, expected: str, value: object) -> str:
    """Return the message for an argument of a wrong type; its value may be anything, and is not shown.

    >>> wrong_type("board", "a name, such as 'pynq-z1'", 3)
    "board= must be a name, such as 'pynq-z1', not of type int"
    """
    return f"{argument(name)} must be {expected}, not of type {type(value).__name__}"


@contextmanager
def spelled_as_options() -> Iterator[None]:
    """Let messages name options of the command line, until the end of the block."""
    global _as_options
    before, _as_options = _as_options, True
    try:
        yield
    finally:
        _as_options = before
