"""The programmable logic of a board: which design is loaded, its registers and its parameter memories.

It is one file, mapped into every process that uses the board, as the real one is one piece of hardware.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bnnhw.folding import FoldedLayer, folded_fan_in, unfold
from bnnhw.network import Network
from bnnhw.topology import MatrixStage, matrix_stages

from virtual_board.designs import Design, Overlay
from virtual_board.memory import ProtocolError

_CAPACITY = 400_000  # 64-bit words; the largest design has 360,512
_GENERATION, _LOADED, _STORED = range(3)


class Fabric:
    """The logic and what is in it.

    Args:
        folder: where its file is kept; processes that name the same folder share the fabric.
        overlays: the bitstreams that it knows, in the same order in every process. One that is not among
            them, or has no design, leaves it without an accelerator.
    """

    def __init__(self, folder: Path, overlays: Sequence[Overlay]) -> None:
        self._overlays = list(overlays)
        path = folder / "fabric"
        if not path.exists():
            path.write_bytes(bytes(4 * 64 + 8 * _CAPACITY + 64))
        flat: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r+")
        self._head = flat[:64].view(np.uint64)
        self.registers: npt.NDArray[np.uint32] = flat[64 : 64 + 4 * 64].view(np.uint32)
        self._words = flat[64 + 4 * 64 :].view(np.uint64)
        self._network: tuple[int, int, Network] | None = None
        self._places: dict[int, tuple[MatrixStage, int, int, int]] = {}
        self._placed = -1

    @property
    def generation(self) -> int:
        """How many times anything was loaded."""
        return int(self._head[_GENERATION])

    @property
    def design(self) -> Design | None:
        """What is loaded, if it is an accelerator."""
        number = int(self._head[_LOADED])
        return self._overlays[number - 1].design if number else None

    def configure(self, sha256: str) -> None:
        """Load a bitstream; whatever was in the memories is gone."""
        known = [overlay.sha256 for overlay in self._overlays]
        self._head[_LOADED] = known.index(sha256) + 1 if sha256 in known else 0
        self._head[_GENERATION] += 1
        self._head[_STORED] += 1
        self._words[:] = 0
        self.registers[:] = 0

    def store(self, layer: int, memory: int, word: int, threshold: int, value: int) -> None:
        """Store one parameter word."""
        place = self._layout().get(layer)
        if place is None:
            raise ProtocolError(f"there is no target layer {layer} in this design")
        _, start, words, thresholds = place
        pes = self._folding(layer // 2).pe
        if memory >= pes or word >= words or threshold >= thresholds:
            raise ProtocolError(f"target {layer}, {memory}, {word}, {threshold} does not exist in this design")
        self._words[start + (memory * words + word) * thresholds + threshold] = value
        self._head[_STORED] += 1

    def network(self) -> Network:
        """Return the network that the stored words make."""
        state = self.generation, int(self._head[_STORED])
        if self._network is None or self._network[:2] != state:
            self._network = (*state, self._unfolded())
        return self._network[2]

    def _unfolded(self) -> Network:
        design = self.design
        assert design is not None
        layers = []
        for number, stage in enumerate(matrix_stages(design.topology)):
            pes = self._folding(number).pe
            _, start, words, _ = self._layout()[2 * number]
            weights = np.array(self._words[start : start + pes * words]).reshape(pes, words)
            shape = (pes, stage.outputs // pes, stage.thresholds)
            stored = np.zeros(0, np.uint64)
            if stage.thresholds:
                start = self._layout()[2 * number + 1][1]
                stored = np.array(self._words[start : start + shape[0] * shape[1] * shape[2]])
            folded = FoldedLayer(weights=weights, thresholds=stored.view(np.int64).reshape(shape))
            layers.append(unfold(stage, design.folding.layers[number], design.topology.weight_bits, folded))
        return Network(topology=design.topology, layers=tuple(layers))

    def _folding(self, number: int) -> object:
        design = self.design
        assert design is not None
        return design.folding.layers[number]

    def _layout(self) -> dict[int, tuple[MatrixStage, int, int, int]]:
        """Return, by target layer: stage, first word, words a memory, values a word."""
        if self._placed != self.generation:
            design = self.design
            if design is None:
                raise ProtocolError("no accelerator is loaded; real hardware would hang the bus here")
            self._places, free = {}, 0
            for number, stage in enumerate(matrix_stages(design.topology)):
                layer = design.folding.layers[number]
                folds = stage.outputs // layer.pe
                words = folds * folded_fan_in(stage, layer) // layer.simd
                self._places[2 * number] = (stage, free, words, 1)
                free += layer.pe * words
                if stage.thresholds:
                    self._places[2 * number + 1] = (stage, free, folds, stage.thresholds)
                    free += layer.pe * folds * stage.thresholds
            self._placed = self.generation
        return self._places
