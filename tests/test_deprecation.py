"""What is to go warns where it is used, and goes when it was said to."""

from __future__ import annotations

import inspect
import linecache
import warnings
from pathlib import Path

import pytest

import bnncore
from bnncore.deprecation import DEPRECATIONS, Deprecation, due, renamed_keyword, warn_deprecated

RENAMED = Deprecation(old="colour", new="label", since="0.2", removal="0.4")


@renamed_keyword(RENAMED)
def paint(what: str, *, label: str = "none") -> str:
    """Return what was painted how."""
    return f"{what}: {label}"


class Painter:
    @renamed_keyword(RENAMED)
    def paint(self, label: str) -> str:
        return label


def minor(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])


# The guard: what the release of a version must have removed.


def test_nothing_outlives_the_version_that_was_to_remove_it():
    assert due(bnncore.__version__, DEPRECATIONS) == ()


def test_everything_warns_for_a_minor_version_at_least():
    for each in DEPRECATIONS:
        assert minor(each.since) < minor(each.removal), each


def test_no_deprecation_is_hidden_from_the_guard():
    package = Path(bnncore.__file__).parent
    elsewhere = [
        path.relative_to(package)
        for path in package.rglob("*.py")
        if "Deprecation(" in path.read_text(encoding="utf-8") and path.name != "deprecation.py"
    ]
    assert elsewhere == [], "make the record in bnncore/deprecation.py, and list it there"


@pytest.mark.parametrize("version", ["0.4", "0.4.0", "0.4.0rc1", "0.4.0.dev3", "0.10.0", "1.0"])
def test_the_guard_sees_what_is_due(version):
    assert due(version, (RENAMED,)) == (RENAMED,)


@pytest.mark.parametrize("version", ["0.1.0", "0.2", "0.3.9"])
def test_the_guard_lets_stay_what_is_not_due_yet(version):
    assert due(version, (RENAMED,)) == ()


# Renamed keywords.


def test_an_old_keyword_is_taken_and_says_what_to_use_instead():
    with pytest.warns(
        DeprecationWarning, match=r"^colour is deprecated since bnncore 0\.2, .* 0\.4: use label$"
    ):
        assert paint("door", colour="red") == "door: red"  # type: ignore[call-arg]  # what is refused, or warned of


def test_an_old_keyword_is_taken_by_methods():
    with pytest.warns(DeprecationWarning, match="use label"):
        assert Painter().paint(colour="red") == "red"  # type: ignore[call-arg]  # what is refused, or warned of


def test_the_new_keyword_does_not_warn():
    assert paint("door", label="red") == "door: red"
    assert Painter().paint("red") == "red"


def test_both_names_are_an_error():
    with pytest.raises(TypeError, match=r"paint\(\) got both label and colour"):
        paint("door", label="red", colour="blue")  # type: ignore[call-arg]  # what is refused, or warned of


def test_a_value_by_position_and_by_the_old_name_is_an_error():
    with (
        pytest.warns(DeprecationWarning, match="use label"),
        pytest.raises(TypeError, match="multiple values for argument 'label'"),
    ):
        Painter().paint("red", colour="blue")  # type: ignore[call-arg]  # what is refused, or warned of


def test_signature_and_docstring_are_those_of_the_function():
    assert str(inspect.signature(paint)) == "(what: 'str', *, label: 'str' = 'none') -> 'str'"
    assert paint.__doc__ == "Return what was painted how."


def test_the_warning_names_the_line_that_calls_and_comes_once_for_it():
    with warnings.catch_warnings(record=True) as seen:
        warnings.resetwarnings()
        for _ in range(3):
            paint("door", colour="red")  # type: ignore[call-arg]  # what is refused, or warned of
        paint("gate", colour="red")  # type: ignore[call-arg]  # what is refused, or warned of
    assert [Path(each.filename).name for each in seen] == ["test_deprecation.py"] * 2
    first, second = (each.lineno for each in seen)
    assert second == first + 1


def test_a_function_warns_for_its_caller():
    def old() -> None:
        warn_deprecated(RENAMED)

    with pytest.warns(DeprecationWarning, match="colour") as seen:
        old()
    assert linecache.getline(seen[0].filename, seen[0].lineno).strip() == "old()"
