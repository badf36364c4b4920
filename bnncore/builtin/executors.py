"""The backends of bnncore itself; each is one entry point in the group ``bnncore.backends``."""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bnncore.hookspecs import hookimpl
from bnncore.records import Backend

if TYPE_CHECKING:
    from bnnhw.cpu.executor import CpuExecutor
    from bnnhw.reference import NumpyExecutor

    from bnncore.backends import Job

__all__ = ["bnncore_backend"]

_BACKENDS = {
    "cpu": Backend(
        name="cpu",
        executor=f"{__name__}:cpu_executor",
        obstacle=f"{__name__}:no_kernels",
        priority=50,
        summary="C kernels for the processor at hand",
    ),
    "fpga": Backend(
        name="fpga",
        executor="bnncore.boards.fpga:executor",
        obstacle="bnncore.boards.fpga:obstacle",
        priority=100,
        summary="the accelerator on a PYNQ board",
    ),
    "numpy": Backend(
        name="numpy",
        executor=f"{__name__}:numpy_executor",
        obstacle=f"{__name__}:nothing",
        priority=10,
        summary="the exact reference, everywhere",
    ),
}


@hookimpl
def bnncore_backend(name: str) -> Backend | None:
    """Return one of the built-in backends."""
    return _BACKENDS.get(name)


def no_kernels(job: Job) -> str | None:
    """Return why the C kernels cannot run, or None if they are compiled. Say so once, for they should be."""
    if find_spec("bnnhw.cpu._compiled") is not None:
        return None
    _warn_of_no_kernels()
    return "bnncore-hw was installed without a C compiler, so its kernels are missing"


@lru_cache(maxsize=1)
def _warn_of_no_kernels() -> None:
    warnings.warn(
        "bnncore-hw was installed without a C compiler, so numpy does the work, many times slower; "
        "install gcc or clang, then bnncore-hw as before, but with pip's --force-reinstall --no-cache-dir",
        RuntimeWarning,
        stacklevel=2,
    )


def cpu_executor(job: Job) -> CpuExecutor:
    """Run the job with the C kernels."""
    from bnnhw.cpu.executor import CpuExecutor

    return CpuExecutor(job.network(), threads=job.threads)


def nothing(job: Job) -> str | None:
    """Return None: nothing keeps numpy from running."""
    return None


def numpy_executor(job: Job) -> NumpyExecutor:
    """Run the job with the reference."""
    from bnnhw.reference import NumpyExecutor

    return NumpyExecutor(job.network())
