"""Looking over a pickle's opcodes before anything is built from them.

Python's unpickler makes room for whatever number a pickle gives an object: nine bytes that ask for number
2**27 make it allocate gigabytes. Walking the opcodes costs little and allocates nothing.
``pickletools.genops`` does not serve: it decodes every string, 30 MB of pixels too, and cannot decode those of
Python 2.

It also hashes a dictionary's keys. A tuple that holds one tuple twice, that another one, and so on, forty deep, is some
hundred bytes, and its hash takes years. Picklers have no reason to fetch tuples again in a dataset, so it is seldom
allowed.
"""

from __future__ import annotations

import pickle
import pickletools

from bnncore.datasets.labelled import DatasetError

__all__ = ["check_opcodes"]

# Bytes of the length that stands before an argument, and whether it has a sign.
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: (1, False),
    pickletools.TAKEN_FROM_ARGUMENT4: (4, True),
    pickletools.TAKEN_FROM_ARGUMENT4U: (4, False),
    pickletools.TAKEN_FROM_ARGUMENT8U: (8, False),
}
_MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET"})
_ARGUMENTS = {ord(each.code): each.arg for each in pickletools.opcodes}
_MEMO_CODES = frozenset(ord(each.code) for each in pickletools.opcodes if each.name in _MEMO)
_STOP = ord(".")
_FETCHING = frozenset(
    ord(each.code) for each in pickletools.opcodes if each.name in ("GET", "BINGET", "LONG_BINGET")
)
_MEMOIZE = ord(pickle.MEMOIZE)
# Stands between anything.
_FRAME = ord(pickle.FRAME)
# Doubles what is on top of the stack; no pickler has written it since Python 1.
_DUP = ord(pickle.DUP)
# What leaves something on top of the stack that is no tuple: text, numbers, containers, what was called.
_NO_TUPLE_NAMES = ("REDUCE", "GLOBAL", "STACK_GLOBAL", "EMPTY_LIST", "EMPTY_DICT", "LIST", "DICT", "BYTEARRAY8")
_NO_TUPLE_KINDS = [
    [kind]
    for kind in (
        pickletools.pystring,
        pickletools.pyunicode,
        pickletools.pybytes,
        pickletools.pybytes_or_str,
        pickletools.pyint,
    )
]
_NO_TUPLE = frozenset(
    ord(each.code)
    for each in pickletools.opcodes
    if each.name in _NO_TUPLE_NAMES or each.stack_after in _NO_TUPLE_KINDS
)
# 2**20 steps at the most, whatever is built of them.
_MOST_TUPLES_FETCHED = 20
# Python before 3.11 takes the square of their number to convert decimal digits.
_MOST_DIGITS = 100


def check_opcodes(data: bytes) -> None:
    """Check that a pickle's opcodes are whole, and that it numbers its objects as a pickler does.

    Raises:
        DatasetError: without the file's name, in words that follow "the pickle holds".
    """
    position = count = fetched = 0
    # For each number, whether what it stands for is surely no tuple.
    plain: dict[int, bool] = {}
    before = _STOP
    while True:
        start = position
        if start >= len(data):
            raise DatasetError("no end; it is cut short")
        code = data[start]
        if code not in _ARGUMENTS:
            raise DatasetError(f"the unknown opcode {code:#04x} at byte {start}; it is damaged, or no pickle")
        argument = _ARGUMENTS[code]
        position = start + 1
        if argument is not None:
            position = _end(data, position, argument)
        if code in _MEMO_CODES or code == _MEMOIZE:
            number = len(plain) if argument is None else _number(data[start + 1 : position], argument)
            # Picklers count from 0 or 1, and write at least one opcode for each object that they number.
            if not 0 <= number <= count:
                raise DatasetError(
                    f"an object with a number that is negative or higher than the {count} opcodes before it, at "
                    f"byte {start}; it is damaged or hostile"
                )
            if code in _FETCHING:
                fetched += not plain.get(number)
            else:
                plain[number] = before in _NO_TUPLE
        if code == _DUP or fetched > _MOST_TUPLES_FETCHED:
            raise DatasetError(f"the same tuples again and again, at byte {start}; it is hostile")
        if code == _STOP:
            return
        count += 1
        if code != _FRAME:
            before = code


def _end(data: bytes, position: int, argument: pickletools.ArgumentDescriptor) -> int:
    """Return where an argument ends, which is inside the file."""
    start, size = position, argument.n
    if size == pickletools.UP_TO_NEWLINE:
        for _ in range(2 if argument.name == "stringnl_noescape_pair" else 1):
            # 0 where there is no further line.
            position = data.find(b"\n", position) + 1
            if not position:
                raise DatasetError(f"a line without an end at byte {start}; it is cut short")
        if argument.name.startswith("decimalnl") and position - start > _MOST_DIGITS:
            raise DatasetError(f"a number of {position - start} digits at byte {start}; no dataset needs that")
        return position
    if size in _LENGTHS:
        width, signed = _LENGTHS[size]
        size = width + int.from_bytes(data[start : start + width], "little", signed=signed)
        if size < width:
            raise DatasetError(f"a negative length at byte {start}; it is damaged")
    if start + size > len(data):
        raise DatasetError(
            f"{size} bytes announced at byte {start}, but {len(data) - start} are left; it is cut short"
        )
    return start + size


def _number(argument: bytes, kind: pickletools.ArgumentDescriptor) -> int:
    if kind.n != pickletools.UP_TO_NEWLINE:
        return int.from_bytes(argument, "little")
    try:
        return int(argument)
    except ValueError:
        raise DatasetError(f"an object with the number {argument!r}; it is damaged") from None
