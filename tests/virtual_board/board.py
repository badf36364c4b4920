"""A board for the driver, without pynq: the quick layer of tests."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from virtual_board.accelerator import MappedRegisters, VirtualAccelerator
from virtual_board.designs import Overlay
from virtual_board.fabric import Fabric
from virtual_board.memory import Block, Memory


class VirtualBoard:
    """Implements ``bnnhw.fpga.device.Device``.

    Args:
        folder: holds the fabric; boards in several processes that name the same folder are the same board.
        overlays: the bitstreams that the fabric knows.
        mapped: whether the registers can be used as an array.

    Attributes:
        fail_downloads: how many of the next downloads fail.
        private: contiguous memory can only be had by who loaded the bitstream.
        downloads: how many bitstreams were loaded through this object.
    """

    def __init__(self, folder: Path, overlays: Sequence[Overlay], mapped: bool = True) -> None:
        self.name = f"virtual {folder}"
        self.fabric = Fabric(folder, overlays)
        self.memory = Memory()
        self.accelerator = VirtualAccelerator(self.fabric, self.memory)
        self.limit = 0x2000_0000
        self.fail_downloads = 0
        self.private = False
        self.downloads = 0
        self._mapped = mapped
        self._generation = -1

    def download(self, bit: Path) -> None:
        if self.fail_downloads:
            self.fail_downloads -= 1
            raise OSError(110, "Connection timed out")
        self.load(bit)
        self.downloads += 1
        self._generation = self.fabric.generation

    def load(self, bit: Path) -> None:
        """Load a bitstream as another program would, behind the driver's back."""
        self.fabric.configure(hashlib.sha256(bit.read_bytes()).hexdigest())
        self.accelerator.hang = False

    def attach(self, bit: Path) -> None:
        self._generation = -1 if self.private else self.fabric.generation

    def stamp(self) -> str:
        return str(self.fabric.generation)

    def attached(self) -> bool:
        return self._generation == self.fabric.generation

    def registers(self) -> _Registers:
        return _Registers(self.accelerator, self._mapped)

    def memory_limit(self) -> int:
        return self.limit

    def allocate(self, size: int) -> _Buffer:
        if self._generation == -1:
            raise RuntimeError("Overlay is not downloaded")
        return _Buffer(self.memory, self.memory.allocate(size, cached=True))


class _Registers:
    def __init__(self, accelerator: VirtualAccelerator, mapped: bool) -> None:
        self.words: npt.NDArray[np.uint32] | None = MappedRegisters.of(accelerator) if mapped else None
        self.read = accelerator.read
        self.write = accelerator.write


class _Buffer:
    def __init__(self, memory: Memory, block: Block) -> None:
        self._memory = memory
        self._block = block
        self.array = block.host
        self.address = block.address
        self.flush = block.flush
        self.invalidate = block.invalidate

    def free(self) -> None:
        self._memory.free(self._block)
