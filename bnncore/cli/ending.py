"""How every command ends: at most one line, one of a few exit codes, and no traceback.

The codes are those of ``docs/reference/exit-codes.md``. Errors that bnncore names come with their words. What the
machine refuses (disk, memory, rights, a library that cannot be imported) gets a line here, once for all commands.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from bnncore.cli.output import complain, remark, say_lines
from bnncore.cli.streams import discard_output, flush_output, whole_streams
from bnncore.errors import BnnError
from bnncore.interrupts import EXIT_INTERRUPTED, SIGNALS, quit_at_once
from bnncore.plain_text import one_line

__all__ = ["EXIT_ERROR", "EXIT_OK", "EXIT_USAGE", "exit_code", "past_click"]

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2

# What asks a program to end besides Ctrl-C: kill, the end of a session, a terminal that is closed. By name, since
# Windows has not all of them.
_ENDING_SIGNALS = ("SIGTERM", "SIGHUP")

# Seconds, in which Python leaves a callback or a destructor in which Ctrl-C arrived.
_UNTIL_RAISED_AGAIN = 0.02


class _Passed(Exception):  # no error, but one in an envelope
    """An exception on its way past click, which takes some for its own: ``EOFError`` for Ctrl-C, for example."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__(fault)
        self.fault = fault


class _Terminated(BaseException):
    """The process was asked to end; what is half-written is taken away on the way out, as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def past_click() -> Iterator[None]:
    """Let errors of the block pass click unseen; ``exit_code`` unwraps them."""
    try:
        yield
    except click.exceptions.Exit:
        raise
    except (EOFError, OSError, KeyboardInterrupt, SystemExit) as fault:
        raise _Passed(fault) from fault


def exit_code(run: Callable[[], Any]) -> int:
    """Run a command, say in one line what went wrong, if anything did, and return the code to exit with.

    Args:
        run: the command; what it returns is the code, if it is a whole number.
    """
    with whole_streams():
        try:
            with _signals(), _plain_warnings():
                code = _code_of(run)
        except KeyboardInterrupt:
            # A second one, while the first was being answered.
            code = EXIT_INTERRUPTED
        except _Terminated as asked:
            code = 128 + asked.number
        return _flushed(code)


def _code_of(run: Callable[[], Any]) -> int:
    try:
        try:
            result = run()
        except _Passed as passed:
            raise passed.fault from passed.fault.__cause__
        flush_output()
    except click.ClickException as error:
        _show_usage(error)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _interrupted()
    except _Terminated as asked:
        remark(f"ended by {_name(asked.number)}")
        return 128 + asked.number
    except BrokenPipeError:
        # The reader of our output is gone (bnncore list | head): nothing is wrong.
        discard_output()
        return EXIT_OK
    except BaseException as error:
        if _is_interrupt(error):
            return _interrupted()
        if sys.flags.dev_mode and not isinstance(error, BnnError):
            raise
        complain(_words(_placed(error)))
        return EXIT_ERROR
    return result if isinstance(result, int) else EXIT_OK


def _name(number: int) -> str:
    return next(name for name in _ENDING_SIGNALS if getattr(SIGNALS, name, None) == number)


def _words(error: BaseException) -> str:
    """Return one line for an error that ends a command."""
    if isinstance(error, BnnError):
        return str(error)
    if isinstance(error, OSError):
        # A full disk, a folder that may not be written: what no command words by itself.
        where = f"{_place(error.filename)}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, MemoryError):
        return "memory ran out; close other programs, or use smaller batches or pictures"
    if isinstance(error, RecursionError):
        return "something is nested too deeply to be read; it is damaged, or made to do harm"
    if isinstance(error, ImportError):
        return f"{_package(error)} cannot be imported: {error}; install it anew with pip"
    if isinstance(error, SystemExit):
        return f"something that was called tried to end the program (SystemExit: {error.code})"
    if isinstance(error, EOFError):
        return f"a file ends too early: {error}" if str(error) else "a file ends too early"
    return (
        f"unexpected {type(error).__name__}: {_text(error)}; this is a fault of bnncore or of a plugin. Please report "
        "it, with what python -X dev -m bnncore shows of it"
    )


def _placed(error: BaseException) -> BaseException:
    """Return an error with its place, where that is what click prints, as a help page: the system does not say it."""
    trace = error.__traceback__
    while trace is not None and isinstance(error, OSError) and not error.filename:
        frame = trace.tb_frame
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == ("click.utils", "echo"):
            error.filename = "standard error" if frame.f_locals.get("err") else "standard output"
        trace = trace.tb_next
    return error


def _place(filename: Any) -> str:
    return filename if isinstance(filename, str) else str(getattr(filename, "name", filename))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "no text"


def _package(error: ImportError) -> str:
    """Return whose import failed: the outermost package that was being imported, as numpy, and not a part of it."""
    named, trace = (error.name or "").partition(".")[0], error.__traceback__
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in ("", "bnncore", "bnnhw", "importlib", "click", "__main__"):
            return package
        trace = trace.tb_next
    return named or "a package"


def _interrupted() -> int:
    remark("interrupted")
    return EXIT_INTERRUPTED


def _is_interrupt(error: BaseException | None) -> bool:
    """Say whether an error is what others made of Ctrl-C, as a library that takes it for a failed import."""
    seen = 0
    while error is not None and seen < 100:
        if isinstance(error, KeyboardInterrupt):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _show_usage(error: click.ClickException) -> None:
    """Say what is wrong with the words of a command, and how it is called, as click does."""
    context = getattr(error, "ctx", None)
    if context is not None:
        say_lines(context.get_usage(), err=True)
        names = context.help_option_names
        if context.command.get_help_option(context) is not None and names:
            say_lines(f"Try '{context.command_path} {names[0]}' for help.\n", err=True)
    remark(f"Error: {one_line(error.format_message().strip())}")


def _flushed(code: int) -> int:
    """Bring the rest of the output out, now, since Python's own end would complain in its way."""
    try:
        flush_output()
    except BrokenPipeError:
        discard_output()
    except OSError as error:
        discard_output()
        if code == EXIT_OK:
            complain(_words(error))
            code = EXIT_ERROR
    return code


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show a warning as one line of the command, with nothing in it that steers a terminal."""
    before = warnings.showwarning

    def show(message: Any, category: type[Warning], filename: str, lineno: int, *others: Any) -> None:
        complain(str(message) if category.__module__.startswith("bnn") else f"{category.__name__}: {message}")

    if getattr(before, "__module__", "") == "warnings":
        warnings.showwarning = show  # type: ignore[assignment]  # its last two arguments are not of interest
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before


@contextmanager
def _signals() -> Iterator[None]:
    """Answer Ctrl-C and requests to end by exceptions until the end of the block, and then by ending at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook = sys.unraisablehook
    before = {SIGNALS.SIGINT: SIGNALS.getsignal(SIGNALS.SIGINT)}
    if before[SIGNALS.SIGINT] in (quit_at_once, SIGNALS.default_int_handler):
        SIGNALS.signal(SIGNALS.SIGINT, SIGNALS.default_int_handler)
        sys.unraisablehook = _not_swallowed
    for name in _ENDING_SIGNALS:
        number = getattr(SIGNALS, name, None)
        # Who ignores it (nohup) or handles it goes before us.
        if number is not None and SIGNALS.getsignal(number) is SIGNALS.SIG_DFL:
            before[number] = SIGNALS.SIG_DFL
            SIGNALS.signal(number, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                SIGNALS.signal(number, handler)
        sys.unraisablehook = hook


def _terminate(number: int, frame: FrameType | None) -> None:
    # Once is enough: clearing up must not be interrupted by the next.
    SIGNALS.signal(number, SIGNALS.SIG_IGN)
    raise _Terminated(number)


def _not_swallowed(fault: Any) -> None:
    """Raise Ctrl-C again that arrived where Python cannot raise it, in a callback or a destructor.

    A little later, since it cannot here either.
    """
    if issubclass(fault.exc_type, KeyboardInterrupt):
        import _thread

        again = threading.Timer(_UNTIL_RAISED_AGAIN, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(fault)
