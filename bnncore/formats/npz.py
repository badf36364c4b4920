"""The ``.npz`` parameter file: one file, no pickles, checked against its topology before it is read.

Members, each a ``.npy``:

* ``meta``: uint8, JSON text with ``format``, ``version``, ``topology`` and, optionally, ``classes`` and what is known
  of the training (``bnncore.formats.provenance``, since version 2);
* ``layer<n>.weights``: uint8 [outputs, ceil(fan_in * weight_bits / 8)], weight i of a row at bits
  [i * weight_bits, (i + 1) * weight_bits), lowest bit first; one-bit weights are 1 for +1 and 0 for -1,
  two-bit weights are two's complement;
* ``layer<n>.thresholds``: int32 [outputs, thresholds a neuron], absent where there are none.

Weights are in logical order: the file knows no folding, and fits every machine. See docs/reference/npz.md.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import field, frozen
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import MatrixStage, Topology, first_difference, matrix_stages

from bnncore.errors import ParameterError
from bnncore.files import read_limited
from bnncore.formats.archive import HEADER_LIMIT, Archive, open_archive
from bnncore.formats.classes import check_classes
from bnncore.formats.jsontext import parse_json
from bnncore.formats.provenance import Provenance, parse_provenance, provenance_content
from bnncore.plain_text import brief, shown, some
from bnncore.writing import write_atomically

__all__ = ["WEIGHTS", "NpzFile", "npz_bytes", "parse_npz", "read_npz", "write_npz"]

WEIGHTS = "weights.npz"

_FORMAT = "bnncore-parameters"
# Written; all up to it are read.
_VERSION = 2
_META_LIMIT = 2**20
_FILE_LIMIT = 2**29
_LIMIT_OF = "the limit for parameters"

# Bits of weights that are unpacked at a time.
_UNPACKED = 2**22


@frozen(kw_only=True, eq=False)
class NpzFile:
    """What a parameter file holds.

    Attributes:
        network: topology, weights and thresholds.
        classes: their names, if it has them.
        provenance: what it remembers of the training; nothing in files of version 1.
    """

    network: Network
    classes: tuple[str, ...] | None
    provenance: Provenance = field(factory=Provenance)


def read_npz(path: Path, topology: Topology | None = None) -> NpzFile:
    """Read a parameter file; see ``parse_npz``.

    Raises:
        ParameterError: naming the file, what was expected and what was found.
    """
    data = read_limited(path, _FILE_LIMIT, ParameterError, _LIMIT_OF)
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
        raise ParameterError(f"{where}: larger than {_FILE_LIMIT} bytes, {_LIMIT_OF}")
    with open_archive(data, where) as archive:
        return _read_archive(archive, topology)


def write_npz(
    path: Path,
    network: Network,
    classes: Sequence[str] | None = None,
    provenance: Provenance = Provenance(),  # noqa: B008  # frozen
) -> None:
    """Write a parameter file, as ``npz_bytes`` makes it; the same network gives the same bytes.

    It is written beside its final place and moved there at the end, so no half of one is ever left.
    """
    write_atomically(path, npz_bytes(network, classes, provenance))


def npz_bytes(
    network: Network,
    classes: Sequence[str] | None = None,
    provenance: Provenance = Provenance(),  # noqa: B008  # frozen
) -> bytes:
    """Return the bytes of a parameter file for a network.

    Args:
        network: topology, weights and thresholds.
        classes: their names, if they shall be in it.
        provenance: what is known of the training.

    Raises:
        ParameterError: if the classes do not fit the network.
    """
    topology = network.topology
    meta: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "topology": topology.to_dict()}
    if classes is not None:
        meta["classes"] = list(check_classes(classes, "classes", topology.outputs))
    meta |= provenance_content(provenance)
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


def _read_archive(archive: Archive, topology: Topology | None) -> NpzFile:
    where = archive.where
    if "meta" not in archive.names:
        raise ParameterError(
            f"{where}: expected a bnncore parameter file with a member 'meta', found {some(archive.names)}"
        )
    declared, classes, provenance = _read_meta(archive)
    if topology is not None and topology.digest != declared.digest:
        raise ParameterError(
            f"{where}: made for topology {declared.name!r}, which is not {topology.name!r}: "
            f"{first_difference(topology, declared)}"
        )
    topology = topology or declared
    if classes is not None:
        classes = check_classes(classes, f"{where}, classes", topology.outputs)
    matrices = matrix_stages(topology)
    expected = {name: spec for stage in matrices for name, spec in _members(stage, topology).items()}
    missing = sorted(set(expected) - set(archive.names))
    surplus = sorted(set(archive.names) - set(expected) - {"meta"})
    if missing or surplus:
        found = f"missing {some(missing)}" if missing else f"unexpected {some(surplus)}"
        raise ParameterError(f"{where}: {found}; expected the members of topology {topology.name!r}")
    for name, (shape, dtype) in expected.items():
        size = math.prod(shape) * np.dtype(dtype).itemsize
        archive.check_size(name, size, size + HEADER_LIMIT)
    layers = []
    for stage in matrices:
        arrays = {
            name: _checked_array(archive, name, shape, dtype)
            for name, (shape, dtype) in _members(stage, topology).items()
        }
        thresholds = arrays.get(f"layer{stage.number}.thresholds", np.zeros((stage.outputs, 0), np.int32))
        packed = arrays[f"layer{stage.number}.weights"]
        weights = _unpack(packed, stage.fan_in, topology.weight_bits, f"{where}, layer {stage.number}")
        layers.append(LayerParameters(weights=weights, thresholds=thresholds))
    return NpzFile(
        network=Network(topology=topology, layers=tuple(layers)), classes=classes, provenance=provenance
    )


def _members(stage: MatrixStage, topology: Topology) -> dict[str, tuple[tuple[int, int], str]]:
    """Return name, shape and dtype of the members of one layer."""
    row = -(-stage.fan_in * topology.weight_bits // 8)
    result = {f"layer{stage.number}.weights": ((stage.outputs, row), "|u1")}
    if stage.thresholds:
        result[f"layer{stage.number}.thresholds"] = ((stage.outputs, stage.thresholds), "<i4")
    return result


def _read_meta(archive: Archive) -> tuple[Topology, tuple[str, ...] | None, Provenance]:
    where = archive.where
    archive.check_size("meta", 0, _META_LIMIT)
    text = archive.array("meta")
    if text.dtype != np.uint8 or text.ndim != 1:
        raise ParameterError(
            f"{where}, member 'meta': expected uint8 text, found {text.dtype} {list(text.shape)}"
        )
    try:
        meta = parse_json(text.tobytes())
    except ValueError as error:
        raise ParameterError(f"{where}, member 'meta': expected JSON: {brief(error)}") from error
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        raise ParameterError(f"{where}, member 'meta': expected format {_FORMAT!r}")
    version = meta.get("version")
    if not isinstance(version, int) or not 1 <= version <= _VERSION:
        raise ParameterError(
            f"{where}: format version {shown(version)}, this bnncore reads 1 to {_VERSION}; "
            "a newer bnncore may read it"
        )
    classes = meta.get("classes")
    if classes is not None and not isinstance(classes, list):
        raise ParameterError(f"{where}, member 'meta': expected a list of classes")
    topology = meta.get("topology")
    if not isinstance(topology, dict):
        raise ParameterError(f"{where}, member 'meta': expected a topology")
    try:
        # Version 1 had no such keys; whoever put some in meant something else.
        provenance = parse_provenance(meta) if version > 1 else Provenance()
    except ValueError as error:
        raise ParameterError(f"{where}, member 'meta': {error}") from error
    return Topology.from_dict(topology), None if classes is None else tuple(classes), provenance


def _checked_array(archive: Archive, name: str, shape: tuple[int, int], dtype: str) -> npt.NDArray[Any]:
    array = archive.array(name)
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ParameterError(
            f"{archive.where}, member {name!r}: expected {np.dtype(dtype).name} {list(shape)}, "
            f"found {array.dtype} {list(array.shape)}"
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _pack(weights: npt.NDArray[np.int8], bits: int) -> npt.NDArray[np.uint8]:
    if bits == 1:
        return np.packbits(weights > 0, axis=1, bitorder="little")
    codes = weights.astype(np.uint8) & 3
    planes = np.stack([codes & 1, codes >> 1], axis=-1).reshape(len(weights), -1)
    return np.packbits(planes, axis=1, bitorder="little")


def _unpack(packed: npt.NDArray[np.uint8], fan_in: int, bits: int, where: str) -> npt.NDArray[np.int8]:
    used = fan_in * bits
    if used % 8 and (packed[:, -1] >> used % 8).any():
        raise ParameterError(f"{where}, weights: bits past the last of {fan_in} inputs are set; it is garbled")
    weights = np.empty((len(packed), fan_in), np.int8)
    # Some rows at a time: on the way a weight takes several bytes.
    step = max(1, _UNPACKED // used)
    for first in range(0, len(packed), step):
        unpacked = np.unpackbits(packed[first : first + step], axis=1, count=used, bitorder="little").view(
            np.int8
        )
        if bits == 1:
            weights[first : first + step] = 2 * unpacked - 1
        else:
            planes = unpacked.reshape(-1, fan_in, 2)
            weights[first : first + step] = planes[..., 0] - 2 * planes[..., 1]
    # Nobody else can write them, so a network need not copy them.
    weights.flags.writeable = False
    return weights
