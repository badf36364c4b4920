"""How fast this machine classifies, backend by backend, and where the time goes."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from attrs import frozen
from bnnhw.executor import Executor, single_way
from PIL import Image

from bnncore.backends import Candidate, choose, open_executor
from bnncore.classifier import Classifier
from bnncore.discovery.registry import Registry
from bnncore.errors import BackendError, PluginError
from bnncore.pictures.decoding import open_image

__all__ = ["Measurement", "Skipped", "measure", "sample_picture"]

_LEAST_RUNS = 3


@frozen(kw_only=True)
class Measurement:
    """One backend's times, in seconds an image unless said otherwise.

    Attributes:
        backend: its name.
        ready: seconds from nothing to the first answer: parameters packed, or the board loaded.
        decode: from the bytes of a picture file to pixels.
        preprocess: from pixels to the network's input.
        pack: to and from the accelerator's layout; None where a backend does it within its computing.
        transfer: caches flushed and invalidated for the accelerator; None where there is nothing to transfer.
        compute: the network itself, for one image.
        single: all of it, for one image alone: what ``classify`` takes.
        batch: preparation left aside, an image of a batch.
    """

    backend: str
    ready: float
    decode: float
    preprocess: float
    pack: float | None
    transfer: float | None
    compute: float
    single: float
    batch: float


@frozen(kw_only=True)
class Skipped:
    """A backend that cannot run here, and why."""

    backend: str
    reason: str


def measure(
    registry: Registry,
    classifier: Classifier,
    picture: bytes,
    *,
    batch: int = 128,
    seconds: float = 1.0,
) -> Iterator[Measurement | Skipped]:
    """Measure every backend that can run a classifier's network here, best first; the one asked for, if one was.

    Args:
        registry: offers the backends.
        classifier: of the dataset; only its description and its preprocessing are used.
        picture: bytes of a picture file.
        batch: images in a batch.
        seconds: how long each figure is measured at least; it is the median of at least three runs.

    Raises:
        InputError: if the picture cannot be read.
    """
    job = classifier.job
    one = classifier.preprocess(picture)
    decode = _median(lambda: open_image(picture), seconds)
    decoded = open_image(picture)
    preprocess = _median(lambda: classifier.preprocess(decoded), seconds)
    # Images that differ, so that no backend can profit from a cache of answers.
    images = np.random.default_rng(0).integers(0, 256, (batch, *one.shape), np.uint8)
    images[0] = one
    asked = classifier.options.backend
    # What is broken is told below, as what cannot run here is.
    for candidate in choose(registry, job, asked, thorough=True):
        if asked not in ("auto", candidate.backend.name):
            continue
        if candidate.obstacle is not None:
            yield Skipped(backend=candidate.backend.name, reason=candidate.obstacle)
            continue
        started = time.perf_counter()
        try:
            executor = open_executor(registry, candidate.backend.name, job)
            try:
                executor.scores(images[:1])
                ready = time.perf_counter() - started
                yield _measured(candidate, executor, images, ready, (decode, preprocess), seconds)
            finally:
                executor.close()
        except (BackendError, PluginError) as error:
            yield Skipped(backend=candidate.backend.name, reason=str(error))


def sample_picture(width: int = 640, height: int = 480) -> bytes:
    """Return a JPEG of smooth colours with some grain, of a small photo's size."""
    rows, columns = np.mgrid[0:height, 0:width]
    smooth = np.stack([rows * 255 // height, columns * 255 // width, (rows + columns) % 256], axis=-1)
    grain = np.random.default_rng(0).integers(-12, 13, smooth.shape)
    picture = io.BytesIO()
    Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(picture, "JPEG", quality=90)
    return picture.getvalue()


def _measured(
    candidate: Candidate,
    executor: Executor,
    images: npt.NDArray[np.uint8],
    ready: float,
    prepare: tuple[float, float],
    seconds: float,
) -> Measurement:
    decode, preprocess = prepare
    answer, one = single_way(executor), images[0]
    before, runs = _phases(executor), 0

    def single() -> None:
        nonlocal runs
        answer(one)
        runs += 1

    whole = _median(single, seconds)
    after = _phases(executor)
    pack = transfer = None
    compute = whole
    if before is not None and after is not None:
        pack, transfer, compute = ((late - early) / runs for early, late in zip(before, after))
    return Measurement(
        backend=candidate.backend.name,
        ready=ready,
        decode=decode,
        preprocess=preprocess,
        pack=pack,
        transfer=transfer,
        compute=compute,
        single=decode + preprocess + whole,
        batch=_median(lambda: executor.scores(images), seconds) / len(images),
    )


def _phases(executor: Any) -> tuple[float, float, float] | None:
    """Return what an executor that accounts for its time has spent so far: pack, transfer, compute."""
    spent = getattr(executor, "seconds", None)
    return None if spent is None else (spent.pack, spent.transfer, spent.compute)


def _median(action: Callable[[], object], seconds: float) -> float:
    """Return the median time of an action that is repeated for so many seconds, after one run aside."""
    action()
    times: list[float] = []
    while len(times) < _LEAST_RUNS or sum(times) < seconds:
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
