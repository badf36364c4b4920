"""A virtual board for the real pynq package; skipped where pynq is not installed (see ``make test-pynq``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen
from bnnhw.fpga.executor import FpgaExecutor
from bnnhw.network import Network
from virtual_board.designs import Overlay

from bnncore.builtin.topologies import FOLDINGS

if TYPE_CHECKING:
    from virtual_board.pynq_board import PynqBoard


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    missing = importlib.util.find_spec("pynq") is None
    for item in items:
        if here in item.path.parents:
            # pynq warns while it is imported and while it works, off a board most of all.
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            if missing:
                item.add_marker(pytest.mark.skip(reason="pynq is not installed; make test-pynq runs these"))


@frozen
class PynqRig:
    """A board that pynq sees, its bitstreams, and a way to run networks on it."""

    board: PynqBoard
    overlays: dict[str, Overlay]
    folder: Path
    make: Callable[..., FpgaExecutor]


@pytest.fixture
def boards(
    test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., PynqRig]]:
    """Return a function that makes a board of a kind (``pynqZ1-Z2`` or ``ultra96``), mapped or not."""
    import pynq
    from virtual_board.pynq_board import KINDS, PynqBoard, settings, write_overlays

    made: list[FpgaExecutor] = []
    rigs: list[PynqRig] = []

    def make_board(kind: str = "pynqZ1-Z2", mapped: bool = True) -> PynqRig:
        arch, part = KINDS[kind]
        overlays = write_overlays(test_data / "bnn-pynq" / "overlays", tmp_path, kind)
        board = PynqBoard(tmp_path, list(overlays.values()), arch=arch, mapped=mapped)
        for target, attribute, value in settings(board, tmp_path):
            monkeypatch.setattr(target, attribute, value, raising=False)
        # pynq keeps the clocks of the first board that it sees.
        monkeypatch.delattr(pynq.ps.Clocks, "_real_instance", raising=False)

        def make(network: Network, **options: object) -> FpgaExecutor:
            name = network.topology.name
            options = {"bit": overlays[name].bit, "part": part, **options}
            executor = FpgaExecutor(network, folding=FOLDINGS[name], **options)  # type: ignore[arg-type]  # any
            made.append(executor)
            return executor

        rigs.append(PynqRig(board, overlays, tmp_path, make))
        return rigs[-1]

    yield make_board
    for executor in made:
        executor.close()
    for rig in rigs:
        assert not rig.board.memory.blocks, "contiguous memory was not given back"
