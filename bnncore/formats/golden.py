"""Golden vectors: inputs and the exact scores they must give, kept with the parameters."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Topology

from bnncore.errors import ParameterError
from bnncore.formats.archive import open_archive
from bnncore.plain_text import some
from bnncore.writing import write_atomically

__all__ = ["GOLDEN", "golden_bytes", "parse_golden", "write_golden"]

GOLDEN = "golden.npz"

# Bytes of one array; a few dozen vectors are enough for a selftest.
_LIMIT = 2**26


def parse_golden(
    data: bytes, where: str, topology: Topology
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return inputs uint8 [N, *input shape] and scores int32 [N, outputs].

    Raises:
        ParameterError: if the file is not that; ``where`` names it.
    """
    with open_archive(data, where) as archive:
        if archive.names != ("inputs", "scores"):
            raise ParameterError(
                f"{where}: expected an .npz of 'inputs' and 'scores', found {some(archive.names)}"
            )
        for name in archive.names:
            archive.check_size(name, 0, _LIMIT)
        inputs, scores = archive.array("inputs"), archive.array("scores")
    _check(where, "inputs", inputs, np.uint8, topology.input.shape)
    _check(where, "scores", scores, np.int32, (topology.outputs,))
    if len(inputs) != len(scores) or len(inputs) == 0:
        raise ParameterError(f"{where}: {len(inputs)} inputs and {len(scores)} scores")
    return inputs, scores


def golden_bytes(inputs: npt.NDArray[np.uint8], scores: npt.NDArray[np.int32]) -> bytes:
    """Return the bytes of golden vectors; ``parse_golden`` reads them back.

    Args:
        inputs: uint8 [N, *input shape]; the project's own, not a publisher's pictures.
        scores: int32 [N, outputs], of the reference.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, inputs=inputs, scores=scores)
    return buffer.getvalue()


def write_golden(path: Path, inputs: npt.NDArray[np.uint8], scores: npt.NDArray[np.int32]) -> None:
    """Write golden vectors; see ``golden_bytes``."""
    write_atomically(path, golden_bytes(inputs, scores))


def _check(where: str, name: str, array: npt.NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape[1:] != shape or array.ndim != 1 + len(shape):
        raise ParameterError(
            f"{where}, {name}: expected {np.dtype(dtype).name} [N, {', '.join(map(str, shape))}], "
            f"found {array.dtype} {list(array.shape)}"
        )
