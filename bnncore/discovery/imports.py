"""Import paths like ``package.module:name``, as records carry them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from bnncore.errors import PluginError

__all__ = ["import_function"]


def import_function(path: str) -> Callable[..., Any]:
    """Return the function at an import path.

    Raises:
        PluginError: if it cannot be imported or cannot be called.
    """
    module, _, name = path.partition(":")
    try:
        target: Any = importlib.import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
    except Exception as error:
        raise PluginError(f"{path!r} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(target):
        raise PluginError(f"{path!r} is no function")
    result: Callable[..., Any] = target
    return result
