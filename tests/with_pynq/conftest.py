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
from virtual_board.designs import ZU3EG, ZYNQ_7020, Design, Overlay, write_overlay

from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES

if TYPE_CHECKING:
    from virtual_board.pynq_board import PynqBoard

BOARDS = {"pynqZ1-Z2": ("armv7l", ZYNQ_7020), "ultra96": ("aarch64", ZU3EG)}


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
    from bnnhw.fpga import pynq_device
    from pynq.pl_server import global_state
    from virtual_board.pynq_board import PynqBoard

    made: list[FpgaExecutor] = []
    rigs: list[PynqRig] = []
    monkeypatch.setattr(global_state, "STATE_DIR", str(tmp_path))
    monkeypatch.setattr(pynq_device, "_FIRMWARE", tmp_path)

    def make_board(kind: str = "pynqZ1-Z2", mapped: bool = True) -> PynqRig:
        arch, part = BOARDS[kind]
        overlays = {}
        for hwh in sorted((test_data / "bnn-pynq" / "overlays").glob(f"*-{kind}.hwh")):
            name = hwh.stem.removesuffix(f"-{kind}")
            design = Design(topology=TOPOLOGIES[name], folding=FOLDINGS[name])
            overlays[name] = write_overlay(tmp_path, hwh.stem, design=design, hwh=hwh.read_bytes(), part=part)
        foreign = (test_data / "bnn-pynq" / "overlays" / f"cnvW1A1-{kind}.hwh").read_bytes()
        overlays["foreign"] = write_overlay(tmp_path, "base", design=None, hwh=foreign, part=part)
        board = PynqBoard(tmp_path, list(overlays.values()), arch=arch, mapped=mapped)
        monkeypatch.setattr(pynq.Device, "_devices", [board], raising=False)
        monkeypatch.setattr(pynq.Device, "_active_device", board, raising=False)
        # pynq keeps the clocks of the first board that it sees.
        monkeypatch.delattr(pynq.ps.Clocks, "_real_instance", raising=False)

        def make(network: Network, **options: object) -> FpgaExecutor:
            name = network.topology.name
            options = {"bit": overlays[name].bit, "directory": tmp_path, "part": part, **options}
            executor = FpgaExecutor(network, folding=FOLDINGS[name], **options)  # type: ignore[arg-type]
            made.append(executor)
            return executor

        rigs.append(PynqRig(board, overlays, tmp_path, make))
        return rigs[-1]

    yield make_board
    for executor in made:
        executor.close()
    for rig in rigs:
        assert not rig.board.memory.blocks, "contiguous memory was not given back"
