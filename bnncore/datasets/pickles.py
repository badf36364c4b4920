"""Reading the pickles that CIFAR-10 and its like are published in, without running them.

A pickle is a program, and can call anything. This reader lets it build containers, text, numbers and plain
arrays, the arrays through one function of our own that checks what it is asked for; every other name in
the pickle is refused. Python 2 wrote ``numpy.core.multiarray``, numpy 2 writes ``numpy._core.multiarray``;
both mean the same three objects.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bnncore.datasets.labelled import DatasetError

__all__ = ["read_pickle"]

_LIMIT = 2**30
_MULTIARRAY = frozenset({"numpy.core.multiarray", "numpy._core.multiarray"})
_NUMERIC = frozenset({"numpy.core.numeric", "numpy._core.numeric"})
_KINDS = frozenset("bui f".replace(" ", ""))


class _Dtype:
    """A numpy dtype under construction: numbers only."""

    def __init__(self, code: Any, *_: Any) -> None:
        if isinstance(code, bytes):
            code = code.decode("ascii", "replace")
        # The shape "u1": a kind and a size. Anything else (objects, records, dates) is no picture.
        if not (isinstance(code, str) and len(code) == 2 and code[0] in _KINDS and code[1] in "1248"):
            raise DatasetError(f"an array of type {code!r}; only plain numbers are read")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
        if isinstance(order, bytes):
            order = order.decode("ascii", "replace")
        if order not in ("<", ">", "|", "="):
            raise DatasetError(f"an array in byte order {order!r}")
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]  # one of the four above


class _Array:
    """A numpy array under construction: empty until its state comes."""

    def __init__(self) -> None:
        self.array: np.ndarray[Any, Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise DatasetError("an array without shape, type and data")
        _, shape, dtype, fortran, data = state
        if isinstance(data, str):
            # Python 2 wrote bytes as text; latin-1 brings each of them back.
            data = data.encode("latin-1")
        if not (isinstance(dtype, _Dtype) and isinstance(data, (bytes, bytearray))):
            raise DatasetError("an array of objects; only plain numbers are read")
        self.array = _plain_array(data, dtype, shape, "F" if fortran else "C")


def _plain_array(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    if not (isinstance(shape, tuple) and all(isinstance(side, int) and side >= 0 for side in shape)):
        raise DatasetError(f"an array of shape {shape!r}")
    expected = math.prod(shape) * dtype.dtype.itemsize
    if len(data) != expected:
        raise DatasetError(f"an array of shape {list(shape)} with {len(data)} bytes, expected {expected}")
    return np.frombuffer(bytes(data), dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(*_: Any) -> _Array:
    """Stand in for numpy's ``_reconstruct``: whatever class was asked for, an array comes."""
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    """Stand in for numpy's ``_frombuffer``, which pickle protocol 5 calls."""
    if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _Dtype):
        raise DatasetError("an array of objects; only plain numbers are read")
    return _plain_array(data, dtype, shape, order)


def _scalar(dtype: Any, data: Any = b"") -> Any:
    """Stand in for numpy's ``scalar``: one number."""
    if isinstance(data, str):
        data = data.encode("latin-1")
    if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
        raise DatasetError("a number that is none")
    return _plain_array(data, dtype, (), "C").item()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, through which protocol 2 writes bytes of Python 3."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise DatasetError("text in an unknown encoding")
    return text.encode("latin-1")


class _ArrayClass:
    """Stand in for ``numpy.ndarray`` where it is named as an argument; it cannot be called."""

    def __new__(cls, *_: Any) -> Any:
        raise DatasetError("an array made by calling its class")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if module in _MULTIARRAY and name == "_reconstruct":
            return _reconstruct
        if module in _MULTIARRAY and name == "scalar":
            return _scalar
        if module in _NUMERIC and name == "_frombuffer":
            return _from_buffer
        if module == "numpy" and name == "dtype":
            return _Dtype
        if module == "numpy" and name == "ndarray":
            return _ArrayClass
        if module == "_codecs" and name == "encode":
            return _encode
        raise DatasetError(f"it asks for {module}.{name}, which no list of pictures needs; it is not opened")

    def persistent_load(self, pid: Any) -> Any:
        raise DatasetError("it refers to objects outside the file")


def read_pickle(path: Path) -> Any:
    """Read a pickle of plain data.

    Byte strings of Python 2 come as text decoded from latin-1, as do keys.

    Returns:
        Containers, text, bytes, numbers and numpy arrays (read-only).

    Raises:
        DatasetError: naming the file, if it cannot be read, is damaged, or wants anything else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > _LIMIT:
        raise DatasetError(f"{path}: larger than {_LIMIT} bytes, the limit for one file of a dataset")
    try:
        return _finished(_Reader(io.BytesIO(data), encoding="latin-1").load())
    except DatasetError as error:
        raise DatasetError(f"{path}: refused, the pickle holds {error}") from error
    # A damaged pickle raises nearly anything: EOFError, KeyError, UnpicklingError, MemoryError, …
    except Exception as error:
        raise DatasetError(
            f"{path}: expected a pickle of a dataset; it is damaged: {type(error).__name__}: {error}"
        ) from error


def _finished(value: Any) -> Any:
    """Replace the arrays under construction in the containers that a dataset uses."""
    if isinstance(value, _Array):
        if value.array is None:
            raise DatasetError("an array without data")
        return value.array
    if isinstance(value, dict):
        return {key: _finished(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(item, (_Array, list, dict)) for item in value):
        return type(value)(_finished(item) for item in value)
    return value
