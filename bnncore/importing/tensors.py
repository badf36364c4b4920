"""Files of named tensors: PyTorch's checkpoints, old and new, and safetensors; read within bounds, without PyTorch.

What a tensor's header says of its size is held against the bytes that are there before anything is made of it: a
view may show one stored number a thousand million times.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bnncore.errors import BnnError
from bnncore.files import read_limited
from bnncore.formats.archive import open_archive
from bnncore.formats.pickle_machine import DamagedPickle
from bnncore.importing.chain import ImportRefused
from bnncore.importing.recognition import MOST_BYTES, recognise
from bnncore.importing.state_dicts import find_state
from bnncore.importing.torch_pickle import (
    OLD_MARK,
    Other,
    StorageRecord,
    TensorRecord,
    Told,
    interpret,
)
from bnncore.plain_text import shown

__all__ = ["read_checkpoint", "read_safetensors"]

Array = npt.NDArray[Any]

_PICKLE_LIMIT = 2**24
_HEADER_LIMIT = 2**22
# Of all tensors together, for each number that is stored: some layers share their weights.
_SHARED = 2

# Names of PyTorch's storages and of safetensors' types; bfloat16 are the upper halves of float32.
_BFLOAT16 = "bfloat16"
_TYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "BF16": _BFLOAT16,
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "u1",
}


def read_checkpoint(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Return the state dict in a file that PyTorch wrote; see ``state_dicts.find_state`` for where it may be.

    Nothing in the file is run, and PyTorch is not needed. Both formats are read: the zip archive, and what PyTorch
    wrote before version 1.6.

    Returns:
        float64 arrays, which hold the exact values of all narrower types.

    Raises:
        BnnError: if the file cannot be read, is damaged, or holds no state dict.
        ImportRefused: if an entry is no plain tensor of real numbers, or claims more numbers than are stored.
    """
    data = read_limited(path, MOST_BYTES, BnnError, "the limit for a checkpoint")
    with _saying(path):
        if data.startswith(b"PK"):
            content, folder, order = _pickle_of(data, path)
            tensors = _tensors(content)
            return _arrays(tensors, _pieces_of(data, path, folder, tensors), order)
        if OLD_MARK not in data[:32]:
            raise DamagedPickle(_expected(path))
        told = _old_pickle(data)
        return _arrays(_tensors(told.value), _old_pieces(data, told), "<")


def read_safetensors(path: Path) -> dict[str, npt.NDArray[np.float64]]:
    """Return the tensors of a file in the format safetensors.

    Source: the format's description in https://github.com/huggingface/safetensors. A length of 8 bytes, so much JSON
    of names, types, shapes and places, then the numbers, little-endian.

    Raises:
        BnnError: if the file cannot be read, or is damaged.
        ImportRefused: if an entry is no tensor of real numbers.
    """
    data = read_limited(path, MOST_BYTES, BnnError, "the limit for a checkpoint")
    with _saying(path):
        size = int.from_bytes(data[:8], "little")
        if not 0 < size <= min(_HEADER_LIMIT, len(data) - 8):
            raise DamagedPickle(f"expected tensors in the format safetensors, found a header of {size} bytes")
        try:
            header = json.loads(data[8 : 8 + size])
            entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
            tensors, pieces = {}, {}
            left = len(data) - 8 - size
            for name, entry in entries.items():
                first, end = entry["data_offsets"]
                if not 0 <= first <= end <= len(data) - 8 - size:
                    raise ValueError("beyond the end")
                left -= end - first
                if left < 0:
                    raise ValueError("several tensors in one place")
                shape = tuple(entry["shape"])
                if not all(isinstance(side, int) and 0 <= side < 2**40 for side in shape):
                    raise ValueError("no shape")
                tensors[name] = TensorRecord(
                    StorageRecord(str(entry["dtype"]), name, math.prod(shape)), 0, shape, _strides(shape)
                )
                pieces[name] = data[8 + size + first : 8 + size + end]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedPickle("its header is damaged; fetch or save it again") from error
        return _arrays(tensors, pieces, "<")


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[place + 1 :]) for place in range(len(shape)))


@contextmanager
def _saying(path: Path) -> Iterator[None]:
    """Name the file in what is refused."""
    try:
        yield
    except ImportRefused as error:
        raise ImportRefused(f"{path}: {error}") from error
    except DamagedPickle as error:
        raise BnnError(f"{path}: {error}") from error


def _expected(path: Path) -> str:
    kind = recognise(path)
    found = f"found {kind.name}: {kind.way.format(path=path)}" if kind else "found none; fetch or save it again"
    return f"expected a checkpoint of PyTorch, {found}"


def _pickle_of(data: bytes, path: Path) -> tuple[Any, str, str]:
    """Return what the pickle in an archive holds, the folder that it lies in, and the order of bytes."""
    with open_archive(data, str(path)) as archive:
        pickles = [name for name in archive.names if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) == 1:
            folder = pickles[0].removesuffix("data.pkl")
            archive.check_size(pickles[0], 0, _PICKLE_LIMIT)
            order = f"{folder}byteorder"
            big = order in archive.names and archive.content(order) == b"big"
            return interpret(archive.content(pickles[0])).value, folder, ">" if big else "<"
    raise DamagedPickle(_expected(path))


def _pieces_of(data: bytes, path: Path, folder: str, tensors: Mapping[str, TensorRecord]) -> dict[str, bytes]:
    pieces: dict[str, bytes] = {}
    with open_archive(data, str(path)) as archive:
        for tensor in tensors.values():
            key = tensor.storage.key
            name = f"{folder}data/{key}"
            if name not in archive.names:
                raise DamagedPickle(f"the numbers {shown(name)} are missing; fetch or save it again")
            if key not in pieces:
                pieces[key] = archive.content(name)
    return pieces


def _old_pickle(data: bytes) -> Told:
    """Return what a file of before version 1.6 says; its list of storages begins at the end."""
    # A mark, a version and the machine's sizes come first, a pickle each.
    told = interpret(data)
    for _ in range(3):
        told = interpret(data, told.end)
    return told


def _old_pieces(data: bytes, told: Told) -> dict[str, bytes]:
    listed = interpret(data, told.end)
    keys, position = listed.value, listed.end
    if not isinstance(keys, list) or {key for key in keys if isinstance(key, str)} != set(told.storages):
        raise DamagedPickle("its list of storages is damaged; fetch or save it again")
    pieces: dict[str, bytes] = {}
    for key in keys:
        storage = told.storages[key]
        count = int.from_bytes(data[position : position + 8], "little")
        if count != storage.count:
            raise DamagedPickle("its storages have other sizes than its tensors say; fetch or save it again")
        position += 8
        # Of a width that is not known, nothing that follows can be found, and all is missing.
        end = position + count * _size(storage.kind)
        pieces[key] = data[position:end]
        position = end
    return pieces


def _tensors(content: Any) -> dict[str, TensorRecord]:
    """Return the tensors of the state dict, or say why it has none."""
    if isinstance(content, Other) and content.kind is not None:
        raise ImportRefused(
            f"expected a state dict: names and tensors, found an object of {shown(str(content.kind))}, which is not "
            "opened; in Python, save its parameters: torch.save(model.state_dict(), 'state.pth')"
        )
    state = find_state(content, _is_tensor)
    for name, value in state.items():
        if not isinstance(name, str):
            raise ImportRefused(f"expected the names of tensors as keys, found {shown(name)}")
        if not isinstance(value, TensorRecord):
            raise ImportRefused(
                f"the entry {shown(name)}: expected a plain tensor of real numbers, found {value}"
            )
    return dict(state)


def _is_tensor(value: Any) -> bool:
    """Whether it is a tensor, of whatever kind."""
    return isinstance(value, TensorRecord) or (
        isinstance(value, Other) and value.kind is not None and value.kind.module == "torch._utils"
    )


def _size(kind: str) -> int:
    code = _TYPES.get(kind)
    return 0 if code is None else 2 if code == _BFLOAT16 else int(code[1:])


def _arrays(
    tensors: Mapping[str, TensorRecord], pieces: Mapping[str, bytes], order: str
) -> dict[str, npt.NDArray[np.float64]]:
    storages = {tensor.storage.key: tensor.storage.count for tensor in tensors.values()}
    left = _SHARED * sum(storages.values())
    arrays = {}
    for name, tensor in tensors.items():
        where, stored = f"the entry {shown(name)}", tensor.storage
        if "Complex" in stored.kind or stored.kind.startswith("C6"):
            raise ImportRefused(f"{where}: expected real numbers, found complex ones")
        size, piece = _size(stored.kind), pieces[stored.key]
        if not size:
            raise ImportRefused(
                f"{where}: expected a plain tensor of real numbers, found one of {stored.kind[:60]}"
            )
        if len(piece) != size * stored.count:
            raise ImportRefused(f"{where}: expected {size * stored.count} bytes, found {len(piece)}")
        count = math.prod(tensor.shape)
        furthest = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides))
        if count and (count > stored.count or furthest >= stored.count):
            raise ImportRefused(
                f"{where}: it claims {count} numbers, of {stored.count} that are stored; expected a tensor with its own"
            )
        left -= count
        if left < 0:
            raise ImportRefused("its tensors claim many times the numbers that are stored")
        arrays[name] = _array(tensor, piece, order) if count else np.zeros(tensor.shape)
    return arrays


def _array(tensor: TensorRecord, piece: bytes, order: str) -> npt.NDArray[np.float64]:
    code = _TYPES[tensor.storage.kind]
    row: Array
    if code == _BFLOAT16:
        row = (np.frombuffer(piece, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
    else:
        row = np.frombuffer(piece, f"{order}{code}")
    strides = tuple(step * row.itemsize for step in tensor.strides)
    view = np.lib.stride_tricks.as_strided(row[tensor.offset :], tensor.shape, strides, writeable=False)
    return view.astype(np.float64, order="C")
