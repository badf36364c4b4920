"""The registers of the BlackBoxJam accelerator, the same in all ten published bitstreams.

Byte offsets from the base address that ``Overlay.ip_dict`` gives, 32 bits each, as the hardware hand-off files
list them. Values of 64 bits take two registers, low word first. All but CONTROL can only be written,
and keep what was written. The protocol: docs/reference/accelerator-registers.md.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "CONTROL",
    "DONE",
    "IDLE",
    "IMAGES",
    "INPUT",
    "IP_NAME",
    "IP_TYPE",
    "LAYER",
    "MEMORY",
    "OUTPUT",
    "START",
    "STORE",
    "THRESHOLD",
    "VALUE",
    "WORD",
    "Registers",
]

IP_NAME = "BlackBoxJam_0"
IP_TYPE = "xilinx.com:hls:BlackBoxJam:1.0"

CONTROL = 0x00
INPUT = 0x10  # physical address of the images, 64 bits
OUTPUT = 0x1C  # physical address of the results, 64 bits
STORE = 0x28  # 1: a start stores one parameter word; 0: it classifies
LAYER = 0x30  # 2 * layer for its weights, 2 * layer + 1 for its thresholds
MEMORY = 0x38  # number of the memory (PE)
WORD = 0x40  # number of the word in that memory
THRESHOLD = 0x48  # number of the threshold in that word; 0 for weights
VALUE = 0x50  # the parameter word, 64 bits
IMAGES = 0x5C  # how many images a start classifies

# Bits of CONTROL. Reading CONTROL clears DONE.
START = 1 << 0
DONE = 1 << 1
IDLE = 1 << 2


class Registers(Protocol):
    """Access to the accelerator's registers.

    Attributes:
        words: the mapped registers as uint32 [n], index offset // 4, if they can be mapped; else None.
    """

    words: npt.NDArray[np.uint32] | None

    def read(self, offset: int) -> int:
        """Return the 32 bits at a byte offset."""

    def write(self, offset: int, value: int) -> None:
        """Write 32 bits at a byte offset."""
