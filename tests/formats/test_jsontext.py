"""JSON that anybody may have written: plain data, or one short reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnncore.errors import BnnError
from bnncore.formats.card import parse_card
from bnncore.formats.evaluation import parse_metrics
from bnncore.formats.jsontext import parse_json
from bnncore.formats.manifest import parse_manifest
from bnncore.formats.recipe import parse_entries, parse_recipe

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(plain)
def test_plain_data_are_read_as_they_were_written(value: object) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse_json("\ufeff[1]".encode()) == [1]


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


HOSTILE = [
    (nested(100_000), "nested more than 64 levels"),
    (nested(66), "nested more than 64 levels"),
    (b'{"a":' * 500 + b"1" + b"}" * 500, "nested more than 64 levels"),
    (b"1" * 1_000_000, "a whole number of 1000000 digits"),
    (b"-" + b"1" * 101, "a whole number of 102 digits"),
    (b"NaN", "NaN is no finite number"),
    (b"[-Infinity]", "-Infinity is no finite number"),
    (b"1e999", "1e999 is no finite number"),
    (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' occurs twice"),
    (b'"' + b"x" * 65_537 + b'"', "a text of 65537 characters"),
    (b'{"' + b"x" * 65_537 + b'": 1}', "a text of 65537 characters"),
    ("[1]".encode("utf-16"), "expected UTF-8 text"),
    ("[1]".encode("utf-32-le"), "Expecting value|Extra data|expected UTF-8"),
    (b"\xff", "expected UTF-8 text, found byte 0xff"),
    (b'["\\uD800"]', "has half a character"),
    (b'{"a\\udfff": 1}', "has half a character"),
]


@pytest.mark.parametrize(("data", "message"), HOSTILE)
def test_what_only_harms_is_refused_in_a_few_words(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_json(data)
    assert len(str(caught.value)) < 200


def test_a_character_that_is_written_in_two_halves_is_one() -> None:
    assert parse_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_as_deep_as_the_limit_is_read() -> None:
    assert json.dumps(parse_json(nested(64))).encode() == nested(64)


READERS: tuple[Callable[[bytes], Any], ...] = (
    lambda data: parse_card(data, "x.json"),
    lambda data: parse_metrics(data, "x.json"),
    lambda data: parse_manifest(data, "x.json"),
    lambda data: parse_entries(data, "x.json"),
    lambda data: parse_recipe(data, "x", "x.json"),
)


@pytest.mark.parametrize("read", READERS)
def test_every_reader_of_json_keeps_these_limits(read: Callable[[bytes], Any]) -> None:
    for data, _ in HOSTILE:
        for each in (data, b'{"files": {"a": {"b": ' + data + b"}}}"):
            with pytest.raises(BnnError, match=r"^x\.json: ") as caught:
                read(each)
            assert len(str(caught.value)) < 600
