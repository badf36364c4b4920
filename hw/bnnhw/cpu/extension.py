"""The compiled kernels, or why they are not there.

Every other module of this package imports without them, so that documentation can be made anywhere; what needs them
calls ``require`` first.
"""

from __future__ import annotations

from typing import Any

from bnnhw.errors import BackendError

__all__ = ["ffi", "lib", "require"]

ffi: Any = None
lib: Any = None
_missing: ImportError | None = None

try:
    from bnnhw.cpu._compiled import ffi, lib  # type: ignore[import-not-found,unused-ignore,no-redef]  # compiled
except ImportError as error:  # no compiler when it was installed
    _missing = error


def require() -> None:
    """Raise unless the kernels are there.

    Raises:
        BackendError: with what to do, if bnncore-hw was installed without a C compiler.
    """
    if _missing is not None:
        raise BackendError(
            f"the C kernels of bnncore-hw are not there ({_missing}): it was installed without a C compiler; "
            "install gcc or clang and then 'pip install --force-reinstall --no-cache-dir bnncore-hw', "
            "or use backend='numpy'"
        ) from _missing
