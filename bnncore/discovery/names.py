"""Names of datasets, topologies, boards and backends: compared without case, ``-`` the same as ``_``."""

from __future__ import annotations

import re

from bnncore.errors import UnknownNameError

__all__ = ["canonical", "is_name", "shown"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)?")
_SHOWN = 60


def canonical(name: str) -> str:
    """Return the form in which names are compared, for example ``mnist_lfc`` for ``MNIST-LFC``.

    Raises:
        UnknownNameError: if it cannot be a name. A name is never a path.
    """
    if not isinstance(name, str):
        raise UnknownNameError(f"expected a name, found {type(name).__name__}: {_cut(repr(name))}")
    result = name.strip().lower().replace("-", "_")
    if not _NAME.fullmatch(result):
        raise UnknownNameError(
            f"{shown(name)} is not a name (letters, digits, '-' and '_'); for a file or folder use bnncore.load(path)"
        )
    return result


def is_name(name: str) -> bool:
    """Say whether ``canonical`` would accept it."""
    return bool(_NAME.fullmatch(name.strip().lower().replace("-", "_")))


def shown(name: str) -> str:
    r"""Return a name that anybody may have written as a message has it: quoted, escaped, and cut where it is long.

    >>> shown("no\x1b[31msuch"), len(shown("a" * 300))
    ("'no\\x1b[31msuch'", 63)
    """
    return repr(_cut(name))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
