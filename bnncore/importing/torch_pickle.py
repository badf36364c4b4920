"""What the pickle in a checkpoint of PyTorch says, told without running it.

A pickle is a program. Here it is read by an interpreter that knows of containers, text, numbers and tensors; any other
object becomes an ``Other``, which remembers its class's name and nothing else. No class is looked up and nothing is
called, so nothing in the file can act, and PyTorch need not be installed. Each instruction costs little memory and
time, and there is a limit on their number.

Source: ``pickletools`` of Python for the instructions, ``torch/serialization.py`` and ``torch/_utils.py`` of PyTorch
for what stands for storages and tensors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from attrs import frozen

from bnncore.errors import BnnError

__all__ = ["OLD_MARK", "DamagedPickle", "Name", "Other", "StorageRecord", "TensorRecord", "Told", "interpret"]

# The number at the beginning of a checkpoint of before PyTorch 1.6, a pickle by itself.
OLD_MARK = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

# A checkpoint of a thousand tensors and their optimizer takes some ten thousand.
_MOST_INSTRUCTIONS = 10**6
_MOST_DIMENSIONS = 32
_LONGEST_SIDE = 2**40
# Greater ones can be made to have one hash, all of them, and a dictionary of them to take for ever.
_MOST_INT_BYTES = 8
_MOST_DIGITS = 20


class DamagedPickle(BnnError):
    """A pickle, or what lies around it, that is cut short, garbled, or asks for too much."""


@frozen(eq=False)
class Name:
    """A class or function that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@frozen(eq=False)
class Other:
    """An object that is none of those known here.

    Attributes:
        kind: what made it, or None where the pickle does not say.
    """

    kind: Name | None

    def __str__(self) -> str:
        return f"an object of {self.kind}" if self.kind else "another object"


@frozen(eq=False)
class StorageRecord:
    """Numbers in a row, which lie elsewhere in the file.

    Attributes:
        kind: name of the storage's class, such as ``FloatStorage``.
        key: of its place.
        count: of numbers.
    """

    kind: str
    key: str
    count: int


@frozen(eq=False)
class TensorRecord:
    """A view of a storage; all numbers are whole, not negative, and of moderate size."""

    storage: StorageRecord
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@frozen(eq=False)
class Told:
    """What a pickle says.

    Attributes:
        value: dictionaries, lists, tuples, text, bytes, numbers, None, and the records of this module.
        end: position after its last byte.
        storages: all that are mentioned, by their keys.
    """

    value: Any
    end: int
    storages: dict[str, StorageRecord]


def interpret(data: bytes, start: int = 0) -> Told:
    """Return what a pickle says.

    Args:
        data: holds it, and perhaps more after it.
        start: where it begins.

    Raises:
        DamagedPickle: if it is no pickle, or has too many instructions.
    """
    machine = _Machine(data, start)
    try:
        value = machine.run()
        return Told(value, machine.position, machine.storages)
    # Values that are not there, or of another type than an instruction needs.
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise DamagedPickle("its pickle is damaged; fetch or save it again") from error


class _Machine:
    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self.position = start
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self.storages: dict[str, StorageRecord] = {}

    def run(self) -> Any:
        for _ in range(_MOST_INSTRUCTIONS):
            code = self._data[self.position]
            self.position += 1
            if code == 0x2E:
                return self._stack.pop()
            _INSTRUCTIONS[code](self)
        raise DamagedPickle(f"its pickle has more than {_MOST_INSTRUCTIONS} instructions")

    # What instructions are made of.

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
        self.push(Other(None))

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

    def line(self) -> str:
        end = self._data.index(b"\n", self.position)
        text = self._data[self.position : end].decode("utf-8", "replace")
        self.position = end + 1
        return text

    def decimal(self) -> str:
        text = self.line()
        if len(text) > _MOST_DIGITS:
            raise DamagedPickle(f"its pickle has a number of {len(text)} digits")
        return text.removesuffix("L")

    def long(self, size: int) -> int:
        if size > _MOST_INT_BYTES + 2:
            raise DamagedPickle(f"its pickle has a number of {size} bytes")
        return self.number(size, signed=True)

    def text(self, size: int) -> str:
        return self.take(size).decode("utf-8", "replace")

    def mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []

    def to_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._below.pop()
        return values

    def remember(self, place: int) -> None:
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
            target.update(_pairs(values))

    def push_tuple(self, size: int) -> None:
        if size > len(self._stack):
            raise DamagedPickle("its pickle is damaged; fetch or save it again")
        values = tuple(self._stack[len(self._stack) - size :])
        del self._stack[len(self._stack) - size :]
        self.push(values)

    def name_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        self.push(Name(str(module)[:200], str(name)[:200]) if _texts(module, name) else Other(None))

    def name_from_lines(self) -> Name:
        return Name(self.line()[:200], self.line()[:200])

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.push(_made(function, arguments))

    def make(self) -> None:
        values = self.to_mark()
        self.push(Other(values[0] if values and isinstance(values[0], Name) else None))

    def new(self, arguments: int) -> None:
        for _ in range(arguments):
            self.pop()
        kind = self.pop()
        self.push(Other(kind if isinstance(kind, Name) else None))

    def inst(self) -> None:
        name = self.name_from_lines()
        self.to_mark()
        self.push(Other(name))

    def persistent(self) -> None:
        storage = _storage(self.pop())
        if isinstance(storage, StorageRecord):
            self.storages[storage.key] = storage
        self.push(storage)

    def named_storage(self) -> None:
        self.line()
        self.push(Other(None))


def _texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return {_key(values[place]): values[place + 1] for place in range(0, len(values) - 1, 2)}


def _key(value: Any) -> Any:
    # Anything else might take for ever to hash; as a key it is not asked for.
    return value if isinstance(value, (str, bytes, int, float)) else Other(None)


def _made(function: Any, arguments: Any) -> Any:
    """Return what a call would, if it makes a tensor or a dictionary; nothing is called."""
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        return Other(function if isinstance(function, Name) else None)
    name = str(function)
    if name in _TENSORS:
        return _tensor(*arguments[:4])
    if name in _PARAMETERS and arguments:
        return arguments[0]
    if name == "torch._tensor._rebuild_from_type_v2" and len(arguments) > 2:
        # One level: a deeper one is nobody's.
        inner = arguments[0]
        return (
            _tensor(*arguments[2][:4]) if isinstance(inner, Name) and str(inner) in _TENSORS else Other(inner)
        )
    if name == "collections.OrderedDict":
        pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
        return _pairs([item for pair in pairs for item in pair[:2]])
    return Other(function)


_TENSORS = frozenset({"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"})
_PARAMETERS = frozenset({"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"})


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> TensorRecord | Other:
    sides = isinstance(shape, tuple) and isinstance(strides, tuple) and (offset, *shape, *strides)
    if not isinstance(storage, StorageRecord) or not sides:
        return Other(None)
    if len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS or not all(map(_moderate, sides)):
        raise DamagedPickle("it has a tensor of an impossible shape")
    return TensorRecord(storage, offset, shape, strides)


def _moderate(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= _LONGEST_SIDE


def _storage(identity: Any) -> StorageRecord | Other:
    # The sixth entry of old files says that it is a view of another storage.
    if not (isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage"):
        return Other(None)
    kind, key, _, count = identity[1:5]
    if not (isinstance(kind, Name) and isinstance(key, str) and _moderate(count)) or identity[5:] not in (
        (),
        (None,),
    ):
        return Other(None)
    return StorageRecord(kind.name, key, count)


_Handler = Callable[[_Machine], None]


def _skipping(size: int) -> _Handler:
    def handler(machine: _Machine) -> None:
        machine.take(size)

    return handler


def _pushing(value: Callable[[_Machine], Any]) -> _Handler:
    return lambda machine: machine.push(value(machine))


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
    ord("F"): _pushing(lambda m: float(m.line()[:40])),
    ord("G"): _pushing(lambda m: struct.unpack(">d", m.take(8))[0]),
    ord("S"): _pushing(lambda m: m.line().strip("'\"")),
    ord("T"): _pushing(lambda m: m.text(m.number(4))),
    ord("U"): _pushing(lambda m: m.text(m.number(1))),
    ord("V"): _pushing(lambda m: m.line()),
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
    ord("d"): _pushing(lambda m: _pairs(m.to_mark())),
    ord("s"): lambda m: m.fill_dict([m.pop(), m.pop()][::-1]),
    ord("u"): lambda m: m.fill_dict(m.to_mark()),
    0x8F: _pushing(lambda m: Other(None)),  # EMPTY_SET
    0x90: _Machine.drop_to_mark,  # ADDITEMS
    0x91: _Machine.frozen_set,
    ord("c"): _pushing(_Machine.name_from_lines),
    0x93: _Machine.name_from_stack,
    ord("R"): _Machine.reduce,
    ord("b"): _Machine.drop,  # BUILD: no object here has a state
    0x81: lambda m: m.new(1),
    0x92: lambda m: m.new(2),
    ord("o"): _Machine.make,
    ord("i"): _Machine.inst,
    ord("Q"): _Machine.persistent,
    ord("P"): _Machine.named_storage,
}
