"""A board with stand-in bitstreams, ready to run the small networks."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from bnnhw.fpga.executor import FpgaExecutor

from virtual_board.board import VirtualBoard
from virtual_board.designs import Overlay


@frozen
class Rig:
    """A board with stand-in bitstreams, and a way to run networks on it."""

    board: VirtualBoard
    overlays: dict[str, Overlay]
    make: Callable[..., FpgaExecutor]
