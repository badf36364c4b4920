"""The rules of classes.txt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnncore.errors import ParameterError
from bnncore.formats.classes import check_classes, classes_bytes, parse_classes, read_classes


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"cat\ndog\n", ("cat", "dog")),
        (b"cat\ndog", ("cat", "dog")),
        (b"cat\r\ndog\r\n", ("cat", "dog")),
        (b"cat\r\ndog", ("cat", "dog")),
        (b"cat\ndog\n\n\r\n \n", ("cat", "dog")),
        (b"\xef\xbb\xbfcat\ndog", ("cat", "dog")),
        (b"  cat \n\tdog\t\n", ("cat", "dog")),
        (b"one", ("one",)),
        (b"0\n1\n", ("0", "1")),
        ("Kürbis\nきゅうり\n".encode(), ("Kürbis", "きゅうり")),
        (b"20 km/h\nnot a sign", ("20 km/h", "not a sign")),
        (b"a\nA\n", ("a", "A")),
    ],
)
def test_one_name_a_line(data: bytes, names: tuple[str, ...]) -> None:
    assert parse_classes(data, "c.txt") == names


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "c.txt: expected one class name a line, found none"),
        (b"\n\r\n\n", "c.txt: expected one class name a line, found none"),
        (b"cat\n\ndog\n", "c.txt, line 2: expected a class name, found ''"),
        (b"\ncat\n", "c.txt, line 1: expected a class name"),
        (b"cat\r\n \r\ndog", "c.txt, line 2: expected a class name"),
        (b"cat\ndog\ncat\n", "c.txt, line 3: 'cat' stands in line 1 already"),
        (b"cat\r\ncat", "c.txt, line 2: 'cat' stands in line 1 already"),
        (b"cat\ncat  \n", "c.txt, line 2: 'cat' stands in line 1 already"),
        (b"cat\nd\xffog", "c.txt: expected UTF-8 text, found byte 0xff"),
        (b"c\0a\0t\0\n\0", "c.txt, line 1: .* cannot be printed"),
        (b"cat\ndog\x1b[31m", r"c.txt, line 2: 'dog\\x1b\[31m' has characters that cannot be printed"),
        (b"cat\rdog", "c.txt, line 1: .* cannot be printed"),
        (b"a\nb\nc\nd\n", "c.txt: 4 classes, but the network has 3 outputs"),
    ],
)
def test_anything_else_is_refused_with_its_line(data: bytes, message: str) -> None:
    with pytest.raises(ParameterError, match=f"^{message}"):
        parse_classes(data, "c.txt", 3)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_there_may_be_fewer_classes_than_outputs(count: int) -> None:
    assert len(parse_classes(b"\n".join([b"a", b"b", b"c"][:count]), "c.txt", 3)) == count


def test_a_thousand_classes() -> None:
    data = "\n".join(f"class {number}" for number in range(1000)).encode()
    assert len(parse_classes(data, "c.txt", 1000)) == 1000


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(ParameterError, match=r"c\.txt: larger than 1048576 bytes"):
        read_classes(tmp_path / "c.txt")


@pytest.mark.parametrize("names", ["abc", b"abc"])
def test_one_string_is_no_sequence_of_names(names: str) -> None:
    with pytest.raises(ParameterError, match="expected a sequence of class names, found one string"):
        check_classes(names, "classes")


@pytest.mark.parametrize("name", [None, 5, "", " ", b"cat"])
def test_a_name_is_text(name: str) -> None:
    with pytest.raises(ParameterError, match="classes, line 2: expected a class name"):
        check_classes(["cat", name], "classes")


@given(st.binary(max_size=60))
def test_any_bytes_give_names_or_the_one_error(data: bytes) -> None:
    try:
        names = parse_classes(data, "c.txt", 5)
    except ParameterError:
        return
    assert 1 <= len(names) <= 5
    assert len(set(names)) == len(names)
    assert all(name == name.strip() != "" for name in names)


# What can be printed; of blanks, the plain one alone.
letters = st.characters(exclude_categories=["C", "Z"]) | st.just(" ")
class_names = st.text(letters, min_size=1, max_size=8).map(str.strip).filter(str.isprintable).filter(bool)


@given(st.lists(class_names, min_size=1, max_size=5, unique=True))
def test_names_are_read_back_as_they_were_written(names: list[str]) -> None:
    assert parse_classes(classes_bytes(names), "c.txt") == tuple(names)
