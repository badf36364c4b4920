"""A network's parameters as the words that an accelerator stores, and where each goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from attrs import frozen

from bnnhw.folding import fold
from bnnhw.network import Network
from bnnhw.topology import Folding, matrix_stages

__all__ = ["WordRun", "parameter_words", "words_id"]


@frozen(kw_only=True, eq=False)
class WordRun:
    """Consecutive words of one memory.

    Attributes:
        layer: 2 * layer for its weights, 2 * layer + 1 for its thresholds.
        memory: number of the memory (PE).
        threshold: number of the threshold in each word; 0 for weights.
        words: uint64 [n]; word i goes to place i.
    """

    layer: int
    memory: int
    threshold: int
    words: npt.NDArray[np.uint64]


def parameter_words(network: Network, folding: Folding) -> tuple[WordRun, ...]:
    """Return every word that an accelerator of this folding must be given for a network.

    Thresholds are grouped by their number, so that the registers which say where a word goes change
    as seldom as possible; the accelerator takes words in any order.

    Raises:
        TopologyError: if the folding does not fit the topology.
        NetworkError: if a threshold does not fit the accelerator.
    """
    topology = network.topology
    folding.check(topology)
    runs = []
    for stage, layer, parameters in zip(matrix_stages(topology), folding.layers, network.layers):
        folded = fold(stage, layer, topology.weight_bits, parameters)
        # The accelerator takes a threshold's low bits; a negative one is sent sign-extended.
        thresholds = folded.thresholds.view(np.uint64)
        for memory in range(layer.pe):
            runs.append(_run(2 * stage.number, memory, 0, folded.weights[memory]))
            for threshold in range(stage.thresholds):
                words = thresholds[memory, :, threshold]
                runs.append(_run(2 * stage.number + 1, memory, threshold, words))
    return tuple(runs)


def words_id(runs: Iterable[WordRun]) -> str:
    """Return a SHA-256 (hex) that tells one set of words from another."""
    digest = hashlib.sha256()
    for run in runs:
        digest.update(f"{run.layer} {run.memory} {run.threshold} {len(run.words)}\n".encode())
        digest.update(run.words.tobytes())
    return digest.hexdigest()


def _run(layer: int, memory: int, threshold: int, words: npt.NDArray[np.uint64]) -> WordRun:
    return WordRun(layer=layer, memory=memory, threshold=threshold, words=np.ascontiguousarray(words))
