"""What the driver needs of a board: a bitstream loaded, registers, and memory that both sides see."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bnnhw.fpga.registers import Registers

__all__ = ["Buffer", "Device"]


class Buffer(Protocol):
    """Physically contiguous memory, cached on the processor's side.

    Attributes:
        array: uint8 [bytes], the processor's view.
        address: physical address that the accelerator is given.
    """

    array: npt.NDArray[np.uint8]
    address: int

    def flush(self) -> None:
        """Make what the processor wrote visible to the accelerator."""

    def invalidate(self) -> None:
        """Make what the accelerator wrote visible to the processor."""

    def free(self) -> None:
        """Give the memory back."""


class Device(Protocol):
    """One board's programmable logic. Only its ``Owner`` uses it, one thread at a time.

    Methods may raise whatever the board's library raises; the owner turns it into a ``BackendError``.

    Attributes:
        name: tells one physical device of this machine from another, the same in every process.
    """

    name: str

    def download(self, bit: Path) -> None:
        """Load a bitstream, setting the clocks that its hand-off file asks for."""

    def attach(self, bit: Path) -> None:
        """Make ready to use a bitstream that another process has loaded, without loading it."""

    def stamp(self) -> str:
        """Return a text that changes whenever anybody on this machine loads a bitstream."""

    def attached(self) -> bool:
        """Say whether what this process downloaded or attached is still what it sees loaded."""

    def registers(self) -> Registers:
        """Return the accelerator's registers in the loaded bitstream."""

    def memory_limit(self) -> int:
        """Return the lowest address that the accelerator cannot reach."""

    def allocate(self, size: int) -> Buffer:
        """Return a buffer of that many bytes; needs a loaded bitstream."""
