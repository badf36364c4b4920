"""The compiled kernels, or why they are not there.

Every other module of this package imports without them, so that documentation can be made anywhere; what needs them
calls ``require`` first.

While the kernels run, they ask Python from time to time whether to go on (``watch.h``): so signals are heeded, Ctrl-C
among them, however long one image takes.
"""

from __future__ import annotations

import threading
from typing import Any

from bnnhw.errors import BackendError

__all__ = ["ffi", "interruption", "lib", "require"]

ffi: Any = None
lib: Any = None
_missing: ImportError | None = None

try:
    from bnnhw.cpu._compiled import ffi, lib  # type: ignore[import-not-found,unused-ignore,no-redef]  # compiled
except ImportError as error:  # no compiler when it was installed
    _missing = error


# By thread: what ended its evaluation.
_raised: dict[int, BaseException] = {}


def _note(kind: type[BaseException], error: BaseException, trace: Any) -> int:
    _raised[threading.get_ident()] = error
    return 1


def _heed() -> int:
    """Let Python run the handlers of signals that have come, as it does between any two steps."""
    for _ in range(2):
        pass
    return 0


if lib is not None:
    ffi.def_extern(name="bnn_heed", error=1, onerror=_note)(_heed)
    lib.bnn_ask(lib.bnn_heed)


def interruption() -> BaseException:
    """Return what ended the evaluation of this thread: ``KeyboardInterrupt``, or what a handler of signals raised."""
    return _raised.pop(threading.get_ident(), None) or KeyboardInterrupt()


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
