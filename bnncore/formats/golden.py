"""Golden vectors: inputs and the exact scores they must give, kept with the parameters."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Topology

from bnncore.errors import ParameterError
from bnncore.files import write_atomically

__all__ = ["parse_golden", "write_golden"]


def parse_golden(
    data: bytes, where: str, topology: Topology
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    """Return inputs uint8 [N, *input shape] and scores int32 [N, outputs].

    Raises:
        ParameterError: if the file is not that; ``where`` names it.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            inputs, scores = file["inputs"], file["scores"]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ParameterError(f"{where}: expected an .npz with 'inputs' and 'scores': {error}") from error
    _check(where, "inputs", inputs, np.uint8, topology.input.shape)
    _check(where, "scores", scores, np.int32, (topology.outputs,))
    if len(inputs) != len(scores) or len(inputs) == 0:
        raise ParameterError(f"{where}: {len(inputs)} inputs and {len(scores)} scores")
    return inputs, scores


def write_golden(path: Path, inputs: npt.NDArray[np.uint8], scores: npt.NDArray[np.int32]) -> None:
    """Write golden vectors; inputs must be the project's own, not a publisher's pictures."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, inputs=inputs, scores=scores)
    write_atomically(path, buffer.getvalue())


def _check(where: str, name: str, array: npt.NDArray[Any], dtype: type, shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape[1:] != shape or array.ndim != 1 + len(shape):
        raise ParameterError(
            f"{where}, {name}: expected {np.dtype(dtype).name} [N, {', '.join(map(str, shape))}], "
            f"found {array.dtype} {list(array.shape)}"
        )
