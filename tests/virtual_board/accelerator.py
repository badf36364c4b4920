"""The registers of the accelerator, and what it does when started.

Written from docs/reference/accelerator-registers.md: 7 address bits, CONTROL's bits clear when read, argument registers
keep their values and cannot be read. It computes with the reference, on its own copy of the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.reference import scores
from bnnhw.topology import matrix_stages

from virtual_board.fabric import Fabric
from virtual_board.memory import Memory, ProtocolError

_START, _DONE, _IDLE, _READY = 1, 2, 4, 8
# Where the fabric keeps the bits of CONTROL and how often it will still be read before the work is done.
_STATE, _LEFT = 40, 41


class VirtualAccelerator:
    """The accelerator as a process sees it through its registers.

    Args:
        fabric: what is loaded.
        memory: where images are read and answers written.

    Attributes:
        hang: a start never finishes.
        slow: how many times CONTROL is read before a classification is done.
        writes: how many registers were written.
    """

    def __init__(self, fabric: Fabric, memory: Memory) -> None:
        self._fabric = fabric
        self._memory = memory
        self.hang = False
        self.slow = 2
        self.writes = 0

    def read(self, offset: int) -> int:
        offset &= 0x7F
        if offset != 0:
            raise ProtocolError(f"register {offset:#x} can only be written")
        registers = self._fabric.registers
        self._present()
        if registers[_LEFT] and not self.hang:
            registers[_LEFT] -= 1
            if not registers[_LEFT]:
                registers[_STATE] = _DONE | _READY
        busy = bool(registers[_LEFT])
        bits = registers[_STATE] | (0 if busy else _IDLE)
        registers[_STATE] = 0
        return bits

    def write(self, offset: int, value: int) -> None:
        offset &= 0x7F
        if not 0 <= value < 2**32 or offset % 4:
            raise ProtocolError(f"{value} cannot be written to {offset:#x}")
        self._present()
        registers = self._fabric.registers
        if registers[_LEFT]:
            raise ProtocolError(f"register {offset:#x} was written while the accelerator ran")
        self.writes += 1
        if offset:
            registers[offset // 4] = value
        elif value & _START:
            self._start()

    def _present(self) -> None:
        if not self._fabric.loaded:
            raise ProtocolError("no accelerator is loaded; real hardware would hang the bus here")

    def _start(self) -> None:
        registers = self._fabric.registers
        if self.hang:
            registers[_LEFT] = 1
            return
        if registers[0x28 // 4] & 1:
            layer, memory = registers[0x30 // 4], registers[0x38 // 4]
            word, threshold = registers[0x40 // 4], registers[0x48 // 4]
            self._fabric.store(layer, memory, word, threshold, self._wide(0x50))
            registers[_STATE] = _DONE | _READY
            return
        self._classify(registers[0x5C // 4], self._wide(0x10), self._wide(0x1C))
        registers[_LEFT] = self.slow
        if not self.slow:
            registers[_STATE] = _DONE | _READY

    def _wide(self, offset: int) -> int:
        registers = self._fabric.registers
        return registers[offset // 4] | registers[offset // 4 + 1] << 32

    def _classify(self, images: int, source: int, target: int) -> None:
        design = self._fabric.design
        assert design is not None
        given = design.topology.input
        if given.bits == 8:
            size = given.height * given.width * given.channels
            data = self._memory.read(source, images * size).view(np.int8).astype(np.int16)
            if (data == 0).any():
                raise ProtocolError("no pixel has q = 0; this is no prepared image")
            pixels = np.where(data < 0, data + 128, data + 127).astype(np.uint8)
        else:
            simd = design.folding.layers[0].simd
            size = given.height * given.width
            used = -(-size // simd) * simd
            words = self._memory.read(source, images * -(-used // 64) * 8)
            bits = np.unpackbits(words.reshape(images, -1), axis=1, bitorder="little")
            if bits[:, size:].any():
                raise ProtocolError("bits after the last pixel are set; thresholds were made for zeros")
            pixels = bits[:, :size] * np.uint8(255)
        found = scores(self._fabric.network(), pixels.reshape(images, *given.shape))
        self._memory.write(target, self._answers(found))

    def _answers(self, found: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
        design = self._fabric.design
        assert design is not None
        if matrix_stages(design.topology)[-1].thresholds:
            padded = np.zeros((len(found), 64), np.uint8)
            padded[:, : found.shape[1]] = found
            return np.packbits(padded, axis=1, bitorder="little").reshape(-1)
        padded = np.zeros((len(found), -(-found.shape[1] // 4) * 4), "<i2")
        padded[:, : found.shape[1]] = found
        return padded.reshape(-1).view(np.uint8)


class MappedRegisters(np.ndarray):
    """Registers as an array, element by element, as a board that maps its memory gives them."""

    accelerator: VirtualAccelerator

    @classmethod
    def of(cls, accelerator: VirtualAccelerator) -> MappedRegisters:
        self = np.zeros(2**14, np.uint32).view(cls)
        self.accelerator = accelerator
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self.accelerator.write(4 * index, int(value))

    def __getitem__(self, index: Any) -> Any:
        return self.accelerator.read(4 * index)
