"""Text of strangers, shown: what a terminal would obey is written out, what people write stays."""

from __future__ import annotations

import unicodedata

import pytest

from bnncore.plain_text import brief, one_line, printable, shown


@pytest.mark.parametrize("text", ["", "cat", "a b\nc", "naïve 猫 кот قط", "👩‍🔬", "日本　語", "a\u00a0b"])
def test_what_people_write_stays(text: str) -> None:
    assert printable(text) == text


def test_no_control_and_no_surrogate_is_left() -> None:
    every = "".join(map(chr, range(0x11000)))
    left = {unicodedata.category(sign) for sign in printable(every)} & {"Cc", "Cs", "Zl", "Zp"}
    assert {sign for sign in printable(every) if unicodedata.category(sign) == "Cc"} == {"\n"}
    assert left == {"Cc"}
    assert not {sign for sign in printable(every) if unicodedata.bidirectional(sign)[-1:] in "OEFI"} & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def test_lines_become_one() -> None:
    assert one_line("a\n  b\r\n") == "a↵b\\r"


def test_words_become_a_short_line() -> None:
    assert brief(ValueError("a\r\n  b\t\u2028\u202ec")) == r"a b \u202ec"
    assert brief("x" * 10**6) == "x" * 300 + "…"


def test_names_are_cut_and_quoted() -> None:
    assert shown("x" * 300) == repr("x" * 60 + "…")
    assert shown("a\x1bb") == r"'a\x1bb'"
    assert len(shown(list(range(1000)))) == 61
