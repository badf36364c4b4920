"""Which class wins: the rules of ``bnnhw.outputs`` against their definitions, and its faster forms against it."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
from bnnhw.outputs import ranking, responding, shares, winner, winners
from bnnhw.topology import Dense, Input, Topology
from hypothesis import given
from hypothesis import strategies as st

from bnncore.engine import Engine

Output = Literal["scores", "bits"]
OUTPUTS: st.SearchStrategy[Output] = st.sampled_from(("scores", "bits"))


@st.composite
def rows(draw: st.DrawFn) -> tuple[Output, list[int]]:
    """Draw a kind of output and one image's outputs; few values, so that many are equal."""
    output = draw(OUTPUTS)
    values = st.integers(0, 1) if output == "bits" else st.integers(-3, 3) | st.integers(-(2**31), 2**31 - 1)
    return output, draw(st.lists(values, min_size=1, max_size=70))


def defined_winner(output: Output, row: list[int]) -> int:
    """Return the class that wins, by the sentence that defines it."""
    if output == "bits":
        return max((place for place, bit in enumerate(row) if bit), default=0)
    return min(place for place, score in enumerate(row) if all(score >= other for other in row))


@given(rows())
def test_winner_is_the_first_maximum_or_the_highest_bit(drawn: tuple[Output, list[int]]) -> None:
    output, row = drawn
    assert winner(output, np.array(row, np.int32)) == defined_winner(output, row)


@given(OUTPUTS, st.lists(st.lists(st.integers(0, 1), min_size=7, max_size=7), max_size=9))
def test_winners_are_those_of_the_rows(output: Output, drawn: list[list[int]]) -> None:
    found = winners(output, np.array(drawn, np.int32).reshape(-1, 7))
    assert found.dtype == np.int64
    assert found.tolist() == [defined_winner(output, row) for row in drawn]


@given(rows())
def test_ranking_is_what_wins_when_the_winners_before_are_taken_out(drawn: tuple[Output, list[int]]) -> None:
    output, row = drawn
    order = ranking(output, np.array(row, np.int32))
    assert sorted(order) == list(range(len(row)))
    if output == "bits" and not any(row):
        assert order == list(range(len(row)))
        return
    left = list(range(len(row)))
    for place in order:
        rest = [row[each] for each in left]
        if output == "bits" and not any(rest):
            # Nothing responds any more: the higher class goes on coming first.
            assert place == left[-1]
        else:
            assert place == left[defined_winner(output, rest)]
        left.remove(place)


@given(rows())
def test_the_winner_ranks_first(drawn: tuple[Output, list[int]]) -> None:
    output, row = drawn
    array = np.array(row, np.int32)
    assert ranking(output, array)[0] == winner(output, array)


@given(rows())
def test_only_bits_respond(drawn: tuple[Output, list[int]]) -> None:
    output, row = drawn
    found = responding(output, np.array(row, np.int32))
    assert found == (None if output == "scores" else [place for place, bit in enumerate(row) if bit])


@given(st.lists(st.integers(-300, 300), min_size=1, max_size=20), st.floats(0.5, 1000))
def test_shares_of_scores_are_a_softmax_in_units_of_the_spread(row: list[int], spread: float) -> None:
    found = shares("scores", np.array(row, np.int32), spread)
    total = math.fsum(math.exp((score - max(row)) / spread) for score in row)
    assert found == pytest.approx([math.exp((score - max(row)) / spread) / total for score in row])


@given(st.lists(st.integers(0, 1), min_size=1, max_size=20))
def test_shares_of_bits_are_equal_and_sum_to_one_or_nothing(row: list[int]) -> None:
    found = shares("bits", np.array(row, np.int32), 0.0)
    assert [share > 0 for share in found] == [bit == 1 for bit in row]
    assert sum(found) == pytest.approx(1.0 if any(row) else 0.0)
    assert len(set(found)) <= 2


class Recorded:
    """An executor that answers what it is given."""

    name = "recorded"

    def __init__(self, row: list[int]) -> None:
        self._row = row

    def scores(self, batch: np.ndarray) -> np.ndarray:
        return np.tile(np.array(self._row, np.int32), (len(batch), 1))

    def close(self) -> None:
        pass


@given(rows(), st.integers(1, 70))
def test_a_classifier_takes_the_winner_of_its_classes_alone(
    drawn: tuple[Output, list[int]], count: int
) -> None:
    """The engine scans the bytes of the outputs instead of asking; some outputs have no class."""
    output, row = drawn
    classes = tuple(str(place) for place in range(min(count, len(row))))
    topology = Topology(
        name="t", input=Input(height=1, width=1), layers=(Dense(outputs=len(row)),), output=output
    )
    as_it_is: Any = lambda source: source  # noqa: E731  # in the place of a pipeline
    engine = Engine(topology, classes, as_it_is, Recorded(row))
    image = np.zeros((1, 1), np.uint8)
    expected = defined_winner(output, row[: len(classes)])
    assert winner(output, np.array(row, np.int32)[: len(classes)]) == expected
    assert engine.classify(image).index == expected
    assert next(engine.stream([image])).index == expected
