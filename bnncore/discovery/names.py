"""Names of datasets, topologies, boards and backends: compared without case, ``-`` the same as ``_``."""

from __future__ import annotations

import re

from bnncore.errors import UnknownNameError
from bnncore.plain_text import shown

__all__ = ["canonical", "is_name"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)?")


def canonical(name: str) -> str:
    """Return the form in which names are compared, for example ``mnist_lfc`` for ``MNIST-LFC``.

    Raises:
        UnknownNameError: if it cannot be a name. A name is never a path.
    """
    if not isinstance(name, str):
        raise UnknownNameError(f"expected a name, found {type(name).__name__}: {shown(name)}")
    result = name.strip().lower().replace("-", "_")
    if not _NAME.fullmatch(result):
        raise UnknownNameError(
            f"{shown(name)} is not a name (letters, digits, '-' and '_'); for a file or folder use bnncore.load(path)"
        )
    return result


def is_name(name: str) -> bool:
    """Say whether ``canonical`` would accept it."""
    return bool(_NAME.fullmatch(name.strip().lower().replace("-", "_")))
