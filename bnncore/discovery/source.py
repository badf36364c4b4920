"""What a plugin's source says of it, read without running a line of it."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
from pathlib import Path

from attrs import frozen

from bnncore.discovery.imports import split_path
from bnncore.discovery.index import Claim
from bnncore.discovery.kinds import hook_names
from bnncore.files import unreadable
from bnncore.hookspecs import API_LEVEL

__all__ = ["Reading", "read_plugin"]


@frozen(kw_only=True)
class Reading:
    """What could be read of a plugin.

    Attributes:
        hooks: those that its module defines, in the contract's order; None if the plugin is no plain
            module, or has no source.
        problem: why it cannot work, as far as its source tells, or None.
    """

    hooks: tuple[str, ...] | None
    problem: str | None = None


def read_plugin(claim: Claim) -> Reading:
    """Read the source of the module behind a claim; nothing is imported."""
    module, names = split_path(claim.value)
    if names:
        return Reading(hooks=None)
    path = _source(module)
    if path is None:
        return Reading(hooks=None, problem=f"module {module!r} cannot be found; reinstall {claim.distribution}")
    if path.suffix != ".py":
        return Reading(hooks=None)
    try:
        body = ast.parse(path.read_bytes(), str(path)).body
    except (OSError, SyntaxError, ValueError) as error:
        return Reading(hooks=(), problem=unreadable(path, error))
    defined = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return Reading(hooks=tuple(name for name in hook_names() if name in defined), problem=_level(body))


def _level(body: list[ast.stmt]) -> str | None:
    """Return what is wrong with a literal ``BNNCORE_API``; anything computed shows at import."""
    for node in body:
        if (
            isinstance(node, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == "BNNCORE_API" for target in node.targets)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, int)
            and node.value.value > API_LEVEL
        ):
            return f"needs API level {node.value.value}, this bnncore has {API_LEVEL}: update bnncore"
    return None


def _source(module: str) -> Path | None:
    """Return the file of a module; ``find_spec`` of a dotted name would import its parents."""
    parts = module.split(".")
    try:
        spec = importlib.util.find_spec(parts[0])
        for depth in range(2, len(parts) + 1):
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = importlib.machinery.PathFinder.find_spec(
                ".".join(parts[:depth]), list(spec.submodule_search_locations)
            )
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None
