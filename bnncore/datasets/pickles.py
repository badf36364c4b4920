"""Reading the pickles that CIFAR-10 and its like are published in, without running them.

A pickle is a program, and can call anything. This reader lets it build containers, text, numbers and plain
arrays, the arrays through functions of our own that check what they are asked for; every other name in
the pickle is refused. Python 2 wrote ``numpy.core.multiarray``, numpy 2 writes ``numpy._core.multiarray``;
both mean the same three objects.

What a pickle may do is a list of opcodes, run by Python's unpickler as it is written in Python. The one in C cannot be
told less: it makes room for any number that a pickle gives an object, gigabytes for nine bytes, and hashes any key, for
years where a tuple holds one tuple twice, that another one, and so on.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.limited import read_file

__all__ = ["read_pickle"]

_MULTIARRAY = frozenset({"numpy.core.multiarray", "numpy._core.multiarray"})
_NUMERIC = frozenset({"numpy.core.numeric", "numpy._core.numeric"})
_BUILTINS = frozenset({"builtins", "__builtin__"})
# As many as numpy 1 allows; the product of more, or of greater ones, could take for ever.
_MOST_DIMENSIONS = 32
_LONGEST_SIDE = 2**40
_KINDS = frozenset("buif")
# Python before 3.11 takes the square of their number to convert decimal digits.
_MOST_DIGITS = 100
# Greater ones can be made to have one hash, all of them, and a dictionary of them to take for ever.
_MOST_KEY_BITS = 64

# What picklers write of containers, text, numbers and arrays.
_OPCODES = (
    "PROTO FRAME STOP MARK POP POP_MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 "
    "BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 "
    "EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS "
    "GLOBAL STACK_GLOBAL REDUCE BUILD"
)
_NAMES = {ord(each.code): each.name for each in pickletools.opcodes}
_DECIMAL = (pickle.INT, pickle.LONG, pickle.FLOAT, pickle.PUT, pickle.GET)


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

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self.array: np.ndarray[Any, Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise DatasetError("an array without shape, type and data")
        _, shape, dtype, fortran, data = state
        if isinstance(data, str):
            data = self._reader.encode(data)
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


class _Handlers(dict[int, Callable[[Any], None]]):
    """What to do for each opcode that is allowed."""

    def __missing__(self, code: int) -> Any:
        name = _NAMES.get(code, f"{code:#04x}, which does not exist")
        raise DatasetError(f"the opcode {name}, which no list of pictures needs; it is damaged or hostile")


class _Reader(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Callable[[Any], None]]]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin-1")
        # Text becomes bytes once; a short pickle could ask for it again and again.
        self._left_to_encode = len(data)

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
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


def _check_key(reader: Any) -> None:
    _check_keys(reader.stack[-2:-1])


def _check_every_second(reader: Any) -> None:
    _check_keys(reader.stack[::2])


def _check_keys(keys: list[Any]) -> None:
    for key in keys:
        if not (isinstance(key, (str, bytes)) or (isinstance(key, int) and key.bit_length() <= _MOST_KEY_BITS)):
            raise DatasetError(f"a key that is neither text nor a number of {_MOST_KEY_BITS} bits")


def _check_state(reader: Any) -> None:
    # Of anything else, attributes would be set.
    if not isinstance(reader.stack[-2], (_Array, _Dtype)):
        raise DatasetError("a state of something that has none")


def _load_bytearray(reader: Any) -> None:
    # As bytes, and read before there is room for them.
    reader.append(reader.read(int.from_bytes(reader.read(8), "little")))


def _checked(check: Callable[[Any], None], load: Callable[[Any], None]) -> Callable[[Any], None]:
    def handler(reader: Any) -> None:
        check(reader)
        load(reader)

    return handler


def _of_few_digits(load: Callable[[Any], None]) -> Callable[[Any], None]:
    def handler(reader: Any) -> None:
        readline = reader.readline

        def short() -> bytes:
            line: bytes = readline()
            if len(line) > _MOST_DIGITS:
                raise DatasetError(f"a number of {len(line)} digits; no dataset needs that")
            return line

        reader.readline = short
        try:
            load(reader)
        finally:
            reader.readline = readline

    return handler


def _handlers() -> _Handlers:
    known = pickle._Unpickler.dispatch
    handlers = _Handlers()
    for name in _OPCODES.split():
        code = ord(getattr(pickle, name))
        handlers[code] = known[code]
    for code in map(ord, _DECIMAL):
        handlers[code] = _of_few_digits(known[code])
    for opcode, check in (
        (pickle.SETITEM, _check_key),
        (pickle.SETITEMS, _check_every_second),
        (pickle.DICT, _check_every_second),
        (pickle.BUILD, _check_state),
    ):
        handlers[ord(opcode)] = _checked(check, known[ord(opcode)])
    handlers[ord(pickle.BYTEARRAY8)] = _load_bytearray
    return handlers


_Reader.dispatch = _handlers()


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
        return _finished(_Reader(data).load(), {})
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
