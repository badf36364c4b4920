"""Who is told how a run goes: nobody, a program, or a person before a progress bar. Without PyTorch."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, TextIO

from bnncore.extras import missing_extra
from bnncore.plain_text import one_line
from bnncore.training.results import Epoch

__all__ = ["BarReporter", "Reporter"]


class Reporter:
    """Is told how a run goes; this one says nothing."""

    def step(self, epoch: int, epochs: int, step: int, steps: int, loss: float, accuracy: float) -> None:
        """Be told how many steps of an epoch are done, with loss and training accuracy so far; not of each on a GPU.

        ``epochs`` is 0, here and below, if the clock ends the run.
        """

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Be told of an epoch's figures."""

    def note(self, text: str) -> None:
        """Be told what begins, in words for people."""

    def warning(self, text: str) -> None:
        """Be told what could not be done, though the run goes on."""


class BarReporter(Reporter):
    """Show each epoch as a bar on standard error, with tqdm.

    Raises:
        BnnError: without tqdm.
    """

    def __init__(self) -> None:
        try:
            import tqdm  # noqa: F401  # is it there?
        except ImportError as error:
            raise missing_extra("a progress bar", "tqdm", "train") from error
        self._bar: Any = None

    def note(self, text: str) -> None:
        """Say what begins."""
        _write(text, sys.stdout)

    def warning(self, text: str) -> None:
        """Say on standard error what could not be done."""
        _write(f"bnncore: {text}", sys.stderr)

    def step(self, epoch: int, epochs: int, step: int, steps: int, loss: float, accuracy: float) -> None:
        """Move the bar."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=steps, desc=_number(epoch, epochs), unit="batch", leave=False)
        self._bar.set_postfix_str(f"loss {loss:.3f}, right {100 * accuracy:.1f} %", refresh=False)
        self._bar.update(step - self._bar.n)

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Close the bar and leave one line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        line = (
            f"{_number(epoch.number, epochs)}: loss {epoch.loss:.3f}, "
            f"training {100 * epoch.train_accuracy:.2f} %"
        )
        if epoch.validation_accuracy is not None:
            line += f", validation {100 * epoch.validation_accuracy:.2f} %"
        _write(f"{line}, {epoch.seconds:.0f} s", sys.stdout)


def _write(text: str, stream: TextIO) -> None:
    """Write a line beside the bar; what nobody can read any more is no reason to end the run."""
    from tqdm import tqdm

    with suppress(OSError):
        tqdm.write(one_line(text), file=stream)


def _number(epoch: int, epochs: int) -> str:
    return f"epoch {epoch}/{epochs}" if epochs else f"epoch {epoch}"
