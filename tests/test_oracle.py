"""Every array of the original's measured outputs, integer for integer."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnnhw.reference import output_words, scores

import bnncore
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.formats.binparam import read_binparam

pytestmark = pytest.mark.slow

Answers = Callable[[str], list[bnncore.Prediction]]

CNV = ["cifar10-cnvW1A1", "cifar10-cnvW1A2", "cifar10-cnvW2A2"]
LFC = ["mnist-lfcW1A1", "mnist-lfcW1A2"]


@pytest.fixture(scope="module", params=CNV + LFC)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=LFC)
def lfc(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def oracle(test_data: Path, case: str) -> dict[str, Any]:
    with np.load(test_data / "bnn-pynq" / "oracle" / f"{case}.npz") as file:
        return {name: file[name] for name in file.files}


def load(binparams: Path, case: str) -> bnncore.Classifier:
    return bnncore.load(binparams / case.replace("-", "/"), backend="numpy")


def all_bits(binparams: Path, case: str, inputs: np.ndarray) -> np.ndarray:
    """Return int32 [N, 64]: what the network gives before classes are cut out."""
    network = case.split("-")[1]
    loaded, _ = read_binparam(binparams / case.replace("-", "/"), TOPOLOGIES[network], FOLDINGS[network])
    return scores(loaded, inputs)


@pytest.fixture(scope="module")
def answers(test_data: Path, binparams: Path) -> Callable[[str], list[bnncore.Prediction]]:
    """Return a function that classifies a case's inputs, once."""

    @cache
    def classify(case: str) -> list[bnncore.Prediction]:
        return load(binparams, case).classify_batch(oracle(test_data, case)["inputs"])

    return classify


def test_scores_of_all_predictions(test_data: Path, answers: Answers, case: str) -> None:
    assert np.array_equal([each.scores for each in answers(case)], oracle(test_data, case)["scores"])


def test_scores_of_a_batch(test_data: Path, binparams: Path, case: str) -> None:
    expected = oracle(test_data, case)
    found = load(binparams, case).scores(expected["inputs"][:10])
    assert found.dtype == np.int32
    assert np.array_equal(found, expected["scores"][:10])


def test_predictions_follow_the_documented_rule(test_data: Path, answers: Answers, case: str) -> None:
    """CNV: the first maximum. LFC: the highest bit set, which the original uses for many images."""
    assert [each.index for each in answers(case)] == oracle(test_data, case)["pred"].tolist()


def test_one_image_is_ranked_as_many_are(test_data: Path, binparams: Path, case: str) -> None:
    expected = oracle(test_data, case)
    classifier = load(binparams, case)
    found = [classifier.classify(image).index for image in expected["inputs"][:5]]
    assert found == expected["pred"][:5].tolist()


def test_classes(test_data: Path, binparams: Path, case: str) -> None:
    assert list(load(binparams, case).classes) == oracle(test_data, case)["classes"].tolist()


@pytest.mark.parametrize("case", CNV)
def test_many_images_were_ranked_from_zero_up(test_data: Path, answers: Answers, case: str) -> None:
    """The original's rule for many images starts from best = 0; it differs only where no score is above 0."""
    found = np.array([each.scores for each in answers(case)])
    ranked = np.where((found > 0).any(axis=1), found.argmax(axis=1), 0)
    assert ranked.tolist() == oracle(test_data, case)["pred_multiple"].tolist()


def test_output_words_with_all_64_bits(test_data: Path, binparams: Path, lfc: str) -> None:
    expected = oracle(test_data, lfc)
    found = output_words(all_bits(binparams, lfc, expected["inputs"]))
    assert found.dtype == expected["output_word"].dtype
    assert np.array_equal(found, expected["output_word"])


def test_the_one_image_rule_follows_from_our_bits(test_data: Path, binparams: Path, lfc: str) -> None:
    """The original rounds log2 of the word; we do not copy that, but hold what it was computed from."""
    expected = oracle(test_data, lfc)
    words = output_words(all_bits(binparams, lfc, expected["inputs"])[:, : len(expected["classes"])])
    single = [round(math.log2(word)) if word else 0 for word in words.tolist()]
    assert single == expected["pred_single"].tolist()
    assert np.array_equal(np.eye(64, dtype=np.int16)[single], expected["details_single"])


def test_the_originals_own_digit_is_a_three(original_picture: Callable[[str], Path], binparams: Path) -> None:
    data = original_picture("3.image-idx3-ubyte").read_bytes()
    image = np.frombuffer(data, np.uint8, offset=16).reshape(28, 28)
    for case in LFC:
        assert load(binparams, case).classify(image).label == "3"


def test_the_originals_own_record_of_a_deer(original_picture: Callable[[str], Path], binparams: Path) -> None:
    record = np.fromfile(original_picture("deer.bin"), np.uint8)
    image = np.ascontiguousarray(record[1:].reshape(3, 32, 32).transpose(1, 2, 0))
    found = load(binparams, "cifar10-cnvW1A1").scores(image[None])
    assert found.tolist() == [[228, 229, 251, 250, 412, 253, 230, 262, 222, 239]]
