"""The environment variables that ``bnnhw`` reads: one record each, through which the code reads them.

They are read anew at every look, never kept: a notebook may set one in between. ``bnncore.environment`` has the
whole table, from which ``docs/reference/environment.md`` is written.
"""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["CPU_ISA", "OMP_NUM_THREADS", "THREADS", "VARIABLES", "XILINX_XRT", "Variable"]


# Every program pays for it at its start, and attrs takes five times as long to make a class of five names.
class Variable(NamedTuple):
    """One environment variable; as text it is its name.

    Attributes:
        name: as it is spelt in the environment.
        summary: what it does, in a clause that begins with a verb.
        values: what it may hold, for people.
        default: what happens without it, for people.
        reader: import path of the module that reads it.
    """

    name: str
    summary: str
    values: str
    default: str
    reader: str

    @property
    def value(self) -> str:
        """What it holds now; empty where it is not set."""
        return os.environ.get(self.name, "")

    @property
    def is_set(self) -> bool:
        """Whether it is there at all, be it empty."""
        return self.name in os.environ

    def __str__(self) -> str:
        return self.name


CPU_ISA = Variable(
    name="BNNCORE_CPU_ISA",
    summary="forces one variant of the C kernels",
    values="a variant that this processor can run; `bnncore doctor` lists them",
    default="the most capable one",
    reader="bnnhw.cpu.executor",
)
THREADS = Variable(
    name="BNNCORE_THREADS",
    summary="sets the most threads that the backend `cpu` uses; the argument `threads` goes before it",
    values="a whole number from 1 to 1024",
    default="every CPU that the process may use, `OMP_NUM_THREADS` at most; 1 in a worker process of `multiprocessing`",
    reader="bnnhw.cpu.threads",
)
OMP_NUM_THREADS = Variable(
    name="OMP_NUM_THREADS",
    summary="sets how many threads numeric libraries use, and without `BNNCORE_THREADS` the backend `cpu` at most",
    values="a whole number from 1 up; anything else is passed over",
    default="does not matter",
    reader="bnnhw.cpu.threads",
)
XILINX_XRT = Variable(
    name="XILINX_XRT",
    summary="tells pynq where XRT is; without it pynq does not look for an FPGA",
    values="a folder, `/usr` on the images of PYNQ",
    default="said by an error and by `bnncore doctor`",
    reader="bnnhw.fpga.pynq_device",
)

VARIABLES = (CPU_ISA, OMP_NUM_THREADS, THREADS, XILINX_XRT)
