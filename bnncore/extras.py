"""What to say where a library of an extra is not installed."""

from __future__ import annotations

from typing import TypeVar

from bnncore.errors import BnnError

__all__ = ["missing_extra"]

Error = TypeVar("Error", bound=BnnError)

# What else to know before installing one.
_HINTS = {"PyTorch": "https://pytorch.org tells how to get a build without GPU libraries"}


def missing_extra(
    what: str,
    library: str,
    extra: str,
    *,
    error: type[Error] = BnnError,  # type: ignore[assignment]  # the default decides the type
    otherwise: str = "",
) -> Error:
    """Return the error for something that needs a library which is not installed.

    Args:
        what: cannot be done, for example ``"training"``.
        library: as people call it.
        extra: of the distribution ``bnncore``, which brings the library.
        error: class to return.
        otherwise: another way to get there, as a sentence.
    """
    hint = f" ({_HINTS[library]})" if library in _HINTS else ""
    way = f". {otherwise}" if otherwise else ""
    return error(f"{what} needs {library}, which is not installed: pip install 'bnncore[{extra}]'{hint}{way}")
