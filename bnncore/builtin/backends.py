"""The backends of bnncore itself; each is one entry point in the group ``bnncore.backends``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bnncore.hookspecs import hookimpl
from bnncore.records import Backend

if TYPE_CHECKING:
    from bnnhw.reference import NumpyExecutor

    from bnncore.backends import Job

__all__ = ["bnncore_backend"]

_BACKENDS = {
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


def nothing(job: Job) -> str | None:
    """Return None: nothing keeps numpy from running."""
    return None


def numpy_executor(job: Job) -> NumpyExecutor:
    """Run the job with the reference."""
    from bnnhw.reference import NumpyExecutor

    return NumpyExecutor(job.network())
