"""The binparam directory of BNN-PYNQ, read and written exactly.

The format: docs/reference/bnn-pynq-parameters.md.

``<layer>-<pe>-weights.bin`` and ``<layer>-<pe>-thres.bin`` for every layer and memory (PE), headerless
arrays of 64-bit little-endian words whose order follows from the accelerator's folding, and ``classes.txt``.
The format has no header or checksum, so everything that can be checked is: names, sizes, and that no
bits are set where the format has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bnnhw.folding import FoldedLayer, fold, folded_fan_in, stored_bits, unfold
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Folding, FoldingLayer, MatrixStage, Topology, matrix_stages

from bnncore.errors import ParameterError
from bnncore.files import read_limited
from bnncore.formats.classes import CLASSES, check_classes, classes_bytes, read_classes
from bnncore.plain_text import some
from bnncore.spelling import argument
from bnncore.writing import new_folder

__all__ = ["read_binparam", "write_binparam"]

_WORD = np.dtype("<u8")


def read_binparam(
    directory: Path, topology: Topology, folding: Folding, classes: Sequence[str] | None = None
) -> tuple[Network, tuple[str, ...]]:
    """Read a binparam directory.

    A last layer that holds only the rows its classes need (whole folds, all memories alike) is
    accepted, as in two sets of BNN-PYNQ; its missing words are 0, as in the accelerator. Threshold files of
    a last layer without thresholds are ignored, as BNN-PYNQ never opens them.

    Args:
        directory: holds the files.
        topology: of the accelerator that the directory was written for.
        folding: of that accelerator.
        classes: names to use instead of ``classes.txt``.

    Returns:
        The network and its class names.

    Raises:
        ParameterError: naming the file, what was expected and what was found. Every file's name and size
            is checked before any is used.
    """
    folding.check(topology)
    if not directory.is_dir():
        raise ParameterError(f"{directory}: expected a binparam directory, found none there")
    if classes is None:
        names = read_classes(directory / CLASSES, topology.outputs)
    else:
        names = check_classes(classes, "classes", topology.outputs)
    matrices = matrix_stages(topology)
    _check_names(directory, topology, folding)
    rows = [
        _check_sizes(directory, stage, layer, topology.weight_bits, names if stage is matrices[-1] else None)
        for stage, layer in zip(matrices, folding.layers)
    ]
    layers = [
        _read_layer(directory, stage, layer, topology.weight_bits, folds)
        for stage, layer, folds in zip(matrices, folding.layers, rows)
    ]
    return Network(topology=topology, layers=tuple(layers)), names


def write_binparam(directory: Path, network: Network, folding: Folding, classes: Sequence[str]) -> None:
    """Write a binparam directory that BNN-PYNQ can load.

    The directory is written beside its final place and moved there at the end, so that no half of one
    is ever left.

    Raises:
        ParameterError: if the directory exists already, or the classes do not fit.
        NetworkError: if a threshold does not fit the accelerator.
    """
    topology = network.topology
    folding.check(topology)
    names = check_classes(classes, "classes", topology.outputs)
    if directory.exists():
        raise ParameterError(f"{directory}: exists already; choose a new directory or remove it first")
    folded = [
        fold(stage, layer, topology.weight_bits, parameters)
        for stage, layer, parameters in zip(matrix_stages(topology), folding.layers, network.layers)
    ]
    with new_folder(directory) as target:
        for number, words in enumerate(folded):
            for pe in range(len(words.weights)):
                weights = words.weights[pe].astype(_WORD)
                (target / f"{number}-{pe}-weights.bin").write_bytes(weights.tobytes())
                thresholds = words.thresholds[pe].astype("<i8")
                if thresholds.size:
                    (target / f"{number}-{pe}-thres.bin").write_bytes(thresholds.tobytes())
        (target / CLASSES).write_bytes(classes_bytes(names))


def _files(stage: MatrixStage, layer: FoldingLayer, what: str) -> list[str]:
    return [f"{stage.number}-{pe}-{what}.bin" for pe in range(layer.pe)]


def _check_names(directory: Path, topology: Topology, folding: Folding) -> None:
    """Refuse missing and unexpected ``.bin`` files: a misnamed one shows as both."""
    expected: set[str] = set()
    ignored: set[str] = set()
    for stage, layer in zip(matrix_stages(topology), folding.layers):
        expected.update(_files(stage, layer, "weights"))
        (expected if stage.thresholds else ignored).update(_files(stage, layer, "thres"))
    found = {path.name for path in directory.iterdir() if path.name.lower().endswith(".bin")}
    missing, surplus = sorted(expected - found), sorted(found - expected - ignored)
    if missing or surplus:
        parts = []
        if missing:
            parts.append(f"missing {some(missing)}")
        if surplus:
            parts.append(f"unexpected {some(surplus)}")
        raise ParameterError(
            f"{directory}: {' and '.join(parts)}; expected the {len(expected)} files of topology "
            f"{topology.name!r}. If the set is of another topology, name it with {argument('topology')}"
        )


def _check_sizes(
    directory: Path, stage: MatrixStage, layer: FoldingLayer, weight_bits: int, classes: Sequence[str] | None
) -> int:
    """Return how many folds (rows of a memory) the layer's files hold, all of them alike."""
    folds = stage.outputs // layer.pe
    allowed = [folds]
    if classes is not None and -(-len(classes) // layer.pe) < folds:
        allowed.append(-(-len(classes) // layer.pe))
    words = folded_fan_in(stage, layer) // layer.simd
    first: tuple[str, int] | None = None
    for what, per_fold in (("weights", words), ("thres", stage.thresholds)):
        if not per_fold:
            continue
        for name in _files(stage, layer, what):
            path = directory / name
            if not path.is_file():
                raise ParameterError(f"{path}: expected a file, found something else")
            size = path.stat().st_size
            sizes = [8 * per_fold * count for count in allowed]
            if size not in sizes:
                expected = " or ".join(str(each) for each in sizes)
                kind = "truncated" if size < sizes[0] else "too long"
                raise ParameterError(f"{path}: expected {expected} bytes, found {size}; the file is {kind}")
            count = size // (8 * per_fold)
            if first is None:
                first = (name, count)
            elif count != first[1]:
                raise ParameterError(
                    f"{path}: holds {count} rows, but {first[0]} holds {first[1]}; one of them is truncated"
                )
    assert first is not None
    return first[1]


def _read_layer(
    directory: Path, stage: MatrixStage, layer: FoldingLayer, weight_bits: int, folds: int
) -> LayerParameters:
    words = folded_fan_in(stage, layer) // layer.simd
    all_folds = stage.outputs // layer.pe
    weights = np.zeros((layer.pe, all_folds * words), np.uint64)
    thresholds = np.zeros((layer.pe, all_folds, stage.thresholds), np.int64)
    for pe in range(layer.pe):
        path = directory / f"{stage.number}-{pe}-weights.bin"
        weights[pe, : folds * words] = _read_words(path, folds * words)
        if stage.thresholds:
            path = directory / f"{stage.number}-{pe}-thres.bin"
            given = _read_words(path, folds * stage.thresholds).astype(np.int64)
            _check_thresholds(path, given, stored_bits(stage))
            thresholds[pe, :folds] = given.reshape(folds, stage.thresholds)
    used = layer.simd * weight_bits
    if used < 64:
        beyond = np.argwhere(weights >> np.uint64(used))
        if len(beyond):
            pe, word = beyond[0]
            raise ParameterError(
                f"{directory / f'{stage.number}-{pe}-weights.bin'}: word {word} is "
                f"{int(weights[pe, word]):#x}, expected only the low {used} bits to be used; "
                "the file is garbled or of another network"
            )
    return unfold(stage, layer, weight_bits, FoldedLayer(weights=weights, thresholds=thresholds))


def _read_words(path: Path, count: int) -> npt.NDArray[np.uint64]:
    data = read_limited(path, 8 * count, ParameterError, "though it was not before; it changed while read")
    if len(data) != 8 * count:
        raise ParameterError(f"{path}: expected {8 * count} bytes, found {len(data)}; it changed while read")
    return np.frombuffer(data, _WORD).astype(np.uint64)


def _check_thresholds(path: Path, given: npt.NDArray[np.int64], bits: int) -> None:
    """Allow what fits the accelerator's width, read as signed or (chars_merged) as unsigned."""
    low, high = -(1 << (bits - 1)), (1 << bits) - 1
    outside = (given < low) | (given > high)
    if outside.any():
        word = int(outside.argmax())
        raise ParameterError(
            f"{path}: threshold {word} is {int(given[word])}, expected {low} to {high}; the file is garbled or "
            "of another network"
        )
