"""The environment variables that the tests read; those of the program are in ``bnncore.environment``."""

from __future__ import annotations

from bnnhw.environment import Variable

__all__ = ["ARM", "KERNEL_EXAMPLES", "TEST_DATA", "VARIABLES"]

TEST_DATA = Variable(
    name="BNNCORE_TEST_DATA",
    summary="names the folder of reference data: BNN-PYNQ's parameter sets and what its library answered",
    values="a folder",
    default="tests that need it are skipped",
    reader="tests/conftest.py",
)
KERNEL_EXAMPLES = Variable(
    name="BNNCORE_KERNEL_EXAMPLES",
    summary="sets how many random networks a test compares the C kernels on",
    values="a whole number from 1 up",
    default="25",
    reader="tests/hw/test_cpu.py",
)
ARM = Variable(
    name="BNNCORE_ARM",
    summary="names the folder where the emulated 32-bit ARM system is kept",
    values="a folder",
    default="`build/arm`",
    reader="tests/arm/run.sh",
)

VARIABLES = (TEST_DATA, KERNEL_EXAMPLES, ARM)
