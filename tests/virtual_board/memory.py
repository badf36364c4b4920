"""Contiguous memory of a board, with the processor's cache in between.

The processor writes to and reads from its own copy. Only flushing brings it to the accelerator's side, and
only invalidating fetches what the accelerator wrote: a driver that forgets one computes on garbage.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class ProtocolError(AssertionError):
    """Something that real hardware would get wrong without a word."""


class OutOfMemory(RuntimeError):
    """No contiguous memory of that size."""


class Block:
    """A piece of contiguous memory: the processor's copy and the accelerator's."""

    def __init__(self, address: int, size: int, cached: bool) -> None:
        self.address = address
        self.host: npt.NDArray[np.uint8] = np.full(size, 0xCD, np.uint8)
        self.device = np.full(size, 0xAB, np.uint8) if cached else self.host
        self.freed = False

    def flush(self) -> None:
        self.device[:] = self.host

    def invalidate(self) -> None:
        self.host[:] = self.device


class Memory:
    """The contiguous memory of one board.

    Args:
        size: bytes there are in all.
        base: physical address of the first.
    """

    def __init__(self, size: int = 64 * 2**20, base: int = 0x1000_0000) -> None:
        self.size = size
        self.base = base
        self._next = 0
        self.blocks: list[Block] = []

    def allocate(self, size: int, cached: bool) -> Block:
        if sum(len(block.host) for block in self.blocks) + size > self.size:
            raise OutOfMemory(f"BO allocation failed: {size} bytes")
        block = Block(self.base + self._next, size, cached)
        self._next += -(-size // 4096) * 4096
        self.blocks.append(block)
        return block

    def free(self, block: Block) -> None:
        assert not block.freed, "freed twice"
        block.freed = True
        self.blocks.remove(block)

    def read(self, address: int, size: int) -> npt.NDArray[np.uint8]:
        """Return what the accelerator reads there."""
        return self._find(address, size).copy()

    def write(self, address: int, data: npt.NDArray[np.uint8]) -> None:
        """Write as the accelerator does."""
        self._find(address, len(data))[:] = data

    def _find(self, address: int, size: int) -> npt.NDArray[np.uint8]:
        for block in self.blocks:
            start = address - block.address
            if 0 <= start < len(block.host):
                if start + size > len(block.host):
                    raise ProtocolError(f"{size} bytes at {address:#x} run over the end of their buffer")
                return block.device[start : start + size]
        raise ProtocolError(f"{address:#x} is in no buffer")
