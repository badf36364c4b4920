"""Any file of a trained network, by its content: ``bnncore import`` in one function."""

from __future__ import annotations

from pathlib import Path

from bnnhw.network import Network
from bnnhw.topology import Topology

from bnncore.errors import BnnError
from bnncore.importing.chain import ImportRefused
from bnncore.importing.lasagne import Pooling
from bnncore.importing.precision import PRECISIONS, precision_in_name
from bnncore.importing.recognition import recognise
from bnncore.spelling import argument

__all__ = ["PrecisionMissing", "read_trained"]


class PrecisionMissing(ImportRefused):
    """A file that does not say its bit widths, nor does its name, nor the caller."""


def read_trained(
    path: Path,
    precision: str | None = None,
    topology: Topology | None = None,
    *,
    pooling: Pooling = "sums",
) -> Network:
    """Return the integer network that decides as a trained one does.

    Args:
        path: a QONNX graph, a checkpoint of PyTorch or safetensors of Brevitas' models, or an ``.npz`` of Lasagne's
            parameters, told apart by their content.
        precision: ``W1A1``, ``W1A2`` or ``W2A2``; without it, that of the topology or the file's name. A QONNX
            graph says it itself.
        topology: of Lasagne's parameters, which do not say theirs.
        pooling: of Lasagne's parameters; see ``lasagne.from_arrays``.

    Raises:
        BnnError: if the file is of another kind, or cannot be read; the message says what it is, and the way from it.
        PrecisionMissing: if the precision must be given.
        ImportRefused: if no integer network here is equal to it.
    """
    kind = recognise(path)
    if kind is None or kind.reader is None:
        found = f"found {kind.name}; {kind.way.format(path=path)}" if kind else "found none of them"
        raise BnnError(
            f"{path}: expected a QONNX graph, a checkpoint of PyTorch, safetensors, or an .npz of Lasagne's "
            f"parameters, {found}"
        )
    if kind.reader == "qonnx":
        from bnncore.importing.qonnx import read_qonnx

        return read_qonnx(path)
    precision = precision or (topology.precision if topology else precision_in_name(path))
    if precision is None:
        raise PrecisionMissing(
            f"{argument('precision')} is missing: the weights in {path} are real numbers, which do not say how "
            f"many bits they and the activations have in the network; choose one of {', '.join(PRECISIONS)}"
        )
    if kind.reader == "lasagne":
        from bnncore.importing.lasagne import read_lasagne

        return read_lasagne(path, precision, topology, pooling=pooling)
    from bnncore.importing.brevitas import read_brevitas

    return read_brevitas(path, precision)
