"""The ``.npz`` parameter file: one file, no pickles, checked against its topology before it is read.

Members, each a ``.npy``:

* ``meta``: uint8, JSON text with ``format``, ``version``, ``topology`` and, optionally, ``classes``;
* ``layer<n>.weights``: uint8 [outputs, ceil(fan_in * weight_bits / 8)], weight i of a row at bits
  [i * weight_bits, (i + 1) * weight_bits), lowest bit first; one-bit weights are 1 for +1 and 0 for -1,
  two-bit weights are two's complement;
* ``layer<n>.thresholds``: int32 [outputs, thresholds a neuron], absent where there are none.

Weights are in logical order: the file knows no folding, and fits every machine.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import MatrixStage, Topology, first_difference, matrix_stages

from bnncore.errors import BnnError, ParameterError
from bnncore.files import write_atomically
from bnncore.formats.classes import check_classes

__all__ = ["NpzFile", "npz_bytes", "parse_npz", "read_npz", "write_npz"]

_FORMAT = "bnncore-parameters"
_VERSION = 1
_META_LIMIT = 2**20
# A .npy header of ours takes 128 bytes; other writers may align differently.
_HEADER_LIMIT = 1024
_FILE_LIMIT = 2**29


@frozen(kw_only=True, eq=False)
class NpzFile:
    """What a parameter file holds: the network and, if it names them, the classes."""

    network: Network
    classes: tuple[str, ...] | None


def read_npz(path: Path, topology: Topology | None = None) -> NpzFile:
    """Read a parameter file; see ``parse_npz``.

    Raises:
        ParameterError: naming the file, what was expected and what was found.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse_npz(data, str(path), topology)


def parse_npz(data: bytes, where: str, topology: Topology | None = None) -> NpzFile:
    """Parse the bytes of a parameter file; ``where`` names it in errors.

    Every member's name, size, shape and dtype is checked against the topology before any data is
    read, so a decompression bomb or a pickle is refused unopened.

    Args:
        data: the whole file.
        where: for error messages.
        topology: the shapes to expect; without it, those that the file declares.

    Raises:
        ParameterError: naming the member, what was expected and what was found; if the file is for
            another topology, the first layer that differs.
    """
    if len(data) > _FILE_LIMIT:
        raise ParameterError(f"{where}: larger than {_FILE_LIMIT} bytes, the limit for parameters")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read_archive(archive, where, topology)
    except ParameterError:
        raise
    except BnnError as error:
        raise ParameterError(f"{where}: {error}") from error
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ParameterError(f"{where}: expected a whole .npz file: {error}") from error
    # zlib.error, EOFError, NotImplementedError (exotic compression), RuntimeError (encrypted), …
    except Exception as error:
        raise ParameterError(f"{where}: cannot be unpacked: {type(error).__name__}: {error}") from error


def write_npz(path: Path, network: Network, classes: Sequence[str] | None = None) -> None:
    """Write a parameter file; the same network gives the same bytes.

    It is written beside its final place and moved there at the end, so no half of one is ever left.
    """
    write_atomically(path, npz_bytes(network, classes))


def npz_bytes(network: Network, classes: Sequence[str] | None = None) -> bytes:
    """Return the bytes of a parameter file for a network.

    Raises:
        ParameterError: if the classes do not fit the network.
    """
    topology = network.topology
    meta: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "topology": topology.to_dict()}
    if classes is not None:
        meta["classes"] = list(check_classes(classes, "classes", topology.outputs))
    arrays: dict[str, npt.NDArray[Any]] = {
        "meta": np.frombuffer(json.dumps(meta, ensure_ascii=False).encode(), np.uint8)
    }
    for number, layer in enumerate(network.layers):
        arrays[f"layer{number}.weights"] = _pack(layer.weights, topology.weight_bits)
        if layer.thresholds.size:
            arrays[f"layer{number}.thresholds"] = layer.thresholds
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # allow_pickle is no array
    return buffer.getvalue()


def _read_archive(archive: zipfile.ZipFile, where: str, topology: Topology | None) -> NpzFile:
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename in members:
            raise ParameterError(f"{where}: member {info.filename!r} occurs twice")
        members[info.filename] = info
    if "meta.npy" not in members:
        raise ParameterError(
            f"{where}: expected a bnncore parameter file with a member 'meta', found {_some(sorted(members))}"
        )
    declared, classes = _read_meta(archive, members["meta.npy"], where)
    if topology is not None and topology.digest != declared.digest:
        raise ParameterError(
            f"{where}: made for topology {declared.name!r}, which is not {topology.name!r}: "
            f"{first_difference(topology, declared)}"
        )
    topology = topology or declared
    if classes is not None:
        classes = check_classes(classes, f"{where}, classes", topology.outputs)
    matrices = matrix_stages(topology)
    expected = {f"{name}.npy": spec for stage in matrices for name, spec in _members(stage, topology).items()}
    missing = sorted(set(expected) - set(members))
    surplus = sorted(set(members) - set(expected) - {"meta.npy"})
    if missing or surplus:
        found = f"missing {_some(missing)}" if missing else f"unexpected {_some(surplus)}"
        raise ParameterError(f"{where}: {found}; expected the members of topology {topology.name!r}")
    for name, (shape, dtype) in expected.items():
        _check_size(members[name], where, int(np.prod(shape)) * np.dtype(dtype).itemsize)
    layers = []
    for stage in matrices:
        arrays = {
            name: _read_member(archive, members[f"{name}.npy"], where, shape, dtype)
            for name, (shape, dtype) in _members(stage, topology).items()
        }
        thresholds = arrays.get(f"layer{stage.number}.thresholds", np.zeros((stage.outputs, 0), np.int32))
        packed = arrays[f"layer{stage.number}.weights"]
        weights = _unpack(packed, stage.fan_in, topology.weight_bits, f"{where}, layer {stage.number}")
        layers.append(LayerParameters(weights=weights, thresholds=thresholds))
    return NpzFile(network=Network(topology=topology, layers=tuple(layers)), classes=classes)


def _members(stage: MatrixStage, topology: Topology) -> dict[str, tuple[tuple[int, int], str]]:
    """Return name, shape and dtype of the members of one layer."""
    row = -(-stage.fan_in * topology.weight_bits // 8)
    result = {f"layer{stage.number}.weights": ((stage.outputs, row), "|u1")}
    if stage.thresholds:
        result[f"layer{stage.number}.thresholds"] = ((stage.outputs, stage.thresholds), "<i4")
    return result


def _read_meta(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str
) -> tuple[Topology, tuple[str, ...] | None]:
    _check_size(info, where, None)
    data = _unpacked(archive, info, where)
    shape, dtype, body = _npy(data, f"{where}, member 'meta'")
    if dtype != np.uint8 or shape != (len(body),):
        raise ParameterError(f"{where}, member 'meta': expected uint8 text, found {dtype} {list(shape)}")
    try:
        meta = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ParameterError(f"{where}, member 'meta': expected JSON: {error}") from error
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        raise ParameterError(f"{where}, member 'meta': expected format {_FORMAT!r}")
    if meta.get("version") != _VERSION:
        raise ParameterError(
            f"{where}: format version {meta.get('version')!r}, this bnncore reads {_VERSION}; "
            "a newer bnncore may read it"
        )
    classes = meta.get("classes")
    if classes is not None and not isinstance(classes, list):
        raise ParameterError(f"{where}, member 'meta': expected a list of classes")
    topology = meta.get("topology")
    if not isinstance(topology, dict):
        raise ParameterError(f"{where}, member 'meta': expected a topology")
    return Topology.from_dict(topology), None if classes is None else tuple(classes)


def _check_size(info: zipfile.ZipInfo, where: str, size: int | None) -> None:
    """Refuse a member by its declared size, past which ``_unpacked`` does not read."""
    if size is None:
        low, high = 0, _META_LIMIT
    else:
        low, high = size, size + _HEADER_LIMIT
    if not low <= info.file_size <= high:
        raise ParameterError(
            f"{where}, member {info.filename!r}: expected {low} to {high} bytes, found {info.file_size}"
        )


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> bytes:
    """Return a member's bytes, never more than it declares; its CRC is checked at the end."""
    # zipfile unpacks bzip2 and LZMA without a bound, and deflate as well unless it is told how much.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ParameterError(
            f"{where}, member {info.filename!r}: expected stored or deflated data, "
            f"found zip compression {info.compress_type}"
        )
    with archive.open(info) as file:
        data = file.read(info.file_size)
    if len(data) != info.file_size:
        raise ParameterError(
            f"{where}, member {info.filename!r}: expected {info.file_size} bytes, found {len(data)}"
        )
    return data


def _read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, shape: tuple[int, int], dtype: str
) -> npt.NDArray[Any]:
    data = _unpacked(archive, info, where)
    where = f"{where}, member {info.filename!r}"
    found_shape, found_dtype, body = _npy(data, where)
    if found_shape != shape or found_dtype != np.dtype(dtype):
        raise ParameterError(
            f"{where}: expected {np.dtype(dtype).name} {list(shape)}, found {found_dtype} {list(found_shape)}"
        )
    if len(body) != int(np.prod(shape)) * np.dtype(dtype).itemsize:
        raise ParameterError(f"{where}: the data do not have the size that the header declares")
    return np.frombuffer(body, dtype).reshape(shape).astype(np.dtype(dtype).newbyteorder("="))


def _npy(data: bytes, where: str) -> tuple[tuple[int, ...], np.dtype[Any], bytes]:
    """Split a ``.npy`` into shape, dtype and data; never unpickles."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"version {version[0]}.{version[1]} of the format, not 1.0")
        # The header is evaluated as a Python literal, and old numpy takes one of any length.
        if int.from_bytes(data[8:10], "little") > _HEADER_LIMIT:
            raise ValueError(f"a header of more than {_HEADER_LIMIT} bytes")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    # Beside ValueError, numpy lets through what Python's parser raises: TokenError, RecursionError, …
    except Exception as error:
        raise ParameterError(f"{where}: expected a .npy array: {error}") from error
    if dtype.hasobject or (fortran and len(shape) > 1):
        raise ParameterError(f"{where}: expected plain numbers in C order, found {dtype}")
    return shape, dtype, data[stream.tell() :]


def _pack(weights: npt.NDArray[np.int8], bits: int) -> npt.NDArray[np.uint8]:
    if bits == 1:
        return np.packbits(weights > 0, axis=1, bitorder="little")
    codes = weights.astype(np.uint8) & 3
    planes = np.stack([codes & 1, codes >> 1], axis=-1).reshape(len(weights), -1)
    return np.packbits(planes, axis=1, bitorder="little")


def _unpack(packed: npt.NDArray[np.uint8], fan_in: int, bits: int, where: str) -> npt.NDArray[np.int8]:
    unpacked = np.unpackbits(packed, axis=1, bitorder="little").astype(np.int8)
    if unpacked[:, fan_in * bits :].any():
        raise ParameterError(f"{where}, weights: bits past the last of {fan_in} inputs are set; it is garbled")
    unpacked = unpacked[:, : fan_in * bits]
    if bits == 1:
        return 2 * unpacked - 1
    planes = unpacked.reshape(len(packed), fan_in, 2)
    return planes[..., 0] - 2 * planes[..., 1]


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3]) or "nothing"
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
