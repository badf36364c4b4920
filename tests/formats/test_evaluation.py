"""evaluation.json: what bnncore evaluate writes is what a card then states."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st

from bnncore.errors import ParameterError
from bnncore.evaluation import Evaluation
from bnncore.formats.card import Metric
from bnncore.formats.evaluation import evaluation_bytes, evaluation_content, parse_metrics

METRIC = Metric(name="accuracy", value=0.5, samples=10, data="test", method="once", topology="small")
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    names,
    st.sampled_from(("train", "test")),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=50),
    st.floats(0, 1e6),
)
def test_the_accuracy_of_an_evaluation_is_read_back_exactly(
    topology: str, split: str, pairs: list[tuple[int, int]], seconds: float
) -> None:
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, tuple(np.array(pairs).T), 1)
    found = Evaluation(
        classes=("a", "b", "c"),
        confusion=confusion,
        predicted=np.array([answer for _, answer in pairs]),
        margin=np.zeros(len(pairs)),
        seconds=seconds,
        backend="numpy",
    )
    content = evaluation_content(
        name="n", topology=topology, data="/home/ada/photos", split=split, figures=found.to_dict()
    )
    data = evaluation_bytes(content)
    # No time at all makes an infinite rate, which JSON cannot write.
    rate = content["images_per_second"]
    assert json.loads(data) == {**content, "images_per_second": None if rate == math.inf else rate}
    assert parse_metrics(data, "e.json") == (
        Metric(
            name="accuracy",
            value=found.accuracy,
            samples=len(pairs),
            data=f"photos, {split}",
            method="bnncore evaluate",
            topology=topology,
        ),
    )


def test_a_list_is_taken_as_it_is() -> None:
    assert parse_metrics(json.dumps([asdict(METRIC)] * 2).encode(), "m.json") == (METRIC, METRIC)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"5",
        b"{}",
        b"[" * 100_000,
        b'[{"name": "accuracy"}]',
        json.dumps([{**asdict(METRIC), "samples": "ten"}]).encode(),
        json.dumps(
            {"accuracy": None, "samples": 1, "data": "x", "split": "test", "topology": "small"}
        ).encode(),
    ],
)
def test_what_is_neither_is_refused_by_its_name(data: bytes) -> None:
    with pytest.raises(ParameterError, match=r"^m\.json: expected the evaluation\.json of bnncore evaluate"):
        parse_metrics(data, "m.json")
