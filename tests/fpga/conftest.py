"""Stand-in bitstreams and a board, for the driver's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bnnhw.fpga.executor import FpgaExecutor
from bnnhw.network import Network
from virtual_board.board import VirtualBoard
from virtual_board.designs import Overlay, write_overlay
from virtual_board.networks import CNV, DESIGNS, LFC, TERNARY
from virtual_board.rig import Rig


@pytest.fixture
def overlays(tmp_path: Path) -> dict[str, Overlay]:
    """Return a bitstream for each small network, and a foreign one."""
    result = {name: write_overlay(tmp_path, name, design=design) for name, design in DESIGNS.items()}
    result["foreign"] = write_overlay(tmp_path, "foreign", design=None)
    return result


@pytest.fixture(params=[True, False], ids=["mapped", "mmio"])
def rig(tmp_path: Path, overlays: dict[str, Overlay], request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Return a board whose registers are mapped, or reached through calls."""
    board = VirtualBoard(tmp_path, list(overlays.values()), mapped=request.param)
    made = []

    def make(network: Network, **options: object) -> FpgaExecutor:
        name = {CNV: "cnv", TERNARY: "ternary", LFC: "lfc"}[network.topology]
        options = {"device": board, "directory": tmp_path, "bit": overlays[name].bit, **options}
        executor = FpgaExecutor(network, folding=DESIGNS[name].folding, **options)  # type: ignore[arg-type]  # any
        made.append(executor)
        return executor

    yield Rig(board, overlays, make)
    for executor in made:
        executor.close()
