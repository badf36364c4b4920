"""Which board this is, from what the kernel shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bnncore.boards.detection import PARTS, boards_of, detect, named


def test_no_board() -> None:
    assert detect() is None


@pytest.mark.parametrize(
    ("said", "name"),
    [("Pynq-Z1", "pynq-z1"), ("Pynq-Z2", "pynq-z2"), ("Ultra96", "ultra96"), ("Ultra96v2", "ultra96")],
)
def test_boards_are_known_by_what_the_device_tree_says(board: Callable, said: str, name: str) -> None:
    board(said, model="Digilent")
    found = detect()
    assert found is not None
    assert (found.name, found.part, found.model, found.here) == (name, PARTS[name], "Digilent", True)


def test_an_unknown_board_has_no_part(board: Callable) -> None:
    board("My Own Board")
    found = detect()
    assert found is not None
    assert (found.name, found.part) == ("My Own Board", None)


def test_the_environment_is_asked_last_and_only_beside_an_fpga(
    board: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOARD", "Pynq-Z1")
    assert detect() is None
    board(None)
    found = detect()
    assert found is not None
    assert found.name == "pynq-z1"
    board("Pynq-Z2")
    found = detect()
    assert found is not None
    assert found.name == "pynq-z2"


def test_an_fpga_without_a_name_is_a_board(board: Callable) -> None:
    board(None, model="Some Zynq")
    found = detect()
    assert found is not None
    assert (found.name, found.part) == ("Some Zynq", None)


@pytest.mark.parametrize("name", ["pynq-z1", "PYNQ_Z1", "Pynq-Z1", "pynqz1"])
def test_users_may_spell_as_they_like(name: str) -> None:
    found = named(name)
    assert (found.name, found.part, found.here) == ("pynq-z1", "xc7z020clg400", False)


def test_pynq_z1_and_z2_share_a_part() -> None:
    assert boards_of("xc7z020clg400") == ("pynq-z1", "pynq-z2")
