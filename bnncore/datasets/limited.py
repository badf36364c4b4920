"""Reading a file of a dataset whole, but never more of it than fits."""

from __future__ import annotations

import io
from pathlib import Path

from bnncore.datasets.labelled import DatasetError
from bnncore.files import read_limited

__all__ = ["read_file", "read_stream"]

_LIMIT = 2**30
_LIMIT_OF = "the limit for one file of a dataset"
_PIECE = 2**20


def read_file(path: Path) -> bytes:
    """Return the content of a file of at most 1 GiB.

    Raises:
        DatasetError: naming the file, if it cannot be read or is larger.
    """
    return read_limited(path, _LIMIT, DatasetError, _LIMIT_OF)


def read_stream(path: Path, stream: io.BufferedIOBase) -> bytes:
    """Return what a stream holds, at most 1 GiB; what is compressed may be far larger than its file.

    Raises:
        DatasetError: naming the file, if there is more.
    """
    content = io.BytesIO()
    # In pieces: to read up to the limit at once takes that much memory, however small the file.
    while piece := stream.read(_PIECE):
        content.write(piece)
        if content.tell() > _LIMIT:
            raise DatasetError(f"{path}: larger than {_LIMIT} bytes, {_LIMIT_OF}")
    return content.getvalue()
