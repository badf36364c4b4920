"""The arrays of an ``.npz`` from anywhere: read within bounds, and never unpickled.

``numpy.load`` refuses pickles, but unpacks a member of any size, and lets a dozen kinds of errors through.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from bnncore.errors import BnnError, ParameterError
from bnncore.plain_text import brief, shown

__all__ = ["HEADER_LIMIT", "Archive", "open_archive"]

# What a file may unpack to. Weights of one and two bits hardly deflate, so one that unpacks to many times its size
# holds nothing but a claim on memory; a small network of zeros does no harm.
_ALWAYS = 2**22
_TIMES = 8

# A .npy header of numpy's takes 128 bytes; other writers may align differently.
HEADER_LIMIT = 1024


class Archive:
    """The members of an ``.npz``, by the names of their arrays.

    Attributes:
        where: names the file in errors.
        names: of the arrays, sorted; a member that is no ``.npy`` is there under its whole name.
    """

    def __init__(self, file: zipfile.ZipFile, where: str, size: int) -> None:
        self._file = file
        self._size = size
        self._most = max(_ALWAYS, _TIMES * size)
        self._unpacking = 0
        self._members: dict[str, zipfile.ZipInfo] = {}
        self.where = where
        for info in file.infolist():
            name = info.filename[:-4] if info.filename.endswith(".npy") else info.filename
            if name in self._members:
                raise ParameterError(f"{where}: member {shown(name)} occurs twice")
            self._members[name] = info
        self.names = tuple(sorted(self._members))

    def check_size(self, name: str, low: int, high: int) -> None:
        """Refuse a member by the size that it declares, in bytes; nothing is unpacked.

        Raises:
            ParameterError: naming the member.
        """
        size = self._members[name].file_size
        if not low <= size <= high:
            raise ParameterError(f"{self._place(name)}: expected {low} to {high} bytes, found {size}")

    def array(self, name: str, *, any_order: bool = False) -> npt.NDArray[Any]:
        """Return an array of plain numbers in C order, never more than the member declares.

        Args:
            name: of the array.
            any_order: take one in Fortran's order as well.

        Raises:
            ParameterError: naming the member.
        """
        data = self._unpacked(name)
        stream = io.BytesIO(data)
        try:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise ValueError(f"version {version[0]}.{version[1]} of the format, not 1.0")
            # The header is evaluated as a Python literal, and old numpy takes one of any length.
            if int.from_bytes(data[8:10], "little") > HEADER_LIMIT:
                raise ValueError(f"a header of more than {HEADER_LIMIT} bytes")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        # Beside ValueError, numpy lets through what Python's parser raises: TokenError, RecursionError, …
        except Exception as error:
            raise ParameterError(f"{self._place(name)}: expected a .npy array: {brief(error)}") from error
        if dtype.kind not in "buif" or (fortran and len(shape) > 1 and not any_order):
            raise ParameterError(f"{self._place(name)}: expected plain numbers in C order, found {dtype}")
        start = stream.tell()
        if min(shape, default=1) < 0 or len(data) - start != math.prod(shape) * dtype.itemsize:
            raise ParameterError(
                f"{self._place(name)}: the header declares {dtype} {list(shape)}, which does not have the size "
                f"of the {len(data) - start} bytes that follow"
            )
        return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")

    def content(self, name: str) -> bytes:
        """Return a member's bytes, never more than it declares.

        Raises:
            ParameterError: naming the member.
        """
        return self._unpacked(name)

    def _unpacked(self, name: str) -> bytes:
        """Return a member's bytes; zip's CRC is checked at their end."""
        info = self._members[name]
        # zipfile unpacks bzip2 and LZMA without a bound, and deflate as well unless it is told how much.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ParameterError(
                f"{self._place(name)}: expected stored or deflated data, found zip's method {info.compress_type}"
            )
        self._unpacking += info.file_size
        if self._unpacking > self._most:
            together = "its" if info.file_size > self._most else "with the members before it,"
            size = info.file_size if info.file_size > self._most else self._unpacking
            raise ParameterError(
                f"{self._place(name)}: {together} {size} bytes are more than a file of {self._size} bytes may unpack "
                f"to ({self._most}); weights hardly deflate, so it holds none: write it without compression"
            )
        with self._file.open(info) as member:
            data = member.read(info.file_size)
        if len(data) != info.file_size:
            raise ParameterError(f"{self._place(name)}: expected {info.file_size} bytes, found {len(data)}")
        return data

    def _place(self, name: str) -> str:
        return f"{self.where}, member {shown(name)}"


@contextmanager
def open_archive(data: bytes, where: str) -> Iterator[Archive]:
    """Open the bytes of an ``.npz``; ``where`` names it in errors.

    Raises:
        ParameterError: naming the file, for whatever fails in it or in the body of the ``with``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            yield Archive(file, where, len(data))
    except ParameterError:
        raise
    except BnnError as error:
        raise ParameterError(f"{where}: {error}") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ParameterError(f"{where}: expected a whole .npz file: {brief(error)}") from error
    # zlib.error, EOFError, NotImplementedError and RuntimeError (encrypted), MemoryError, …
    except Exception as error:
        raise ParameterError(f"{where}: cannot be unpacked: {type(error).__name__}: {brief(error)}") from error
