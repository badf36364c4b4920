"""A network that is ready to classify: what ``get`` and ``load`` return.

Making one costs no numpy and no device; both come with the first picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import frozen
from bnnhw.locks import new_rlock
from bnnhw.topology import Topology

from bnncore.backends import Job, open_executor
from bnncore.errors import BackendError, BnnError, InputError
from bnncore.options import Options
from bnncore.prediction import Prediction, Predictions
from bnncore.records import Preprocessing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from bnnhw.network import Network

    from bnncore.discovery.registry import Registry
    from bnncore.discovery.resolve import Resolution
    from bnncore.engine import Engine
    from bnncore.formats.card import Card
    from bnncore.formats.provenance import Provenance
    from bnncore.pictures.decoding import Source
    from bnncore.pictures.preprocessing import Pipeline

__all__ = ["Classifier", "Contents", "Selftest", "SelftestError"]


class SelftestError(BnnError):
    """A backend gave other integers than the golden vectors."""


@frozen(kw_only=True, eq=False)
class Contents:
    """What a classifier is made of, each part opened when first used.

    Attributes:
        name: of the dataset or file, for people.
        topology: shapes of the network.
        preprocessing: returns how pictures become inputs.
        classes: returns the class names.
        network: returns the checked network.
        card: returns the card, or None.
        golden: returns (inputs, scores) of the golden vectors, or None.
        parameters_id: tells this parameter set from others.
        provenance: returns what the parameters record of their training.
        resolution: who supplies each part; None where the parameters were loaded from a path.
    """

    name: str
    topology: Topology
    preprocessing: Callable[[], Preprocessing]
    classes: Callable[[], tuple[str, ...]]
    network: Callable[[], Network]
    card: Callable[[], Card | None]
    golden: Callable[[], tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]] | None]
    parameters_id: str
    provenance: Callable[[], Provenance]
    resolution: Resolution | None = None


class Selftest(NamedTuple):
    """What ``selftest`` found: how many golden vectors agreed, and on which backend."""

    vectors: int
    backend: str


class Classifier:
    """Classify pictures with one network. Safe to use from several threads.

    Use ``bnncore.get`` or ``bnncore.load`` to make one, and ``with`` or ``close()`` to give back a device.

    Attributes:
        name: of the dataset or file.
        topology: shapes of the network.
        options: how it shall run.
        resolution: who supplies each part; None where the parameters were loaded from a path.
    """

    def __init__(self, contents: Contents, registry: Registry, options: Options) -> None:
        self.name = contents.name
        self.topology = contents.topology
        self.options = options
        self.resolution = contents.resolution
        self._contents = contents
        self._registry = registry
        self._lock = new_rlock()
        self._pipeline: Pipeline | None = None
        self._engine: Engine | None = None
        self._classes: tuple[str, ...] | None = None
        self._closed = False

    # -- describe ----------------------------------------------------------------------------

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the network's outputs."""
        if self._classes is None:
            self._classes = self._contents.classes()
        return self._classes

    @property
    def card(self) -> Card | None:
        """What is known of weights and data; None for files that were loaded by path."""
        return self._contents.card()

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures become inputs: as a plugin declares it, else as the weights record it."""
        return self._contents.preprocessing()

    @property
    def provenance(self) -> Provenance:
        """What the parameters record of their training; nothing in files of version 1 and folders of BNN-PYNQ."""
        return self._contents.provenance()

    @property
    def network(self) -> Network:
        """The checked network: topology, weights and thresholds; read once, no backend is opened for it."""
        return self._contents.network()

    @property
    def backend(self) -> str:
        """Name of the backend that runs, chosen at the first use."""
        return self._ready().executor.name

    @property
    def job(self) -> Job:
        """What backends are given to decide whether they can run this network, and to run it."""
        contents, registry = self._contents, self._registry
        return Job(
            topology=contents.topology,
            network=contents.network,
            parameters_id=contents.parameters_id,
            find_bitstream=lambda board: registry.bitstream(contents.topology.name, board),
            board=self.options.board,
            threads=self.options.threads,
            bitstream_folder=self.options.bitstreams,
        )

    def __repr__(self) -> str:
        backend = self._engine.executor.name if self._engine else self.options.backend
        return f"<Classifier {self.name!r} on {self.topology.name}, backend {backend}>"

    def _repr_html_(self) -> str:
        """Return what Jupyter shows; a terminal shows ``repr``."""
        from bnncore import html

        topology = self.topology
        shape = " x ".join(str(side) for side in topology.input.shape)
        backend = (
            self._engine.executor.name
            if self._engine
            else f"{self.options.backend}, opened at the first picture"
        )
        return html.facts(
            self.name,
            [
                (f"{len(self.classes)} classes", ", ".join(self.classes)),
                ("network", f"{topology.name}, input {shape}"),
                ("size", f"{topology.weights:,} weights, {topology.operations:,} operations a picture"),
                ("backend", backend),
            ],
        )

    # -- run ---------------------------------------------------------------------------------

    def classify(self, image: Source) -> Prediction:
        """Classify one picture.

        Args:
            image: a path, bytes of a picture file, a PIL image, or a uint8 array [H, W], [H, W, 3] or [H, W, 4], RGB:
                of what OpenCV reads, ``image[..., ::-1]``. An array of the network's input shape is taken as it is;
                anything else is prepared as the dataset declares.

        Raises:
            InputError: if the picture cannot be read.
            BackendError: if no backend can run, or the device fails.
        """
        return (self._engine or self._ready()).classify(image)

    def classify_batch(self, images: Iterable[Source] | npt.NDArray[np.uint8]) -> Predictions:
        """Classify many pictures and return all answers, in order.

        Args:
            images: anything that ``classify`` takes, many of it, arrays in RGB; all of an iterator is used up.

        Returns:
            A list, which Jupyter shows as a contact sheet.

        Raises:
            InputError: at the first picture that cannot be read, naming its position, or if one picture is given
                instead of many.
        """
        self._check_many(images)
        return Predictions(self._ready().stream(images))

    def classify_stream(self, images: Iterable[Source] | npt.NDArray[np.uint8]) -> Iterator[Prediction]:
        """Classify many pictures, and yield the answers in order while the pictures come.

        Few pictures are held at a time, so that any number can stream, and the first answer waits for one alone.

        Args:
            images: anything that ``classify`` takes, many of it, arrays in RGB.

        Raises:
            InputError: at the first picture that cannot be read, naming its position, after those before it; or
                at once, if one picture is given instead of many.
        """
        self._check_many(images)
        return self._ready().stream(images)

    def preprocess(self, image: Source) -> npt.NDArray[np.uint8]:
        """Return what the network really sees: a new uint8 array in its input shape.

        No backend is opened for it.

        Args:
            image: as ``classify`` takes it, an array in RGB.

        Returns:
            [height, width], or [height, width, 3] in RGB.

        Raises:
            InputError: if the picture cannot be read.
        """
        array: npt.NDArray[np.uint8] = self._prepare()(image).copy()
        return array

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return the exact integers of a batch.

        Args:
            batch: uint8 [N, *input shape], RGB where there are colours; N may be 0.

        Returns:
            int32 [N, classes]: popcounts, signed sums or bits, as the topology says.

        Raises:
            InputError: if the batch has another dtype or shape.
        """
        return self._ready().scores(batch)

    @property
    def has_golden_vectors(self) -> bool:
        """Whether golden vectors came with the parameters, for ``selftest`` to replay."""
        return self._contents.golden() is not None

    def selftest(self) -> Selftest:
        """Replay the golden vectors that came with the parameters.

        Raises:
            SelftestError: if there are none, or one score differs.
        """
        golden = self._contents.golden()
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
                from bnncore.pictures.preprocessing import Pipeline

                owner = self.resolution.preprocessing_owner.owner if self.resolution else ""
                self._pipeline = Pipeline(self.preprocessing, self.topology.input, owner)
            return self._pipeline

    def _open(self, pipeline: Pipeline) -> Engine:
        from bnncore.engine import Engine

        # Before a device is opened, which nobody would close if they could not be read.
        classes = self.classes
        executor = open_executor(self._registry, self.options.backend, self.job)
        return Engine(self.topology, classes, pipeline, executor)
