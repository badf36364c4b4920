"""What the pickle in a checkpoint of PyTorch says, told without running it.

Storages and tensors become records; any other object becomes an ``Other``, which remembers its class's name and nothing
else. No class is looked up and nothing is called, so nothing in the file can act, and PyTorch need not be installed.

Source: ``torch/serialization.py`` and ``torch/_utils.py`` of PyTorch.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from bnncore.formats.pickle_machine import DamagedPickle, Maker
from bnncore.formats.pickle_machine import interpret as interpret_pickle

__all__ = ["OLD_MARK", "Name", "Other", "StorageRecord", "TensorRecord", "Told", "interpret"]

# The number at the beginning of a checkpoint of before PyTorch 1.6, a pickle by itself.
OLD_MARK = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

# A checkpoint of a thousand tensors and their optimizer takes some ten thousand.
_MOST_INSTRUCTIONS = 10**6
_MOST_DIMENSIONS = 32
_LONGEST_SIDE = 2**40


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
    maker = _Maker()
    value, end = interpret_pickle(data, maker, start, _MOST_INSTRUCTIONS)
    return Told(value, end, maker.storages)


class _Maker(Maker):
    def __init__(self) -> None:
        self.storages: dict[str, StorageRecord] = {}

    def named(self, module: str, name: str) -> Name:
        return Name(module, name)

    def called(self, function: Any, arguments: Any) -> Any:
        return _made(self, function, arguments)

    def given_state(self, target: Any, state: Any) -> None:
        # No object here has one.
        pass

    def other(self, kind: Any) -> Other:
        return Other(kind if isinstance(kind, Name) else None)

    def stored_elsewhere(self, identity: Any) -> StorageRecord | Other:
        storage = _storage(identity)
        if isinstance(storage, StorageRecord):
            self.storages[storage.key] = storage
        return storage


def _made(maker: Maker, function: Any, arguments: Any) -> Any:
    """Return what a call would, if it makes a tensor or a dictionary; nothing is called."""
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        return maker.other(function)
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
        return maker.pairs([item for pair in pairs for item in pair[:2]])
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
