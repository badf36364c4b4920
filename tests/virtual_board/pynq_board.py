"""The board as a device of the real pynq package, which then works as it would on hardware.

``Overlay`` parses the real hand-off files and sets clocks, ``MMIO`` reads and writes our registers, and
``allocate`` gives buffers with a cache. What a board's device does beside that, on a download, is done
here as ``pynq.pl_server.embedded_device`` does it: the note of what is loaded, and the file for the kernel.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pynq
from bnnhw.fpga import owner, pynq_device
from pynq import Device
from pynq.buffer import PynqBuffer
from pynq.pl_server import global_state
from pynq.pl_server.embedded_device import bit2bin
from pynqmetadata.frontends import Metadata

from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from virtual_board.accelerator import MappedRegisters, VirtualAccelerator
from virtual_board.designs import ZU3EG, ZYNQ_7020, Design, Overlay, write_overlay
from virtual_board.fabric import Fabric
from virtual_board.memory import Block, Memory

try:
    from pynqmetadata.views.runtime import RuntimeMetadataParser  # pynq 4
except ImportError:
    from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser  # pynq 3

KINDS = {"pynqZ1-Z2": ("armv7l", ZYNQ_7020), "ultra96": ("aarch64", ZU3EG)}
_ACCELERATOR = {"armv7l": 0x43C0_0000, "aarch64": 0xA000_0000}
_WINDOW = 0x1_0000
# Clock registers by base address, with PLLs at 1000 MHz (50 MHz times 20) and 1500 MHz (33.333 times 45).
_CLOCKS = {
    0xF800_0000: {0x100: 20 << 12, 0x104: 20 << 12, 0x108: 20 << 12},
    0xFF5E_0000: {0x20: 45 << 8, 0x30: 45 << 8},
    0xFD1A_0000: {0x20: 45 << 8, 0x2C: 45 << 8, 0x38: 45 << 8},
}


def write_overlays(hand_off_files: Path, folder: Path, kind: str) -> dict[str, Overlay]:
    """Write a stand-in bitstream beside every real hand-off file of a kind of board, and a foreign one."""
    _, part = KINDS[kind]
    overlays = {}
    for hwh in sorted(hand_off_files.glob(f"*-{kind}.hwh")):
        name = hwh.stem.removesuffix(f"-{kind}")
        design = Design(topology=TOPOLOGIES[name], folding=FOLDINGS[name])
        overlays[name] = write_overlay(folder, hwh.stem, design=design, hwh=hwh.read_bytes(), part=part)
    foreign = (hand_off_files / f"cnvW1A1-{kind}.hwh").read_bytes()
    overlays["foreign"] = write_overlay(folder, "base", design=None, hwh=foreign, part=part)
    return overlays


def settings(board: PynqBoard, folder: Path) -> list[tuple[Any, str, Any]]:
    """Return what to set, as (object, attribute, value), for pynq to see this board and no other.

    What pynq, the kernel and the driver note on a board's disk goes to the folder.
    """
    return [
        (pynq.Device, "_devices", [board]),
        (pynq.Device, "_active_device", board),
        (global_state, "STATE_DIR", str(folder)),
        (pynq_device, "_FIRMWARE", folder),
        (owner, "default_directory", lambda: folder),
    ]


class PynqBoard(Device):  # type: ignore[misc]  # pynq has no types
    """A board for pynq; make it ``pynq.Device.active_device``.

    Args:
        folder: holds the fabric, pynq's note of what is loaded, and the kernel's file; boards in several
            processes that name the same folder are the same board.
        overlays: the bitstreams that the fabric knows.
        arch: ``armv7l`` (Pynq-Z1 and Z2) or ``aarch64`` (Ultra96).
        mapped: whether registers are mapped, as on a board, or reached through calls.

    Attributes:
        fail_downloads: how many of the next downloads fail.
    """

    _probe_priority_ = 7

    @classmethod
    def _probe_(cls) -> list[PynqBoard]:
        return []

    def __init__(
        self, folder: Path, overlays: Sequence[Overlay], *, arch: str = "armv7l", mapped: bool = True
    ) -> None:
        super().__init__(f"virtual {folder}")
        self.name = "Virtual board"
        self.arch = arch
        self.capabilities = {"MEMORY_MAPPED": True} if mapped else {"REGISTER_RW": True}
        self.fabric = Fabric(folder, overlays)
        self.memory = Memory()
        self.accelerator = VirtualAccelerator(self.fabric, self.memory)
        self.fail_downloads = 0
        self._folder = folder
        self._clocks = {base: np.zeros(0x80, np.uint32) for base in _CLOCKS}
        for base, values in _CLOCKS.items():
            for offset, value in values.items():
                self._clocks[base][offset // 4] = value

    # -- registers ---------------------------------------------------------------------------

    def mmap(self, address: int, length: int) -> Any:
        if address == _ACCELERATOR[self.arch]:
            return MappedRegisters.of(self.accelerator)
        return self._clocks[address]

    def read_registers(self, address: int, length: int) -> bytes:
        assert length == 4
        offset = address - _ACCELERATOR[self.arch]
        if 0 <= offset < _WINDOW:
            return self.accelerator.read(offset).to_bytes(4, "little")
        registers, index = self._clock(address)
        return int(registers[index]).to_bytes(4, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        value = int.from_bytes(data, "little")
        offset = address - _ACCELERATOR[self.arch]
        if 0 <= offset < _WINDOW:
            self.accelerator.write(offset, value)
            return
        registers, index = self._clock(address)
        registers[index] = value

    def _clock(self, address: int) -> tuple[Any, int]:
        base = address & 0xFFFF_F000
        return self._clocks[base], (address - base) // 4

    # -- memory ------------------------------------------------------------------------------

    @property
    def default_memory(self) -> PynqBoard:
        if not hasattr(self, "mem_dict"):
            raise RuntimeError("Overlay is not downloaded")
        return self

    def get_memory(self, description: Any) -> PynqBoard:
        return self

    def allocate(self, shape: Any, dtype: Any, cacheable: int = 0, **_: Any) -> PynqBuffer:
        _ = self.default_memory
        dtype = np.dtype(dtype)
        block = self.memory.allocate(int(np.prod(shape)) * dtype.itemsize, cached=bool(cacheable))
        buffer = PynqBuffer(
            shape, dtype, buffer=block.host, device=self, device_address=block.address, bo=block, coherent=False
        )
        buffer.memory, buffer.pointer, buffer.return_to = self, block, self
        # Given back through return_to; pynq would otherwise unmap it once more when the buffer goes.
        buffer.freed = True
        return buffer

    def return_pointer(self, block: Block) -> None:
        self.memory.free(block)

    def flush(self, bo: Block, offset: int, ptr: int, size: int) -> None:
        bo.device[offset : offset + size] = bo.host[offset : offset + size]

    def invalidate(self, bo: Block, offset: int, ptr: int, size: int) -> None:
        bo.host[offset : offset + size] = bo.device[offset : offset + size]

    # -- bitstreams --------------------------------------------------------------------------

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        parser = RuntimeMetadataParser(Metadata(input=Path(bitfile_name).with_suffix(".hwh")))
        parser.refresh_hierarchy_dict()
        return parser

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Note what is loaded, as a board's device does: not again if it is noted already."""
        digest = global_state.bitstream_hash(bitstream.bitfile_name)
        if global_state.global_state_file_exists() and global_state.load_global_state().bitfile_hash == digest:
            return
        global_state.save_global_state(
            global_state.GlobalState(
                bitfile_name=str(bitstream.bitfile_name),
                active_name=self.name,
                timestamp=str(time.time_ns()),
                bitfile_hash=digest,
            )
        )

    def download(self, bitstream: Any, parser: Any = None) -> None:
        if self.fail_downloads:
            self.fail_downloads -= 1
            raise RuntimeError("FPGA manager: operation timed out")
        bit = Path(bitstream.bitfile_name)
        (self._folder / f"{bit.stem}.bin").write_bytes(bit2bin(bit.read_bytes()))
        self.gen_cache(bitstream, parser)
        self.fabric.configure(hashlib.sha256(bit.read_bytes()).hexdigest())
        self.accelerator.hang = False
        self.post_download(bitstream, parser, self.name)
