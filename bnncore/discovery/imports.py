"""Import paths like ``package.module:name``, as entry points and records carry them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from bnncore.errors import PluginError

__all__ = ["import_function", "import_object", "module_of", "split_path"]


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
    found: Any = importlib.import_module(module)
    for name in names:
        found = getattr(found, name)
    return found


def import_function(path: str) -> Callable[..., Any]:
    """Return the function at an import path.

    Raises:
        PluginError: if it cannot be imported or cannot be called.
    """
    try:
        target = import_object(path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{path!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(target):
        raise PluginError(f"{path!r} is no function")
    result: Callable[..., Any] = target
    return result
