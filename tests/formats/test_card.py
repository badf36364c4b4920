"""card.json: what is written is read back, and what is none is one clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnncore.errors import ResourceError
from bnncore.formats.card import Card, Metric, card_bytes, parse_card

# A lone surrogate is no text; JSON in UTF-8 has no way to write it.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
metrics = st.builds(
    Metric, name=texts, value=numbers, samples=st.integers(), data=texts, method=texts, topology=texts
)
cards = st.builds(
    Card,
    title=texts,
    description=texts,
    source=texts,
    licenses=st.fixed_dictionaries({"weights": texts, "data": texts}, optional={"pictures": texts}),
    metrics=st.lists(metrics, max_size=3).map(tuple),
    recipe=st.dictionaries(texts, plain, max_size=3),
    networks=st.dictionaries(texts, st.dictionaries(texts, st.integers(), max_size=3), max_size=3),
)


@given(cards)
def test_a_card_is_read_back_as_it_was_written(card: Card) -> None:
    data = card_bytes(card)
    assert parse_card(data, "card") == card
    assert card_bytes(parse_card(data, "card")) == data


def content(**changes: Any) -> bytes:
    metric = {"name": "n", "value": 0.5, "samples": 9, "data": "d", "method": "m", "topology": "t"}
    whole: dict[str, Any] = {
        "title": "Things",
        "description": "",
        "source": "",
        "licenses": {"weights": "", "data": ""},
        "metrics": [metric],
        "recipe": {},
        "networks": {},
    }
    return json.dumps({key: value for key, value in {**whole, **changes}.items() if value is not ...}).encode()


def with_metric(**changes: Any) -> bytes:
    return content(metrics=[{**json.loads(content())["metrics"][0], **changes}])


def test_what_is_changed_below_is_right_before() -> None:
    assert parse_card(content(), "card").metrics[0].value == 0.5


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a card: JSONDecodeError"),
        (b"[]", "not a card: TypeError"),
        (b"\xff", "not a card: ValueError: expected UTF-8 text, found byte 0xff"),
        (b"[" * 100_000, "not a card: ValueError: nested more than 64 levels deep"),
        (content(title=...), "not a card: TypeError: .*title"),
        (content(tilte=""), "not a card: TypeError: .*tilte"),
        (content(title=5), "title must be text"),
        (content(licenses={"weights": ""}), "licenses must name the licence of the data"),
        (content(licenses=[]), "licenses must name the licence of the weights"),
        (content(metrics=[{}]), "not a card: TypeError"),
        (
            content(licenses={"weights": "", "data": "", "more": 5}),
            "licenses must name the licence of the more",
        ),
        (content(networks={"tiny": "large"}), "networks must have whole numbers for 'tiny'"),
        (content(networks={"tiny": {"parameters": "1"}}), "networks must have whole numbers for 'tiny'"),
        (with_metric(name=None), "metric None: name must be text"),
        (with_metric(topology=5), "metric 'n': topology must be text"),
        (with_metric(value=10**400), "not a card: ValueError: a whole number of 401 digits"),
        (with_metric(value=float("nan")), "not a card: ValueError: NaN is no finite number"),
        (content(title="x" * 201), "title must have at most 200 characters, found 201"),
        (content(licenses={"weights": "", "data": "x" * 10_001}), "licenses must name the licence of the data"),
        (
            content(metrics=[{**json.loads(content())["metrics"][0], "value": "0.5"}]),
            "metric 'n' needs a number and a sample count",
        ),
    ],
)
def test_what_is_no_card_is_refused_by_its_name(data: bytes, message: str) -> None:
    with pytest.raises(ResourceError, match=f"^c.json: {message}"):
        parse_card(data, "c.json")
