"""Ctrl-C while the command ``bnncore`` starts, before there is a command line that could answer it.

The imports of a start take a tenth of a second on a computer and a second on a board. This module is imported before
all others, and only where the process is the command it sets a handler, instead of Python's own. It imports nothing
that Python has not loaded by then: Ctrl-C may come meanwhile.
"""

from __future__ import annotations

import os
import sys

try:
    # What ``signal`` is made of: that makes enumerations first, which takes as long as several other imports.
    import _signal as _signals  # type: ignore[import-not-found]  # C's, of which there are no stubs
except ImportError:
    import signal as _signals

__all__ = ["EXIT_INTERRUPTED", "SIGNALS", "quit_at_once"]

EXIT_INTERRUPTED = 130
"""As shells say it of Ctrl-C: 128 and the number of the signal."""

SIGNALS = _signals
"""The functions and numbers of ``signal``, without its enumerations."""


def quit_at_once(number: int, frame: object) -> None:
    """Say ``interrupted`` and end; for moments in which nothing has to be cleaned up."""
    try:  # noqa: SIM105  # contextlib may not be loaded yet
        os.write(2, b"interrupted\n")
    except OSError:
        pass
    os._exit(EXIT_INTERRUPTED)


def _quit_quietly_while_starting() -> None:
    if not _is_command():
        return
    try:
        if SIGNALS.getsignal(SIGNALS.SIGINT) is SIGNALS.default_int_handler:
            SIGNALS.signal(SIGNALS.SIGINT, quit_at_once)
    except ValueError:
        # Not the main thread: signals are none of our business.
        return


def _is_command() -> bool:
    name = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119  # pathlib may not be loaded yet
    if name == "-m":
        # While Python looks for the module of -m, which imports its package first, that is all that argv says.
        words = sys.orig_argv
        return "-m" in words and words[words.index("-m") + 1 : words.index("-m") + 2] == ["bnncore"]
    return name in ("bnncore", "bnncore.exe", "bnncore-script.py")


_quit_quietly_while_starting()
