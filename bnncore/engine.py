"""The running half of a classifier: preprocessing, one executor, and the rule that ranks scores."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.executor import Executor, checked_batch, single_way
from bnnhw.topology import Topology, matrix_stages

from bnncore.errors import InputError
from bnncore.pictures.decoding import Source
from bnncore.pictures.preprocessing import Pipeline
from bnncore.prediction import Origin, Prediction

__all__ = ["Engine"]

# Enough to fill the fast path of every backend, little enough to keep streams short of memory.
_BATCH = 64

# Bytes of an output, int32.
_ITEM = 4


class Engine:
    """Classify with an executor that is ready. Safe to use from several threads.

    Args:
        topology: of the network that the executor runs.
        classes: names of the classes; the network may have more outputs.
        pipeline: turns a picture into the network's input.
        executor: runs the network.
    """

    def __init__(
        self, topology: Topology, classes: tuple[str, ...], pipeline: Pipeline, executor: Executor
    ) -> None:
        self.topology = topology
        self.classes = classes
        self.pipeline = pipeline
        self.executor = executor
        # The network may have more outputs than there are classes.
        self._count = len(classes)
        self._end = self._count * _ITEM
        self._bits = topology.output == "bits"
        self._single = single_way(executor)
        spread = 0.0 if self._bits else matrix_stages(topology)[-1].spread
        self._origin = Origin(classes=classes, output=topology.output, spread=spread, backend=executor.name)

    def classify(self, source: Source) -> Prediction:
        """Return the prediction for one picture."""
        start = time.perf_counter()
        seen = self.pipeline(source)
        outputs = self._single(seen)
        return Prediction(self._winner(outputs), outputs, self._origin, time.perf_counter() - start, seen)

    def stream(self, sources: Iterable[Source]) -> Iterator[Prediction]:
        """Yield a prediction for each picture, in order, holding one batch at a time.

        A picture that cannot be read raises, with its position, after the predictions for those before it.
        """
        iterator = enumerate(sources)
        # Batches start small and double, so that a camera's first answer does not wait for many pictures.
        size = 1
        while True:
            start = time.perf_counter()
            batch: list[npt.NDArray[np.uint8]] = []
            failure: InputError | None = None
            for position, source in islice(iterator, size):
                try:
                    batch.append(self.pipeline(source))
                except InputError as error:
                    failure = InputError(f"picture {position} (from 0): {error}")
                    failure.__cause__ = error
                    break
            if batch:
                seen = np.array(batch)
                yield from self._predictions(seen, self.executor.scores(seen), start)
            if failure is not None:
                raise failure
            if not batch:
                return
            size = min(2 * size, _BATCH)

    def scores(self, batch: Any) -> npt.NDArray[np.int32]:
        """Return int32 [N, classes] for uint8 [N, *input shape]."""
        batch = checked_batch(self.topology.input, batch)
        return self.executor.scores(batch)[:, : self._count]

    def _predictions(
        self, seen: npt.NDArray[np.uint8], scores: npt.NDArray[np.int32], start: float
    ) -> list[Prediction]:
        outputs = [row.tobytes() for row in np.asarray(scores, np.int32)]
        winners = [self._winner(each) for each in outputs]
        seconds = (time.perf_counter() - start) / len(seen)
        return [
            Prediction(index, each, self._origin, seconds, image)
            for index, each, image in zip(winners, outputs, seen)
        ]

    def _winner(self, outputs: bytes) -> int:
        """Return ``bnnhw.outputs.winner`` of the classes among an int32 array, in fewer calls."""
        if not self._bits:
            return int(np.frombuffer(outputs, np.int32, self._count).argmax())
        # Of the bytes of a 1, in either order, one is not 0.
        place = outputs.rfind(1, 0, self._end)
        return place // _ITEM if place > 0 else 0
