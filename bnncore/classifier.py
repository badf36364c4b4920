"""A network that is ready to classify: what ``get`` and ``load`` return.

Making one costs no numpy and no device; both come with the first picture.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from attrs import field, frozen
from bnnhw.topology import Topology

from bnncore.backends import Job, open_executor
from bnncore.errors import BackendError, BnnError, InputError
from bnncore.prediction import Prediction, Predictions
from bnncore.records import Preprocessing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from bnnhw.network import Network

    from bnncore.discovery.registry import Registry
    from bnncore.engine import Engine
    from bnncore.formats.card import Card
    from bnncore.pictures.decoding import Source
    from bnncore.pictures.preprocessing import Pipeline

__all__ = ["Classifier", "SelftestError", "Sources"]


class SelftestError(BnnError):
    """A backend gave other integers than the golden vectors."""


@frozen(kw_only=True, eq=False)
class Sources:
    """Where a classifier gets what it needs, each opened when first used.

    Attributes:
        name: of the dataset or file, for people.
        topology: shapes of the network.
        preprocessing: how pictures become inputs, or None for the input's default.
        classes: returns the class names.
        network: returns the checked network.
        card: returns the card, or None.
        golden: returns (inputs, scores) of the golden vectors, or None.
        parameters_id: tells this parameter set from others.
    """

    name: str
    topology: Topology
    preprocessing: Preprocessing | None
    classes: Callable[[], tuple[str, ...]]
    network: Callable[[], Network]
    card: Callable[[], Card | None]
    golden: Callable[[], tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]] | None]
    parameters_id: str


@frozen(kw_only=True)
class Selftest:
    """What ``selftest`` found: how many golden vectors agreed, and on which backend."""

    vectors: int = field()
    backend: str = field()


class Classifier:
    """Classify pictures with one network. Safe to use from several threads.

    Use ``bnncore.get`` or ``bnncore.load`` to make one, and ``with`` or ``close()`` to give back a device.

    Attributes:
        name: of the dataset or file.
        topology: shapes of the network.
    """

    def __init__(
        self,
        sources: Sources,
        registry: Registry,
        *,
        backend: str = "auto",
        board: str | None = None,
        threads: int | None = None,
        bitstreams: Path | None = None,
    ) -> None:
        self.name = sources.name
        self.topology = sources.topology
        self._sources = sources
        self._registry = registry
        self._asked = backend
        self._board = board
        self._threads = threads
        self._bitstreams = bitstreams
        self._lock = threading.RLock()
        self._pipeline: Pipeline | None = None
        self._engine: Engine | None = None
        self._classes: tuple[str, ...] | None = None
        self._closed = False

    # -- describe ----------------------------------------------------------------------------

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the network's outputs."""
        if self._classes is None:
            self._classes = self._sources.classes()
        return self._classes

    @property
    def card(self) -> Card | None:
        """What is known of weights and data; None for files that were loaded by path."""
        return self._sources.card()

    @property
    def backend(self) -> str:
        """Name of the backend that runs, chosen at the first use."""
        return self._ready().executor.name

    @property
    def job(self) -> Job:
        """What backends are given to decide whether they can run this network, and to run it."""
        sources, registry = self._sources, self._registry
        return Job(
            topology=sources.topology,
            network=sources.network,
            parameters_id=sources.parameters_id,
            bitstream=lambda board: registry.bitstream(sources.topology.name, board),
            board=self._board,
            threads=self._threads,
            bitstreams=self._bitstreams,
        )

    def __repr__(self) -> str:
        backend = self._engine.executor.name if self._engine else self._asked
        return f"<Classifier {self.name!r} on {self.topology.name}, backend {backend}>"

    def _repr_html_(self) -> str:
        """Return what Jupyter shows; a terminal shows ``repr``."""
        from bnncore.html import classifier_html

        backend = self._engine.executor.name if self._engine else f"{self._asked}, opened at the first picture"
        return classifier_html(self, backend)

    # -- run ---------------------------------------------------------------------------------

    def classify(self, image: Source) -> Prediction:
        """Classify one picture.

        Args:
            image: a path, bytes of a picture file, a PIL image, or a uint8 array. An array of the network's
                input shape is taken as it is; anything else is prepared as the dataset declares.

        Raises:
            InputError: if the picture cannot be read.
            BackendError: if no backend can run, or the device fails.
        """
        return (self._engine or self._ready()).classify(image)

    @overload
    def classify_batch(  # type: ignore[overload-overlap]  # what has a length is an Iterable as well
        self, images: Sequence[Source] | npt.NDArray[np.uint8]
    ) -> Predictions: ...

    @overload
    def classify_batch(self, images: Iterable[Source]) -> Iterator[Prediction]: ...

    def classify_batch(self, images: Any) -> Predictions | Iterator[Prediction]:
        """Classify many pictures, in order.

        Args:
            images: anything that ``classify`` takes, many of it.

        Returns:
            A list, which Jupyter shows as a contact sheet, if the images have a length (list, tuple,
            array); else, for a generator or an iterator, an iterator that holds few pictures at a time, so
            that any number can stream.

        Raises:
            InputError: at the first picture that cannot be read, naming its position, after those before it;
                or if one picture is given instead of many.
        """
        self._check_many(images)
        stream = self._ready().stream(images)
        return Predictions(stream) if hasattr(images, "__len__") else stream

    def preprocess(self, image: Source) -> npt.NDArray[np.uint8]:
        """Return what the network really sees: a new uint8 array in its input shape.

        No backend is opened for it.

        Raises:
            InputError: if the picture cannot be read.
        """
        array: npt.NDArray[np.uint8] = self._prepare()(image).copy()
        return array

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return the exact integers of a batch.

        Args:
            batch: uint8 [N, *input shape]; N may be 0.

        Returns:
            int32 [N, classes]: popcounts, signed sums or bits, as the topology says.

        Raises:
            InputError: if the batch has another dtype or shape.
        """
        return self._ready().scores(batch)

    def selftest(self) -> Selftest:
        """Replay the golden vectors that came with the parameters.

        Raises:
            SelftestError: if there are none, or one score differs.
        """
        golden = self._sources.golden()
        if golden is None:
            raise SelftestError(f"{self.name} has no golden vectors to replay")
        engine = self._ready()
        inputs, expected = golden
        found = engine.executor.scores(inputs)
        wrong = (found != expected).any(axis=1) if found.shape == expected.shape else None
        if wrong is None or wrong.any():
            first = 0 if wrong is None else int(wrong.argmax())
            raise SelftestError(
                f"{self.name} on backend {engine.executor.name!r}: golden vector {first} expected scores "
                f"{expected[first].tolist()}, found {found[first].tolist()}; do not trust its answers"
            )
        return Selftest(vectors=len(inputs), backend=engine.executor.name)

    def close(self) -> None:
        """Give the device back; the classifier cannot be used afterwards. Twice does nothing."""
        with self._lock:
            engine, self._engine, self._closed = self._engine, None, True
        if engine is not None:
            engine.executor.close()

    def __enter__(self) -> Classifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_many(self, images: Any) -> None:
        """Refuse one picture where many are wanted; the rows of an array would pass for grey pictures."""
        one = isinstance(images, (str, bytes, bytearray, memoryview, os.PathLike))
        shape: tuple[int, ...] = getattr(images, "shape", ())
        given = self.topology.input.shape
        if len(shape) == 3 and shape[1:] != given:
            one = shape == given or shape[2] <= 4
        try:
            iter(images)
        except TypeError:
            one = True
        if one:
            raise InputError(
                f"expected many pictures, found {type(images).__name__} {list(shape) or ''}".rstrip()
                + "; for one use classify, or a list of one"
            )

    def _ready(self) -> Engine:
        if self._engine is not None:
            return self._engine
        with self._lock:
            pipeline = self._prepare()
            if self._engine is None:
                self._engine = self._open(pipeline)
            return self._engine

    def _prepare(self) -> Pipeline:
        with self._lock:
            if self._closed:
                raise BackendError(f"classifier {self.name!r} is closed; make a new one")
            if self._pipeline is None:
                from bnncore.pictures.preprocessing import Pipeline, default_preprocessing

                given = self.topology.input
                self._pipeline = Pipeline(self._sources.preprocessing or default_preprocessing(given), given)
            return self._pipeline

    def _open(self, pipeline: Pipeline) -> Engine:
        from bnncore.engine import Engine

        executor = open_executor(self._registry, self._asked, self.job)
        return Engine(self.topology, self.classes, pipeline, executor)
