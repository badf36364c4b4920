"""Import paths like ``package.module:name``, as entry points and records carry them."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

from bnncore.errors import PluginError
from bnncore.foreign import describe_error, foreign_code

__all__ = ["import_function", "import_object", "is_being_imported", "module_of", "split_path"]

# How often an import is tried again that Python has ended, and after how long.
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.01


def split_path(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the module of an import path, and the names to look up in it, one after the other; maybe none."""
    module, _, names = path.partition(":")
    return module.strip(), tuple(filter(None, names.strip().split(".")))


def module_of(path: str) -> str:
    """Return the module of an import path."""
    return split_path(path)[0]


def import_object(path: str) -> Any:
    """Return what is at an import path; whatever importing it raises, this raises."""
    module, names = split_path(path)
    found: Any = _import_module(module)
    for name in names:
        found = getattr(found, name)
    return found


def _import_module(name: str) -> Any:
    """Import a module; once more, where two threads import two that import each other, and Python ends one of both."""
    for _ in range(_ATTEMPTS):
        try:
            return importlib.import_module(name)
        except RuntimeError as error:
            # Python's own, and not public.
            if type(error).__name__ != "_DeadlockError":
                raise
            time.sleep(_PAUSE_SECONDS)
    return importlib.import_module(name)


def is_being_imported(path: str) -> bool:
    """Say whether the module of an import path is there, but only in part so far."""
    spec = getattr(sys.modules.get(module_of(path)), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def import_function(path: str, owner: str = "") -> Callable[..., Any]:
    """Return the function at an import path.

    Args:
        path: as a record has it.
        owner: who declares it: distribution and version, as a ``Claim`` has it; "" for nobody in particular.

    Raises:
        PluginError: if it cannot be imported or cannot be called.
    """
    what = f"{path!r} of {owner}" if owner else repr(path)
    with foreign_code(owner, lambda error: PluginError(f"{what} cannot be imported: {describe_error(error)}")):
        target = import_object(path)
        if callable(target):
            result: Callable[..., Any] = target
            return result
    raise PluginError(f"{what} is no function")
