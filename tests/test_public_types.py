"""What type checkers are told of the public calls: mypy reads this file, and the tests run it.

A call that lost its types, or has others than before, fails ``make check`` here rather than at a user's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
from bnnhw.network import Network

# In typing from Python 3.11 on; mypy brings it along for 3.10.
from typing_extensions import assert_type

import bnncore
from bnncore.classifier import Classifier, Selftest
from bnncore.formats.card import Card
from bnncore.prediction import Prediction, Predictions, Ranked

ROOT = Path(__file__).resolve().parents[1]
SHIP = ROOT / "examples" / "ship.png"


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    with bnncore.get("cifar10") as opened:
        yield opened


def test_names() -> None:
    assert_type(bnncore.names(), tuple[str, ...])


def test_get_gives_a_classifier_and_so_does_entering_it() -> None:
    assert_type(bnncore.get("cifar10", "numpy", topology="cnvW1A1", board=None, threads=1), Classifier)
    context: AbstractContextManager[Classifier] = bnncore.get("cifar10")
    with context as opened:
        assert_type(opened, Classifier)


def test_load() -> None:
    weights = ROOT / "plugins" / "cifar10" / "bnn_cifar10" / "weights.npz"
    assert_type(bnncore.load(weights), Classifier)
    assert_type(bnncore.load(str(weights), backend="numpy", classes=("a",)), Classifier)


def test_a_classifier(classifier: Classifier) -> None:
    assert_type(classifier.name, str)
    assert_type(classifier.classes, tuple[str, ...])
    assert_type(classifier.topology, bnncore.Topology)
    assert_type(classifier.card, Card | None)
    assert_type(classifier.network, Network)
    assert_type(classifier.options, bnncore.Options)
    assert_type(classifier.backend, str)
    assert_type(classifier.selftest(), Selftest)


def test_one_picture(classifier: Classifier) -> None:
    found = classifier.classify(SHIP)
    assert_type(found, Prediction)
    assert_type(found.label, str)
    assert_type(found.index, int)
    assert_type(found.scores, npt.NDArray[np.int32])
    assert_type(found.top(3), list[Ranked])
    assert_type(found.top()[0].label, str)
    assert_type(found.top()[0].score, int)
    assert_type(found.classes, tuple[str, ...])
    assert_type(found.output, Literal["scores", "bits"])
    assert_type(found.seen, npt.NDArray[np.uint8] | None)
    assert_type(found.backend, str)
    assert_type(found.seconds, float)
    assert_type(found.note, str | None)
    assert_type(found.confidence, float)
    assert_type(found.confidences(), list[float])


def test_every_kind_of_picture(classifier: Classifier) -> None:
    from PIL import Image

    with Image.open(SHIP) as image:
        assert_type(classifier.classify(image), Prediction)
    assert_type(classifier.classify(str(SHIP)), Prediction)
    assert_type(classifier.classify(SHIP.read_bytes()), Prediction)
    assert_type(classifier.classify(classifier.preprocess(SHIP)), Prediction)


def test_many_pictures(classifier: Classifier) -> None:
    found = classifier.classify_batch([SHIP, SHIP])
    assert_type(found, Predictions)
    assert_type(found[0], Prediction)
    assert_type(found[:1], Predictions)
    assert_type([each.label for each in found], list[str])
    assert_type(classifier.classify_batch(classifier.preprocess(SHIP)[None]), Predictions)
    assert_type(classifier.classify_batch(iter([SHIP])), Predictions)


def test_a_stream_of_pictures(classifier: Classifier) -> None:
    assert_type(classifier.classify_stream(iter([SHIP])), Iterator[Prediction])
    assert_type(next(classifier.classify_stream([SHIP])), Prediction)


def test_arrays(classifier: Classifier) -> None:
    seen = classifier.preprocess(SHIP)
    assert_type(seen, npt.NDArray[np.uint8])
    assert_type(classifier.scores(seen[None]), npt.NDArray[np.int32])


def test_records_of_the_registry() -> None:
    dataset = bnncore.registry.dataset("cifar10")
    assert_type(dataset, bnncore.Dataset)
    assert_type(dataset.topologies, tuple[str, ...])
    assert_type(bnncore.registry.topology("cnvW1A1"), bnncore.Topology)
    assert_type(bnncore.registry.backends(), tuple[bnncore.Backend, ...])
    assert_type(bnncore.packaged("bnn_cifar10", "classes.txt"), bnncore.Resource)


def test_what_is_no_picture_is_refused_by_types_as_well(classifier: Classifier) -> None:
    with pytest.raises(bnncore.InputError):
        classifier.classify(3)  # type: ignore[arg-type]  # what is refused, or warned of
