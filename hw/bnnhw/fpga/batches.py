"""Batches as an accelerator reads them, and its answers as scores (docs/reference/accelerator-registers.md#images).

An image of 8-bit pixels is one int8 q a value, rows of interleaved channels; one of 1-bit pixels is a bit a
pixel, lowest bit first, followed by zeros up to the first layer's folded fan-in. An answer is one little-endian
int16 an output, or, where outputs are bits, one 64-bit word. Images and answers follow each other without
gaps, and in the published accelerators each fills whole 64-bit words; how one that does not would be laid out
is nowhere said, so it is refused.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bnnhw.errors import BackendError
from bnnhw.folding import folded_fan_in
from bnnhw.topology import Folding, Topology, matrix_stages

__all__ = ["ImageFormat"]

_WORD_BITS = 64


class ImageFormat:
    """How one accelerator reads images and writes answers.

    Attributes:
        input_bytes: of one image.
        output_bytes: of one answer.

    Raises:
        BackendError: if the topology's images or answers do not fit the accelerator's layout.
    """

    def __init__(self, topology: Topology, folding: Folding) -> None:
        self._topology = topology
        first, last = matrix_stages(topology)[0], matrix_stages(topology)[-1]
        bits = topology.output == "bits"
        if topology.outputs > _WORD_BITS if bits else last.largest >= 2**15:
            what = "more than 64 outputs" if bits else "scores beyond 16 bits"
            raise BackendError(
                f"topology {topology.name!r} has {what}, which the accelerator's answers cannot hold; "
                "use the backend 'cpu'"
            )
        self._pixels = first.sees_pixels
        # What each byte stands for, as the byte that holds it.
        self._values = np.array(topology.input.values, np.int8).view(np.uint8)
        size = 8 * first.input_shape[0] * first.input_shape[1] * first.input_shape[2]
        size = size if self._pixels else folded_fan_in(first, folding.layers[0])
        self.input_bytes = _bytes(topology, "an image", size)
        self.output_bytes = _bytes(topology, "an answer", _WORD_BITS if bits else 16 * topology.outputs)

    def pack(self, batch: npt.NDArray[np.uint8], target: npt.NDArray[np.uint8]) -> None:
        """Write a uint8 batch [N, *input shape] into uint8 [N, input_bytes]."""
        flat = batch.reshape(len(batch), -1)
        if self._pixels:
            used = flat.shape[1]
            np.take(self._values, flat, out=target[:, :used], mode="clip")
        else:
            packed = np.packbits(flat >= 128, axis=1, bitorder="little")
            used = packed.shape[1]
            target[:, :used] = packed
        target[:, used:] = 0

    def unpack(self, answers: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 [N, outputs] for uint8 answers [N, output_bytes]."""
        if self._topology.output == "bits":
            bits = np.unpackbits(answers, axis=1, bitorder="little")
            return bits[:, : self._topology.outputs].astype(np.int32)
        return answers.view("<i2")[:, : self._topology.outputs].astype(np.int32)


def _bytes(topology: Topology, what: str, bits: int) -> int:
    if bits % _WORD_BITS:
        raise BackendError(
            f"{what} of topology {topology.name!r} has {bits} bits, which is no whole number of the accelerator's "
            "64-bit words; use the backend 'cpu'"
        )
    return bits // 8
