"""Pickles read without being run: containers, text and numbers; what any other object becomes is a maker's to say.

A pickle is a program for a small machine, and Python's looks up any name in it and calls it. Of this one nothing is
known but what a maker gives it. Each instruction takes little memory and time, whatever the pickle says: Python's
in C makes room for any number that a pickle names, gigabytes for nine bytes, and hashes any key, for years where a
tuple holds one tuple twice, that another one, and so on.

Source: ``pickletools`` of Python.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Sequence
from typing import Any

from bnncore.errors import BnnError

__all__ = ["DamagedPickle", "Maker", "interpret"]

# Python before 3.11 takes the square of their number to convert decimal digits.
_MOST_DIGITS = 100
_MOST_INT_BYTES = 10
# Greater ones can be made to have one hash, all of them, and a dictionary of them to take for ever.
_MOST_KEY_BITS = 64
# Of the name of a class or a module.
_LONGEST_NAME = 200

_DAMAGED = "its pickle is damaged; fetch or save it again"


class DamagedPickle(BnnError):
    """A pickle, or what lies around it, that is cut short, garbled, or asks for too much."""


class Maker:
    """Says what the objects of a pickle become; what a method here returns is all that a pickle can reach."""

    encoding = "utf-8"
    """Of what Python 2 wrote as ``str``."""

    def named(self, module: str, name: str) -> Any:
        """Return what stands for a class or function that the pickle names."""
        raise NotImplementedError

    def called(self, function: Any, arguments: Any) -> Any:
        """Return what stands for the result of a call."""
        raise NotImplementedError

    def given_state(self, target: Any, state: Any) -> None:
        """Take note of an object's state."""
        raise NotImplementedError

    def other(self, kind: Any) -> Any:
        """Return what stands for an object that is made in another way, of a class as ``named`` returned it or None."""
        raise NotImplementedError

    def stored_elsewhere(self, identity: Any) -> Any:
        """Return what stands for an object that lies outside of the pickle."""
        raise NotImplementedError

    def pairs(self, values: Sequence[Any]) -> dict[Any, Any]:
        """Return a dictionary of keys and values that take turns."""
        return {self._key(values[place]): values[place + 1] for place in range(0, len(values) - 1, 2)}

    def _key(self, value: Any) -> Any:
        # Anything else might take for ever to hash.
        small = isinstance(value, int) and value.bit_length() <= _MOST_KEY_BITS
        return value if small or isinstance(value, (str, bytes, float)) else self.other(None)


def interpret(data: bytes, maker: Maker, start: int = 0, most: int | None = None) -> tuple[Any, int]:
    """Return what a pickle says, and the position after its last byte.

    Args:
        data: holds it, and perhaps more after it.
        maker: says what objects become.
        start: where it begins.
        most: instructions that it may have; None for as many as there are bytes.

    Raises:
        DamagedPickle: if it is no pickle, or has too many instructions.
    """
    machine = _Machine(data, maker, start)
    most = len(data) if most is None else most
    try:
        for _ in range(most):
            code = data[machine.position]
            machine.position += 1
            if code == _STOP:
                return machine.pop(), machine.position
            _INSTRUCTIONS[code](machine)
    except BnnError:
        raise
    # Values that are not there, or of another type than an instruction needs.
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise DamagedPickle(_DAMAGED) from error
    raise DamagedPickle(f"its pickle has more than {most} instructions")


class _Machine:
    def __init__(self, data: bytes, maker: Maker, start: int) -> None:
        self._data = data
        self.position = start
        self.maker = maker
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        return self._stack.pop()

    def drop(self) -> None:
        self._stack.pop()

    def drop_to_mark(self) -> None:
        self.to_mark()

    def frozen_set(self) -> None:
        self.to_mark()
        self.push(self.maker.other(None))

    def double(self) -> None:
        self.push(self._stack[-1])

    def take(self, count: int) -> bytes:
        piece = self._data[self.position : self.position + count]
        if len(piece) != count:
            raise DamagedPickle("its pickle is cut short; fetch or save it again")
        self.position += count
        return piece

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> bytes:
        end = self._data.index(b"\n", self.position)
        line = self._data[self.position : end]
        self.position = end + 1
        return line

    def decimal(self) -> bytes:
        digits = self.line()
        if len(digits) > _MOST_DIGITS:
            raise DamagedPickle(f"its pickle has a number of {len(digits)} digits")
        return digits.removesuffix(b"L")

    def long(self, size: int) -> int:
        if size > _MOST_INT_BYTES:
            raise DamagedPickle(f"its pickle has a number of {size} bytes")
        return self.number(size, signed=True)

    def text(self, size: int) -> str:
        return self.take(size).decode("utf-8", "surrogatepass")

    def old_text(self, size: int) -> str:
        return self.take(size).decode(self.maker.encoding)

    def quoted(self) -> str:
        line = self.line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise DamagedPickle(_DAMAGED)
        return codecs.escape_decode(line[1:-1])[0].decode(self.maker.encoding)

    def mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def to_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._below.pop()
        return values

    def remember(self, place: int) -> None:
        if place < 0:
            raise DamagedPickle(_DAMAGED)
        self._memo[place] = self._stack[-1]

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def recall(self, place: int) -> None:
        self.push(self._memo[place])

    def fill_list(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(values)

    def fill_dict(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, dict):
            target.update(self.maker.pairs(values))

    def push_tuple(self, size: int) -> None:
        if size > len(self._stack):
            raise DamagedPickle(_DAMAGED)
        values = tuple(self._stack[len(self._stack) - size :])
        del self._stack[len(self._stack) - size :]
        self.push(values)

    def name(self, module: str, name: str) -> Any:
        return self.maker.named(module[:_LONGEST_NAME], name[:_LONGEST_NAME])

    def name_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        self.push(self.name(module, name))

    def name_from_lines(self) -> Any:
        module, name = self.line(), self.line()
        return self.name(module.decode(), name.decode())

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(self.maker.called(function, arguments))

    def build(self) -> None:
        state = self.pop()
        self.maker.given_state(self._stack[-1], state)

    def make(self) -> None:
        values = self.to_mark()
        self.push(self.maker.other(values[0] if values else None))

    def new(self, arguments: int) -> None:
        for _ in range(arguments):
            self.pop()
        self.push(self.maker.other(self.pop()))

    def inst(self) -> None:
        kind = self.name_from_lines()
        self.to_mark()
        self.push(self.maker.other(kind))


_Handler = Callable[[_Machine], None]


def _skipping(size: int) -> _Handler:
    def handler(machine: _Machine) -> None:
        machine.take(size)

    return handler


def _pushing(value: Callable[[_Machine], Any]) -> _Handler:
    return lambda machine: machine.push(value(machine))


_STOP = ord(".")

# By their letters in ``pickletools``; those of protocols from 2 on have numbers.
_INSTRUCTIONS: dict[int, _Handler] = {
    0x80: _skipping(1),  # PROTO
    0x95: _skipping(8),  # FRAME
    ord("("): _Machine.mark,
    ord("0"): _Machine.drop,
    ord("1"): _Machine.drop_to_mark,
    ord("2"): _Machine.double,
    0x94: _Machine.memoize,
    ord("p"): lambda m: m.remember(int(m.decimal())),
    ord("q"): lambda m: m.remember(m.number(1)),
    ord("r"): lambda m: m.remember(m.number(4)),
    ord("g"): lambda m: m.recall(int(m.decimal())),
    ord("h"): lambda m: m.recall(m.number(1)),
    ord("j"): lambda m: m.recall(m.number(4)),
    ord("N"): _pushing(lambda m: None),
    0x88: _pushing(lambda m: True),
    0x89: _pushing(lambda m: False),
    ord("I"): _pushing(lambda m: int(m.decimal())),
    ord("J"): _pushing(lambda m: m.number(4, signed=True)),
    ord("K"): _pushing(lambda m: m.number(1)),
    ord("M"): _pushing(lambda m: m.number(2)),
    ord("L"): _pushing(lambda m: int(m.decimal())),
    0x8A: _pushing(lambda m: m.long(m.number(1))),
    0x8B: _pushing(lambda m: m.long(m.number(4))),
    ord("F"): _pushing(lambda m: float(m.decimal())),
    ord("G"): _pushing(lambda m: struct.unpack(">d", m.take(8))[0]),
    ord("S"): _pushing(_Machine.quoted),
    ord("T"): _pushing(lambda m: m.old_text(m.number(4))),
    ord("U"): _pushing(lambda m: m.old_text(m.number(1))),
    ord("V"): _pushing(lambda m: m.line().decode("raw-unicode-escape")),
    ord("X"): _pushing(lambda m: m.text(m.number(4))),
    0x8C: _pushing(lambda m: m.text(m.number(1))),
    0x8D: _pushing(lambda m: m.text(m.number(8))),
    ord("B"): _pushing(lambda m: m.take(m.number(4))),
    ord("C"): _pushing(lambda m: m.take(m.number(1))),
    0x8E: _pushing(lambda m: m.take(m.number(8))),
    0x96: _pushing(lambda m: m.take(m.number(8))),
    ord("]"): _pushing(lambda m: []),
    ord("l"): _pushing(_Machine.to_mark),
    ord("a"): lambda m: m.fill_list([m.pop()]),
    ord("e"): lambda m: m.fill_list(m.to_mark()),
    ord(")"): _pushing(lambda m: ()),
    ord("t"): _pushing(lambda m: tuple(m.to_mark())),
    0x85: lambda m: m.push_tuple(1),
    0x86: lambda m: m.push_tuple(2),
    0x87: lambda m: m.push_tuple(3),
    ord("}"): _pushing(lambda m: {}),
    ord("d"): _pushing(lambda m: m.maker.pairs(m.to_mark())),
    ord("s"): lambda m: m.fill_dict([m.pop(), m.pop()][::-1]),
    ord("u"): lambda m: m.fill_dict(m.to_mark()),
    0x8F: _pushing(lambda m: m.maker.other(None)),  # EMPTY_SET
    0x90: _Machine.drop_to_mark,  # ADDITEMS
    0x91: _Machine.frozen_set,
    ord("c"): _pushing(_Machine.name_from_lines),
    0x93: _Machine.name_from_stack,
    ord("R"): _Machine.reduce,
    ord("b"): _Machine.build,
    0x81: lambda m: m.new(1),
    0x92: lambda m: m.new(2),
    ord("o"): _Machine.make,
    ord("i"): _Machine.inst,
    ord("Q"): _pushing(lambda m: m.maker.stored_elsewhere(m.pop())),
    ord("P"): _pushing(lambda m: m.maker.stored_elsewhere(m.line())),
}
