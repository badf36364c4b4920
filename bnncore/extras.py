"""What to say where a library of an extra is not installed."""

from __future__ import annotations

from bnncore.errors import BnnError

__all__ = ["torch_missing"]


def torch_missing(what: str) -> BnnError:
    """Return the error for something that needs PyTorch, for example ``"training"``."""
    return BnnError(
        f"{what} needs PyTorch, which is not installed: pip install 'bnncore[train]' "
        "(https://pytorch.org tells how to get a build without GPU libraries)"
    )
