"""What a backend is given to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from bnnhw.network import Network
    from bnnhw.topology import Topology

    from bnncore.records import Bitstream

__all__ = ["Job"]


@frozen(kw_only=True, eq=False)
class Job:
    """One network to be run on this machine.

    Attributes:
        topology: its shapes.
        network: opens, checks and returns the network; call it only to run.
        parameters_id: SHA-256 (hex) that tells one parameter set from another.
        bitstream: returns the accelerator that the index offers for this topology and a board
            name, or None.
        board: name of the board asked for, or None for the one at hand.
        threads: most threads to use, or None for the default.
    """

    topology: Topology
    network: Callable[[], Network]
    parameters_id: str
    bitstream: Callable[[str], Bitstream | None]
    board: str | None = None
    threads: int | None = None
