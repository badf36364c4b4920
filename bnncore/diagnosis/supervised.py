"""Look at plugins in a process of its own, which may hang or end with them.

Whose code runs is told by ``bnncore.foreign``, so that the one that takes the process along is known: the
rest is looked at by a fresh process, in which the culprit is an error. As long as nobody does such a thing there is
one process, which costs a start of Python.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import bnncore
from bnncore import spelling
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.registry import Registry
from bnncore.errors import BnnError
from bnncore.foreign import observe
from bnncore.plain_text import brief

__all__ = ["SECONDS", "Section", "Sections", "fresh_python", "look", "main", "seconds_for_plugins"]

SECONDS = 30.0
"""How long one call of a plugin's code may take, unless it is said otherwise."""

# In the other process, what was asked for.
_seconds = SECONDS

# bnncore's own work ends by itself, in minutes where numpy replays large networks on a board.
_OWN_SECONDS = 1800.0

Section = tuple[str, Callable[[], Iterator[Finding]]]
"""A name for people, and what looks."""

Sections = Callable[[Registry, Any], Sequence[Section]]
"""What is to be looked at, given a registry and plain data: the same sections in the same order in every process."""


class _Ended(Exception):
    """A process that ended, or had to be ended, before it was done."""

    def __init__(self, why: str, whose: str | None, section: int, name: str) -> None:
        super().__init__(why)
        self.why = why
        self.whose = whose
        self.section = section
        self.name = name


def look(sections: str, given: Any, seconds: float = SECONDS) -> Iterator[Finding]:
    """Yield what is found, section by section; a plugin that hangs or ends the process becomes a problem.

    Args:
        sections: import path of a ``Sections`` of bnncore.
        given: to it, as JSON takes it.
        seconds: how long one call of a plugin's code may take.

    Raises:
        BnnError: if there is nothing to look at.
    """
    first = 0
    condemned: dict[str, str] = {}
    while True:
        try:
            for findings in _child(sections, given, seconds, first, condemned):
                yield from findings
        except _Ended as end:
            if end.whose is not None and end.whose not in condemned:
                # Once more without it, which says what depends on it.
                condemned[end.whose] = f"its code {end.why}"
                first = end.section
                continue
            yield Finding("problem", end.name, f"the process that looked at it {end.why}")
            first = end.section + 1
            continue
        return


def fresh_python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``main`` of a module in a fresh Python.

    It looks for modules where this one does, but not in the current folder, which ``-m`` and ``-c`` put first: what
    lies about there is not installed.
    """
    start = f"import sys; sys.path[:] = {_search_path()!r}; from {module} import main; main()"
    return [sys.executable, "-c", start, *arguments]


def seconds_for_plugins() -> float:
    """Return how long one call of a plugin's code may take here, for who starts processes for it."""
    return _seconds


def _search_path() -> list[str]:
    path = list(sys.path)
    try:
        here = str(Path.cwd())
    except OSError:
        # It was removed.
        path, here = [each for each in path if Path(each).is_absolute()], ""
    # Where PYTHONPATH names the folder, too, that stands further behind. A clone may be run from its own folder.
    if path and path[0] == here and here != str(Path(bnncore.__file__).parents[1]):
        del path[0]
    return [str(Path(each).absolute()) for each in path if each]


def _child(
    sections: str, given: Any, seconds: float, first: int, condemned: dict[str, str]
) -> Iterator[list[Finding]]:
    """Yield what another process finds, for each section from one on.

    Raises:
        _Ended: if it ends too early, or is silent for too long.
        BnnError: that the sections raise.
    """
    request = {
        "sections": sections,
        "given": given,
        "seconds": seconds,
        "first": first,
        "condemned": condemned,
        "options": spelling.as_options(),
    }
    whose: str | None = None
    at, name = first, "plugins"
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            fresh_python(__name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            # A group of its own, to be ended with all that it started.
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                # Left open: that it closes tells the process that this one is gone.
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            events: queue.SimpleQueue[Any] = queue.SimpleQueue()
            threading.Thread(target=_read, args=(process.stdout, events), daemon=True).start()
            while True:
                limit = seconds if whose is not None else _OWN_SECONDS
                try:
                    event = events.get(timeout=limit)
                except queue.Empty:
                    raise _Ended(f"gave no answer within {limit:g} s", whose, at, name) from None
                if event is None:
                    raise _Ended(_how(process.wait(), printed), whose, at, name)
                if "whose" in event:
                    whose = event["whose"]
                elif "name" in event:
                    at, name = event["section"], event["name"]
                elif "found" in event:
                    yield [Finding(*each) for each in event["found"]]
                elif "error" in event:
                    raise BnnError(event["error"])
                elif "over" in event:
                    return
        finally:
            _end(process)


def _read(stream: IO[bytes], events: queue.SimpleQueue[Any]) -> None:
    """Put every event of a process into a queue, and None at the end; what a plugin has written there is left out."""
    for line in stream:
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.put(event)
    events.put(None)


def _how(status: int, printed: IO[bytes]) -> str:
    """Say in words how a process ended, with the last that it printed."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"ended the process by the signal {signal.Signals(-status).name}"
        return f"ended the process by the signal {-status}"
    printed.seek(max(0, printed.seek(0, os.SEEK_END) - 4096))
    last = brief((printed.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1])
    return f"ended the process with exit code {status}" + (f" ({last})" if last else "")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, if it is not over; twice does nothing."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()


# -- in the other process --------------------------------------------------------------------------


class _Speaker:
    """The way back: lines of JSON, on a descriptor that no plugin knows of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[str] = []
        self._stream = os.fdopen(os.dup(1), "wb", buffering=0)
        # What a plugin prints is none of this.
        sys.stdout.flush()
        os.dup2(2, 1)
        if hasattr(os, "register_at_fork"):
            # A process that a plugin forks says nothing, and does not keep the way open when this one ends.
            os.register_at_fork(after_in_child=self._fall_silent)

    def _fall_silent(self) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno(), inheritable=False)
        os.close(nothing)

    def say(self, **event: Any) -> None:
        with self._lock:
            # On a line of its own, whatever stands before.
            self._stream.write(b"\n" + json.dumps(event).encode() + b"\n")

    def heed(self, seconds: float) -> Callable[[str, bool], None]:
        """Return an observer that tells whose code runs."""

        def observer(owner: str, begins: bool) -> None:
            if not owner or owner.startswith("bnncore "):
                return
            if begins:
                self._running.append(owner)
            elif owner in self._running:
                self._running.remove(owner)
            # Also where nobody is left to end a process that hangs, and holds Python's lock.
            faulthandler.dump_traceback_later(
                (seconds if self._running else _OWN_SECONDS) + 5, exit=True, file=2
            )
            self.say(whose=self._running[-1] if self._running else None)

        return observer


def main() -> None:
    """Look at what standard input asks for, and tell it on standard output."""
    global _seconds
    speaker = _Speaker()
    incoming = os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    request = json.loads(incoming.readline())
    threading.Thread(target=_end_with_parent, args=(incoming,), daemon=True).start()
    module, _, name = request["sections"].partition(":")
    sections: Sections = getattr(importlib.import_module(module), name)
    registry = Registry()
    for claim in registry.index.claims:
        if claim.owner in request["condemned"]:
            registry.condemn(claim, request["condemned"][claim.owner])
    _seconds = request["seconds"]
    observe(speaker.heed(_seconds))
    # What would be warned of is found.
    warnings.simplefilter("ignore")
    try:
        with spelling.spelled_as_options() if request["options"] else nullcontext():
            for number, (name, section) in enumerate(sections(registry, request["given"])):
                if number >= request["first"]:
                    speaker.say(section=number, name=name)
                    speaker.say(found=[[each.state, each.subject, each.text] for each in section()])
        speaker.say(over=True)
    except BnnError as error:
        speaker.say(error=str(error))
    # Whatever threads a plugin has started: nothing is waited for.
    os._exit(0)


def _end_with_parent(incoming: IO[bytes]) -> None:
    incoming.read()
    os._exit(1)
