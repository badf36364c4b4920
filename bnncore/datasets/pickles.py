"""Reading the pickles that CIFAR-10 and its like are published in, without running them.

A pickle is a program, and can call anything. This reader lets it build containers, text, numbers and plain
arrays, the arrays through one function of our own that checks what it is asked for; every other name in
the pickle is refused. Python 2 wrote ``numpy.core.multiarray``, numpy 2 writes ``numpy._core.multiarray``;
both mean the same three objects. Its opcodes are looked over first (``opcodes``).
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
from bnncore.datasets.limited import read_file
from bnncore.datasets.opcodes import check_opcodes

__all__ = ["read_pickle"]

_MULTIARRAY = frozenset({"numpy.core.multiarray", "numpy._core.multiarray"})
_NUMERIC = frozenset({"numpy.core.numeric", "numpy._core.numeric"})
# As many as numpy 1 allows; the product of more, or of greater ones, could take for ever.
_MOST_DIMENSIONS = 32
_LONGEST_SIDE = 2**40
_KINDS = frozenset("bui f".replace(" ", ""))


class _Dtype:
    """A numpy dtype under construction: numbers only."""

    def __init__(self, code: Any, *_: Any) -> None:
        if isinstance(code, bytes):
            code = code.decode("ascii", "replace")
        # The shape "u1": a kind and a size. Anything else (objects, records, dates) is no picture.
        if not (isinstance(code, str) and len(code) == 2 and code[0] in _KINDS and code[1] in "1248"):
            raise DatasetError(f"an array of type {_shown(code)}; only plain numbers are read")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
        if isinstance(order, bytes):
            order = order.decode("ascii", "replace")
        if order not in ("<", ">", "|", "="):
            raise DatasetError(f"an array in byte order {_shown(order)}")
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
    if not (
        isinstance(shape, tuple)
        and len(shape) <= _MOST_DIMENSIONS
        and all(isinstance(side, int) and 0 <= side <= _LONGEST_SIDE for side in shape)
    ):
        raise DatasetError(
            f"an array whose shape is not at most {_MOST_DIMENSIONS} whole numbers up to {_LONGEST_SIDE}"
        )
    expected = math.prod(shape) * dtype.dtype.itemsize
    if len(data) != expected:
        raise DatasetError(f"an array of shape {list(shape)} with {len(data)} bytes, expected {expected}")
    return np.frombuffer(bytes(data), dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _shown(value: Any) -> str:
    # No repr of anything: that of a list that holds another one twice, and so on, would never end.
    return repr(value[:20]) if isinstance(value, str) else f"<{type(value).__name__}>"


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
    data = read_file(path)
    try:
        check_opcodes(data)
        return _finished(_Reader(io.BytesIO(data), encoding="latin-1").load(), {})
    except DatasetError as error:
        raise DatasetError(f"{path}: refused, the pickle holds {error}") from error
    # A damaged pickle raises nearly anything: EOFError, KeyError, UnpicklingError, MemoryError, …
    except Exception as error:
        raise DatasetError(
            f"{path}: expected a pickle of a dataset; it is damaged: {type(error).__name__}: {error}"
        ) from error


def _finished(value: Any, done: dict[int, Any]) -> Any:
    """Replace the arrays under construction in the containers that a dataset uses.

    Args:
        value: what was read.
        done: filled with each container's replacement, by its id. A hostile pickle of a few bytes can hold a
            list twice in another one, that one twice in the next, and so on: walked each time, they never end.
    """
    if isinstance(value, _Array):
        if value.array is None:
            raise DatasetError("an array without data")
        return value.array
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in done:
        done[id(value)] = _finished_container(value, done)
    return done[id(value)]


def _finished_container(value: Any, done: dict[int, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _finished(item, done) for key, item in value.items()}
    # Long lists of labels and names stay as they are.
    if any(isinstance(item, (_Array, dict, list, tuple)) for item in value):
        return type(value)([_finished(item, done) for item in value])
    return value
