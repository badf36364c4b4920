"""The programmable logic of a board: which design is loaded, its registers and its parameter memories.

It is one file, mapped into every process that uses the board, as the real one is one piece of hardware.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bnnhw.folding import FoldedLayer, folded_fan_in, unfold
from bnnhw.network import Network
from bnnhw.topology import matrix_stages

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
        with path.open("r+b") as file:
            flat = memoryview(mmap.mmap(file.fileno(), 0))
        # Plain views: a network's words pass one by one, and elements of arrays take several times longer.
        self._head = flat[:64].cast("Q")
        self.registers = flat[64 : 64 + 4 * 64].cast("I")
        self._words = flat[64 + 4 * 64 :].cast("Q")
        self._network: tuple[int, int, Network] | None = None
        self._places: dict[int, tuple[int, int, int, int]] = {}
        self._placed = -1

    @property
    def generation(self) -> int:
        """How many times anything was loaded."""
        return self._head[_GENERATION]

    @property
    def loaded(self) -> bool:
        """Whether what is loaded has an accelerator."""
        return bool(self._head[_LOADED])

    @property
    def design(self) -> Design | None:
        """What is loaded, if it is an accelerator."""
        number = self._head[_LOADED]
        return self._overlays[number - 1].design if number else None

    def configure(self, sha256: str) -> None:
        """Load a bitstream; whatever was in the memories is gone."""
        known = [overlay.sha256 for overlay in self._overlays]
        number = known.index(sha256) + 1 if sha256 in known else 0
        self._head[_LOADED] = number if number and self._overlays[number - 1].design else 0
        self._head[_GENERATION] += 1
        self._head[_STORED] += 1
        self._words[:] = memoryview(bytes(self._words.nbytes)).cast("Q")
        self.registers[:] = memoryview(bytes(self.registers.nbytes)).cast("I")

    def store(self, layer: int, memory: int, word: int, threshold: int, value: int) -> None:
        """Store one parameter word."""
        place = self._layout().get(layer)
        if place is None:
            raise ProtocolError(f"there is no target layer {layer} in this design")
        start, pes, words, thresholds = place
        if memory >= pes or word >= words or threshold >= thresholds:
            raise ProtocolError(f"target {layer}, {memory}, {word}, {threshold} does not exist in this design")
        self._words[start + (memory * words + word) * thresholds + threshold] = value
        self._head[_STORED] += 1

    def network(self) -> Network:
        """Return the network that the stored words make."""
        state = self.generation, self._head[_STORED]
        if self._network is None or self._network[:2] != state:
            self._network = (*state, self._unfolded())
        return self._network[2]

    def _unfolded(self) -> Network:
        design = self.design
        assert design is not None
        layers = []
        for number, stage in enumerate(matrix_stages(design.topology)):
            start, pes, words, _ = self._layout()[2 * number]
            weights = np.array(self._words[start : start + pes * words], np.uint64).reshape(pes, words)
            shape = (pes, stage.outputs // pes, stage.thresholds)
            stored = np.zeros(0, np.uint64)
            if stage.thresholds:
                start = self._layout()[2 * number + 1][0]
                stored = np.array(self._words[start : start + shape[0] * shape[1] * shape[2]], np.uint64)
            folded = FoldedLayer(weights=weights, thresholds=stored.view(np.int64).reshape(shape))
            layers.append(unfold(stage, design.folding.layers[number], design.topology.weight_bits, folded))
        return Network(topology=design.topology, layers=tuple(layers))

    def _layout(self) -> dict[int, tuple[int, int, int, int]]:
        """Return, by target layer: where it starts, memories, words a memory, values a word."""
        if self._placed != self.generation:
            design = self.design
            if design is None:
                raise ProtocolError("no accelerator is loaded; real hardware would hang the bus here")
            self._places, free = {}, 0
            for number, stage in enumerate(matrix_stages(design.topology)):
                layer = design.folding.layers[number]
                folds = stage.outputs // layer.pe
                words = folds * folded_fan_in(stage, layer) // layer.simd
                self._places[2 * number] = (free, layer.pe, words, 1)
                free += layer.pe * words
                if stage.thresholds:
                    self._places[2 * number + 1] = (free, layer.pe, folds, stage.thresholds)
                    free += layer.pe * folds * stage.thresholds
            self._placed = self.generation
        return self._places
