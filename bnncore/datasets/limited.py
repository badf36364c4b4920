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

# Of what is compressed: MNIST's files are a fifth of what they hold. What is a hundredth is made to fill the memory.
_UNPACKED = 2**26
_TIMES = 32


def read_file(path: Path) -> bytes:
    """Return the content of a file of at most 1 GiB.

    Raises:
        DatasetError: naming the file, if it cannot be read or is larger.
    """
    return read_limited(path, _LIMIT, DatasetError, _LIMIT_OF)


def read_stream(path: Path, stream: io.BufferedIOBase, packed: int) -> bytes:
    """Return what a compressed stream holds, at most 1 GiB: it may be far larger than its file.

    Args:
        path: of the file, for errors.
        stream: unpacks it.
        packed: bytes that the file has; what holds more than 64 MiB must be at least a 32nd of that.

    Raises:
        DatasetError: naming the file, if there is more.
    """
    content, limit = io.BytesIO(), min(_LIMIT, max(_UNPACKED, _TIMES * packed))
    # In pieces: to read up to the limit at once takes that much memory, however small the file.
    while piece := stream.read(_PIECE):
        content.write(piece)
        if content.tell() > limit:
            raise DatasetError(
                f"{path}: larger than {limit} bytes when unpacked, the limit for a file of its size"
            )
    return content.getvalue()
