"""What Jupyter shows of predictions, classifiers and cards."""

from __future__ import annotations

import ast
import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import bnncore
from bnncore import Classifier, Prediction, Predictions, html
from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.formats.card import Card, Metric
from bnncore.formats.npz import npz_bytes
from bnncore.html import time_text
from bnncore.prediction import Origin
from bnncore.publishing.random_network import random_network

_VOID = {"img", "br"}


class Page(HTMLParser):
    """Collects the text, and fails on tags that do not close."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def pictures(html: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/png;base64,([^\"]+)", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    path = tmp_path / "things.npz"
    path.write_bytes(npz_bytes(random_network(TOPOLOGIES["cnvW1A1"]), ["<b>Owl</b>", "Fox", "Hen"]))
    return bnncore.load(path)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)


class TestPrediction:
    def test_shows_what_the_network_saw(self, classifier: Classifier) -> None:
        source = Image.linear_gradient("L").convert("RGB")
        shown = pictures(classifier.classify(source)._repr_html_())
        assert len(shown) == 1
        assert (shown[0] == classifier.preprocess(source)).all()

    def test_shows_classes_scores_backend_and_time(self, classifier: Classifier, image: np.ndarray) -> None:
        prediction = classifier.classify(image)
        page = Page(prediction._repr_html_())
        for label, score in prediction.top():
            assert label in page.text
            assert str(score) in page.text
        assert f"{prediction.backend}, {time_text(prediction.seconds)}" in page.text

    def test_escapes(self, classifier: Classifier, image: np.ndarray) -> None:
        page = Page(classifier.classify(image)._repr_html_())
        assert page.text.count("<b>Owl</b>") >= 1
        assert page.tags.count("b") == 1

    def test_says_when_no_class_responded(self) -> None:
        origin = Origin(classes=("0", "1"), output="bits", spread=0.0, backend="cpu")
        prediction = Prediction(0, np.zeros(2, np.int32).tobytes(), origin, seconds=1e-5)
        html = prediction._repr_html_()
        assert "no class responded" in Page(html).text
        assert pictures(html) == []

    def test_terminal_shows_one_plain_line(self, classifier: Classifier, image: np.ndarray) -> None:
        text = repr(classifier.classify(image))
        assert text.startswith("Prediction(index=")
        assert "\n" not in text
        assert "seen" not in text

    def test_image_of_another_depth_is_left_out(self) -> None:
        origin = Origin(classes=("x", "y"), output="scores", spread=1.0, backend="numpy")
        seen = np.zeros((4, 4, 7), np.uint8)
        prediction = Prediction(0, np.array([1, 2], np.int32).tobytes(), origin, seconds=1.0, seen=seen)
        assert pictures(prediction._repr_html_()) == []


class TestPredictions:
    def test_batches_are_lists(self, classifier: Classifier, image: np.ndarray) -> None:
        answers = classifier.classify_batch([image, image[::-1]])
        assert isinstance(answers, list)
        assert isinstance(answers, Predictions)
        assert isinstance(answers[1:], Predictions)
        assert isinstance(answers[0], Prediction)

    def test_contact_sheet_has_each_picture_and_the_counts(
        self, classifier: Classifier, image: np.ndarray
    ) -> None:
        batch = np.stack([np.roll(image, step, axis=0) for step in range(70)])
        answers = classifier.classify_batch(batch)
        html = answers._repr_html_()
        shown = pictures(html)
        assert len(shown) == 60
        assert all((one == other).all() for one, other in zip(shown, batch))
        text = Page(html).text
        assert "70 pictures" in text
        assert "and 10 more" in text
        labels = [answer.label for answer in answers]
        assert all(f"{label} {labels.count(label)}" in text for label in set(labels))

    def test_nothing(self, classifier: Classifier) -> None:
        assert "no pictures" in classifier.classify_batch([])._repr_html_()


class TestClassifier:
    def test_is_shown_without_opening_a_device(self, classifier: Classifier) -> None:
        page = Page(classifier._repr_html_())
        assert classifier._engine is None
        assert "<b>Owl</b>, Fox, Hen" in page.text
        assert "cnvW1A1, input 32 x 32 x 3" in page.text
        assert "auto" in page.text

    def test_names_the_backend_that_runs(self, classifier: Classifier, image: np.ndarray) -> None:
        classifier.classify(image)
        assert f"backend{classifier.backend}" in Page(classifier._repr_html_()).text


class TestCard:
    def test_shows_everything_escaped(self) -> None:
        metric = Metric(
            name="accuracy", value=0.875, samples=1000, data="a & b", method="once", topology="cnvW1A1"
        )
        card = Card(
            title="<Things>",
            description="many",
            source="https://example.org/?a=1&b=2",
            licenses={"weights": "BSD-3-Clause", "data": "CC BY"},
            metrics=(metric,),
            recipe={"epochs": 3},
            networks={"cnvW1A1": {"file_bytes": 12345}},
        )
        text = Page(card._repr_html_()).text
        for part in ("<Things>", "https://example.org/?a=1&b=2", "CC BY", "0.875 on 1,000 of a & b (once)"):
            assert part in text
        assert "file bytes 12,345" in text
        assert "recipe: epochs3" in text


def test_the_pieces_know_nothing_of_bnncore() -> None:
    """They are made of plain values, so that every record can be made of them."""
    nodes = list(ast.walk(ast.parse(Path(html.__file__).read_text("utf-8"))))
    imported = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    assert not [name for name in imported if name.startswith("bnncore")]


@pytest.mark.parametrize(
    "piece",
    [
        lambda text: html.facts(text, [(text, text)], text),
        lambda text: html.answer(None, text, [(text, 0.5, 1)], text, text),
        lambda text: html.sheet(text, text, text, [(None, text, 0.5)], 3),
    ],
)
@given(text=st.text())
def test_no_piece_lets_a_text_become_a_tag(piece: Callable[[str], str], text: str) -> None:
    """Whatever the texts are, the tags are those of a plain one, and the text is on the page."""
    page = Page(piece(text))
    assert page.tags == Page(piece("plain")).tags
    assert text in page.text


@pytest.mark.parametrize(("share", "width"), [(-1.0, 0), (0.0, 0), (0.254, 25), (1.0, 100), (7.0, 100)])
def test_a_bar_stays_within_its_frame(share: float, width: int) -> None:
    assert f"width:{width}%" in html.bar(share)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.00223, "2.23 ms"), (6.12e-6, "6.12 µs"), (0.0, "0 µs")]
)
def test_times_have_fitting_units(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_ipython_finds_both_forms(classifier: Classifier, image: np.ndarray) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(classifier.classify(image))
    assert set(data) == {"text/plain", "text/html"}
