"""Figures of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest
from bnnhw.topology import Dense, Input, Topology

import bnncore
from bnncore.datasets import DatasetError, LabelledImages
from bnncore.evaluation import Evaluation, evaluate, wilson_interval
from bnncore.evaluation.show import confusion_picture, confusion_text, confusions, contact_sheet
from bnncore.formats.npz import write_npz
from bnncore.publishing.random_network import random_network


@pytest.fixture
def classifier(tmp_path):
    """Return a classifier of three classes with random weights."""
    topology = Topology(
        name="tiny", input=Input(height=4, width=4), layers=(Dense(outputs=8), Dense(outputs=3))
    )
    write_npz(tmp_path / "tiny.npz", random_network(topology), ["a", "b", "c"])
    with bnncore.load(tmp_path / "tiny.npz", backend="numpy") as opened:
        yield opened


@pytest.fixture
def data():
    """Return sixty random images."""
    rng = np.random.default_rng(0)
    return LabelledImages(
        images=rng.integers(0, 256, (60, 4, 4), np.uint8),
        labels=rng.integers(0, 3, 60),
        classes=("a", "b", "c"),
    )


@pytest.mark.parametrize(
    ("right", "samples", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_has_the_published_values(right, samples, low, high) -> None:
    assert wilson_interval(right, samples) == pytest.approx((low, high), abs=1e-4)


def test_counts_are_those_of_single_predictions(classifier, data) -> None:
    found = evaluate(classifier, data)
    answers = [classifier.classify(image).index for image in data.images]
    assert found.predicted.tolist() == answers
    assert found.right == sum(int(a == b) for a, b in zip(answers, data.labels))
    for true in range(3):
        chosen = [a for a, b in zip(answers, data.labels) if b == true]
        assert found.recall[true] == pytest.approx(chosen.count(true) / len(chosen))
        if answers.count(true):
            assert found.precision[true] == pytest.approx(chosen.count(true) / answers.count(true))


def test_the_worst_mistakes_are_mistakes(classifier, data) -> None:
    found = evaluate(classifier, data)
    worst = found.worst(1000)
    assert len(worst) == found.samples - found.right
    assert (found.predicted[worst] != data.labels[worst]).all()
    assert (np.diff(found.margin[worst]) <= 0).all()


def test_a_class_that_never_occurs_has_no_recall(classifier, data) -> None:
    part = data.subset(np.flatnonzero(data.labels != 1))
    assert evaluate(classifier, part).recall[1] is None


def test_other_classes_are_refused(classifier, data) -> None:
    other = LabelledImages(images=data.images, labels=data.labels, classes=("b", "a", "c"))
    with pytest.raises(DatasetError, match="same order"):
        evaluate(classifier, other)


def test_no_images_are_refused(classifier, data) -> None:
    with pytest.raises(DatasetError, match="no images"):
        evaluate(classifier, data.subset(np.array([], np.int64)))


def test_the_text_holds_every_count(classifier, data) -> None:
    found = evaluate(classifier, data)
    numbers = [
        0 if cell == "." else int(cell)
        for line in confusion_text(found).splitlines()[1:]
        for cell in line.split()[1:]
    ]
    assert numbers == found.confusion.ravel().tolist()


def test_many_classes_are_told_by_their_worst_confusions() -> None:
    count = 200
    confusion = np.diag(np.full(count, 5))
    confusion[3, 7], confusion[8, 2] = 4, 2
    found = Evaluation(
        classes=tuple(f"class-{number}" for number in range(count)),
        predicted=np.zeros(0, np.int64),
        confusion=confusion,
        margin=np.zeros(0, np.float64),
        seconds=1.0,
        backend="numpy",
    )
    assert confusions(found).splitlines() == [
        "the worst of 2 confusions: true class, answer, how often",
        "class-3 -> class-7: 4 of 9",
        "class-8 -> class-2: 2 of 7",
    ]
    assert max(confusion_picture(found).size) < 4000


def test_pictures_are_drawn(classifier, data) -> None:
    found = evaluate(classifier, data)
    assert len(confusion_picture(found).getcolors(2**20) or []) > 3
    tall, short = contact_sheet(found, data, 25).height, contact_sheet(found, data, 3).height
    assert tall > short
