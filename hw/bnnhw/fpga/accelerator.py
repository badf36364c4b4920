"""Starting the accelerator and waiting for it, never without end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from bnnhw.errors import BackendError
from bnnhw.fpga.registers import (
    CONTROL,
    DONE,
    IDLE,
    IMAGES,
    INPUT,
    LAYER,
    MEMORY,
    OUTPUT,
    START,
    STORE,
    THRESHOLD,
    VALUE,
    WORD,
    Registers,
)
from bnnhw.fpga.words import WordRun

__all__ = ["Accelerator"]

# A single image takes 0.5 to 1.6 ms: up to here asking again at once beats sleeping for a while.
_SPIN_SECONDS = 0.002
_SLEEP_SECONDS = 0.0005
_LOW = 2**32 - 1


class Accelerator:
    """One accelerator, for the time of one lease of the device.

    Argument registers keep their values, so each is written only when it changes. What they hold is unknown
    at the start of a lease: another process may have had the one before.

    Args:
        registers: of the accelerator.
        timeout: longest time in seconds that one start may take.
    """

    def __init__(self, registers: Registers, timeout: float) -> None:
        self._timeout = timeout
        self._held: dict[int, int] = {}
        words = registers.words
        # An element of the mapped array is one aligned 32-bit access, several times faster than MMIO.write.
        # It is numbered in words, not bytes, and its bare methods are used: a wrapper would cost as much again.
        self._write: Callable[[int, int], object] = registers.write if words is None else words.__setitem__
        self._read: Callable[[int], int] = registers.read if words is None else words.__getitem__
        self._shift = 0 if words is None else 2

    def wait_until_idle(self) -> None:
        """Wait until nothing runs, and drop a DONE that nobody has read.

        Raises:
            BackendError: if the accelerator stays busy.
        """
        # The read that sees IDLE also clears DONE.
        self._wait(IDLE, "to become idle")

    def store(self, runs: Iterable[WordRun]) -> int:
        """Store parameter words; return how many.

        Raises:
            BackendError: if a start does not finish in time.
        """
        count = 0
        self._set(STORE, 1)
        for run in runs:
            self._set(LAYER, run.layer)
            self._set(MEMORY, run.memory)
            self._set(THRESHOLD, run.threshold)
            self._store(run)
            count += len(run.words)
        return count

    def classify(self, images: int, input_address: int, output_address: int) -> None:
        """Classify the images of one buffer into another, by their physical addresses.

        Raises:
            BackendError: if the start does not finish in time.
        """
        self._set(STORE, 0)
        self._set(INPUT, input_address & _LOW)
        self._set(INPUT + 4, input_address >> 32)
        self._set(OUTPUT, output_address & _LOW)
        self._set(OUTPUT + 4, output_address >> 32)
        self._set(IMAGES, images)
        self._write(CONTROL >> self._shift, START)
        self._wait(DONE, f"to classify {images} image{'s' if images > 1 else ''}")

    def _store(self, run: WordRun) -> None:
        """Store one run: the loop over a hundred thousand words, so it is written for speed."""
        write, read = self._write, self._read
        control, place, low_half, high_half = (
            offset >> self._shift for offset in (CONTROL, WORD, VALUE, VALUE + 4)
        )
        low_held, high_held = self._held.get(VALUE), self._held.get(VALUE + 4)
        lows = (run.words & _LOW).tolist()
        highs = (run.words >> 32).tolist()
        for word, (low, high) in enumerate(zip(lows, highs)):
            write(place, word)
            if low != low_held:
                write(low_half, low)
                low_held = low
            if high != high_held:
                write(high_half, high)
                high_held = high
            write(control, START)
            if not read(control) & DONE:
                self._wait(DONE, "to store a parameter word")
        if lows:
            self._held.update({WORD: len(lows) - 1, VALUE: lows[-1], VALUE + 4: highs[-1]})

    def _set(self, offset: int, value: int) -> None:
        if self._held.get(offset) != value:
            self._write(offset >> self._shift, value)
            self._held[offset] = value

    def _wait(self, bit: int, what: str) -> None:
        started = time.monotonic()
        while not self._read(CONTROL >> self._shift) & bit:
            waited = time.monotonic() - started
            if waited > self._timeout:
                raise BackendError(
                    f"the accelerator took more than {self._timeout:g} s {what}. Likely causes: its clock does "
                    "not run, another program changed the FPGA, or the bitstream is not what its record says. "
                    "The next use loads the bitstream anew; if this happens again, restart the board"
                )
            # Sleeping for no time lets other threads and processes run in between.
            time.sleep(_SLEEP_SECONDS if waited > _SPIN_SECONDS else 0)
