"""Which board a job is for, and which bitstream fits it: asked by the backend ``fpga`` and told by ``explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve
from bnnhw.fpga.bitfile import same_part

from bnncore.boards.detection import Board, boards_of, detect, named
from bnncore.discovery.names import is_name
from bnncore.records import Bitstream

if TYPE_CHECKING:
    from bnncore.backends import Job

__all__ = ["board_of", "match_bitstream", "relatives"]


def board_of(job: Job) -> Board | None:
    """Return the board that was asked for, or the one at hand, or None if there is neither."""
    here = detect()
    if job.board is None:
        return here
    asked = named(job.board)
    # A board that is not known by its name may well be one whose owner knows what it is like.
    return asked if here is None else evolve(asked, model=here.model, here=True)


def relatives(board: Board) -> tuple[str, ...]:
    """Return the names under which a bitstream for a board may be offered: its own, then those with the same part."""
    names = dict.fromkeys((board.name, *boards_of(board.part or "")))
    return tuple(name for name in names if is_name(name))


def match_bitstream(job: Job, board: Board) -> tuple[str, Bitstream] | None:
    """Return the bitstream for a board, and the board's name under which it is offered; None if none fits.

    Raises:
        PluginError: if its plugin is broken, or two distributions offer it.
    """
    for name in relatives(board):
        bitstream = job.find_bitstream(name)
        if bitstream is not None and same_part(bitstream.part, board.part or bitstream.part):
            return name, bitstream
    return None
