"""Standard output and error as a command needs them: there, and unable to end it in the middle of a word.

A shell may hand a program closed streams (``>&-``), full ones (``/dev/full``), and encodings without most letters.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["discard_output", "flush_output", "whole_streams"]


@contextmanager
def whole_streams() -> Iterator[None]:
    """Give a command streams that it can write to, until the end of the block.

    A closed one becomes the null device: what is written is nobody's loss, and the next file that is opened would get
    its number otherwise. Characters that an encoding does not have are written out. What standard error cannot take is
    dropped: progress and complaints are no reason to lose the work.
    """
    _occupy()
    before = sys.stdout, sys.stderr
    if sys.stdout is None:
        sys.stdout = _null()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with suppress(OSError, ValueError):
                stream.reconfigure(errors="backslashreplace")
    sys.stderr = _null() if sys.stderr is None else _Forgiving(sys.stderr)
    try:
        yield
    finally:
        if before[0] is not None:
            sys.stdout = before[0]
        if before[1] is not None:
            sys.stderr = before[1]


def flush_output() -> None:
    """Bring what was printed to whom it is for.

    Raises:
        OSError: if it cannot take it; ``filename`` says that it was standard output.
    """
    if sys.stdout is None:
        # There was one when the command began: a plugin has taken it away, and what was printed since.
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
    try:
        sys.stdout.flush()
    except OSError as error:
        error.filename = error.filename or "standard output"
        raise
    except ValueError:
        # Closed by the command: so it has been flushed.
        return


def discard_output() -> None:
    """Drop what standard output did not take, so that Python does not try again at the end and complain."""
    with suppress(OSError, ValueError, AttributeError):
        _send_to_null(sys.stdout.fileno())


class _Forgiving:
    """A text stream that drops what cannot be written; the rest is the stream's own."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except OSError:
            self._drop()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        with suppress(OSError, ValueError):
            _send_to_null(self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _occupy() -> None:
    """Open the null device in place of closed standard streams."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError as error:
            if error.errno == errno.EBADF:
                # The lowest number that is free is taken, which is this one. Programs that we start have it, too.
                with suppress(OSError):
                    os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _send_to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, number)
    finally:
        os.close(null)


def _null() -> Any:
    return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123  # for the process
