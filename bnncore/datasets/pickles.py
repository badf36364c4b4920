"""Reading the pickles that CIFAR-10 and its like are published in, without running them.

A pickle is a program, and can call anything. This reader lets it build containers, text, numbers and plain
arrays, the arrays through functions of our own that check what they are asked for; every other name in
the pickle is refused. Python 2 wrote ``numpy.core.multiarray``, numpy 2 writes ``numpy._core.multiarray``;
both mean the same three objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.limited import read_file
from bnncore.formats.pickle_machine import DamagedPickle, Maker, interpret

__all__ = ["read_pickle"]

_MULTIARRAY = frozenset({"numpy.core.multiarray", "numpy._core.multiarray"})
_NUMERIC = frozenset({"numpy.core.numeric", "numpy._core.numeric"})
_BUILTINS = frozenset({"builtins", "__builtin__"})
# As many as numpy 1 allows; the product of more, or of greater ones, could take for ever.
_MOST_DIMENSIONS = 32
_LONGEST_SIDE = 2**40
_KINDS = frozenset("buif")


class _Dtype:
    """A numpy dtype under construction: numbers only."""

    def __init__(self, code: Any, *_: Any) -> None:
        if isinstance(code, bytes):
            code = code.decode("ascii", "replace")
        # The shape "u1": a kind and a size. Anything else (objects, records, dates) is no picture.
        if not (isinstance(code, str) and len(code) == 2 and code[0] in _KINDS and code[1] in "1248"):
            raise DatasetError(f"an array of type {_shown(code)}; only plain numbers are read")
        self.dtype = np.dtype(code)

    def take(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
        if isinstance(order, bytes):
            order = order.decode("ascii", "replace")
        if order not in ("<", ">", "|", "="):
            raise DatasetError(f"an array in byte order {_shown(order)}")
        self.dtype = self.dtype.newbyteorder(order)  # type: ignore[arg-type]  # one of the four above


class _Array:
    """A numpy array under construction: empty until its state comes."""

    def __init__(self, maker: _Maker) -> None:
        self._maker = maker
        self.array: np.ndarray[Any, Any] | None = None

    def take(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise DatasetError("an array without shape, type and data")
        _, shape, dtype, fortran, data = state
        if isinstance(data, str):
            data = self._maker.encode(data)
        if not (isinstance(dtype, _Dtype) and isinstance(data, bytes)):
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
    return np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if order == "F" else "C")


def _shown(value: Any) -> str:
    # No repr of anything: that of a list that holds another one twice, and so on, would never end.
    return repr(value[:20]) if isinstance(value, str) else f"<{type(value).__name__}>"


class _ArrayClass:
    """Stand in for ``numpy.ndarray`` where it is named as an argument; it cannot be called."""

    def __new__(cls, *_: Any) -> Any:
        raise DatasetError("an array made by calling its class")


class _Maker(Maker):
    encoding = "latin-1"

    def __init__(self, size: int) -> None:
        # Text becomes bytes once; a short pickle could ask for it again and again.
        self._left_to_encode = size

    def called(self, function: Any, arguments: Any) -> Any:
        # All that can be called here is what ``named`` returned.
        return function(*arguments)

    def given_state(self, target: Any, state: Any) -> None:
        if not isinstance(target, (_Array, _Dtype)):
            raise DatasetError("a state of something that has none")
        target.take(state)

    def other(self, kind: Any) -> Any:
        raise DatasetError("an object that no list of pictures needs; it is damaged or hostile")

    def stored_elsewhere(self, identity: Any) -> Any:
        return self.other(None)

    def named(self, module: str, name: str) -> Callable[..., Any]:
        if module in _MULTIARRAY and name == "_reconstruct":
            # Whatever class is asked for, an array comes.
            return lambda *_: _Array(self)
        if module in _MULTIARRAY and name == "scalar":
            return self._scalar
        if module in _NUMERIC and name == "_frombuffer":
            return self._from_buffer
        if module == "numpy" and name == "dtype":
            return _Dtype
        if module == "numpy" and name == "ndarray":
            return _ArrayClass
        if module == "_codecs" and name == "encode":
            return self.encode
        if module in _BUILTINS and name == "bytes":
            # Protocols before 3 write empty bytes as a call.
            return lambda: b""
        raise DatasetError(
            f"a call for {f'{module}.{name}'[:80]!r}, which no list of pictures needs; it is not opened"
        )

    def encode(self, text: Any, encoding: Any = "latin1") -> bytes:
        """Stand in for ``_codecs.encode``, through which protocol 2 writes bytes of Python 3.

        Python 2 wrote bytes as text; latin-1 brings each of them back.
        """
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise DatasetError("text in an unknown encoding")
        self._left_to_encode -= len(text)
        if self._left_to_encode < 0:
            raise DatasetError("more bytes than it is long; it is hostile")
        return text.encode("latin-1")

    def _from_buffer(self, data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
        """Stand in for numpy's ``_frombuffer``, which pickle protocol 5 calls."""
        if not isinstance(data, bytes) or not isinstance(dtype, _Dtype):
            raise DatasetError("an array of objects; only plain numbers are read")
        return _plain_array(data, dtype, shape, order)

    def _scalar(self, dtype: Any, data: Any = b"") -> Any:
        """Stand in for numpy's ``scalar``: one number."""
        if isinstance(data, str):
            data = self.encode(data)
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise DatasetError("a number that is none")
        return _plain_array(data, dtype, (), "C").item()


def read_pickle(path: Path) -> Any:
    """Read a pickle of plain data.

    Byte strings of Python 2 come as text decoded from latin-1, as do keys.

    Returns:
        Dictionaries, lists, tuples, text, bytes, numbers and numpy arrays (read-only).

    Raises:
        DatasetError: naming the file, if it cannot be read, is damaged, or wants anything else.
    """
    data = read_file(path)
    try:
        return _finished(interpret(data, _Maker(len(data)))[0], {})
    except DatasetError as error:
        raise DatasetError(f"{path}: refused, the pickle holds {error}") from error
    except (DamagedPickle, RecursionError) as error:
        raise DatasetError(f"{path}: expected a pickle of a dataset; {error}") from error


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
