"""Arguments of a wrong type are one clear error at once, before any plugin is imported."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import bnncore
from bnncore import BackendError, BnnError, InputError, Options, ParameterError, UnknownNameError
from bnncore.cli import cli
from bnncore.discovery import kinds
from bnncore.prediction import Origin, Prediction

WRONG: list[tuple[dict[str, Any], type[BnnError], str]] = [
    ({"board": 3}, BackendError, "board= must be a name, such as 'pynq-z1', not of type int"),
    ({"board": b"pynq-z1"}, BackendError, "board= must be a name, such as 'pynq-z1', not of type bytes"),
    ({"backend": Path("cpu")}, BackendError, "backend= must be a name, such as 'cpu', not of type"),
    ({"backend": None}, BackendError, "backend= must be a name, such as 'cpu', not of type NoneType"),
    ({"bitstreams": 3}, BackendError, "bitstreams= must be the path of a folder, not of type int"),
    ({"bitstreams": b"x"}, BackendError, "bitstreams= must be the path of a folder, not of type bytes"),
    ({"threads": "two"}, BackendError, "threads must be a whole number from 1 up, not 'two'"),
    ({"threads": True}, BackendError, "threads must be a whole number from 1 up, not True"),
    ({"threads": 2.0}, BackendError, "threads must be a whole number from 1 up, not 2.0"),
    ({"topology": 3}, UnknownNameError, "topology= must be a name.* not of type int"),
]


@pytest.fixture
def pets(install: Any) -> None:
    install(
        "bnn-pets", {kinds.DATASET.group: {"pets": "bnn_pets"}}, {"bnn_pets.py": "raise SystemExit('imported')"}
    )


@pytest.mark.parametrize(
    ("given", "kind", "said"), [*WRONG, ({"distribution": b"x"}, UnknownNameError, "bytes")]
)
def test_get_says_which_argument_is_wrong_and_imports_nothing(
    pets: None, given: dict[str, Any], kind: type[BnnError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        bnncore.get("pets", **given)
    assert "bnn_pets" not in sys.modules


@pytest.mark.parametrize("name", [None, 3, b"pets", Path("pets"), ["pets"]])
def test_a_name_is_a_text(pets: None, name: Any) -> None:
    with pytest.raises(UnknownNameError, match=f"expected a name, found {type(name).__name__}"):
        bnncore.get(name)


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        *WRONG,
        ({"path": None}, ParameterError, "path= must be that of a file or folder, not of type NoneType"),
        ({"path": b"x.npz"}, ParameterError, "path= must be that of a file or folder, not of type bytes"),
        ({"classes": 3}, ParameterError, "classes= must be a sequence of names, not of type int"),
        ({"classes": "abc"}, ParameterError, "classes= must be a sequence of names, not of type str"),
    ],
)
def test_load_says_so_too(given: dict[str, Any], kind: type[BnnError], said: str) -> None:
    with pytest.raises(kind, match=said):
        bnncore.load(**{"path": "nowhere.npz", **given})


@pytest.mark.parametrize("folder", ["x", Path("x")])
def test_folders_are_paths_in_any_form(folder: Any) -> None:
    assert Options(bitstreams=folder).bitstreams == Path("x")


@pytest.mark.parametrize("count", ["3", None, 2.5])
def test_a_ranking_has_a_whole_number_of_classes(count: Any) -> None:
    origin = Origin(classes=("a", "b"), output="scores", spread=1.0, backend="numpy")
    with pytest.raises(InputError, match=f"count= must be a whole number, not of type {type(count).__name__}"):
        Prediction(0, bytes(8), origin, 0.1).top(count)


@pytest.mark.parametrize("arguments", [("--backend", "numpy"), ()])
def test_a_misspelt_board_is_no_way_to_the_cpu(arguments: tuple[str, ...]) -> None:
    picture = Path(__file__).parents[1] / "examples" / "cucumber.png"
    command = ["classify", "cucumber9", str(picture), "--board", "pynqz3", *arguments]
    error = CliRunner().invoke(cli, command).exception
    assert isinstance(error, UnknownNameError)
    assert str(error).startswith("no board 'pynqz3' is known (did you mean 'pynq-z")
    assert str(error).endswith("is named like it with --board")


@pytest.mark.parametrize("board", ["pynq-z1", "Pynq_Z2", "PYNQ-Z1", "ultra96v2", "kv260"])
def test_known_boards_are_taken_in_any_spelling(board: str) -> None:
    assert bnncore.get("cucumber9", board=board).options.board == board
