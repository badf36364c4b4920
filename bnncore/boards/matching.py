"""Which board a job is for, and which bitstream fits it.

Decided here, once: the backend ``fpga`` runs by it, ``explain`` and ``doctor`` tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from attrs import evolve, frozen
from bnnhw.fpga.bitfile import same_part
from bnnhw.topology import Topology

from bnncore.boards.detection import PARTS, Board, boards_of, detect, named
from bnncore.discovery.kinds import BITSTREAM
from bnncore.discovery.names import canonical, is_name
from bnncore.errors import BnnError, TopologyError, UnknownNameError
from bnncore.records import Bitstream
from bnncore.spelling import argument

if TYPE_CHECKING:
    from bnncore.backends import Job
    from bnncore.discovery.index import Index
    from bnncore.discovery.registry import Registry

__all__ = ["Considered", "board_of", "check_board", "consider_bitstreams", "fitting"]


@frozen(kw_only=True, eq=False)
class Considered:
    """A bitstream that is offered for a board, or for one with the same part.

    Attributes:
        place: name of the board that it is offered for.
        bitstream: its record; None if that cannot be had.
        problem: why it cannot be used on the board, or None if it can.
    """

    place: str
    bitstream: Bitstream | None
    problem: BnnError | None


def board_of(job: Job) -> Board | None:
    """Return the board that was asked for, or the one at hand, or None if there is neither."""
    here = detect()
    if job.board is None:
        return here
    asked = named(job.board)
    # A board that is not known by its name may well be one whose owner knows what it is like.
    return asked if here is None else evolve(asked, model=here.model, here=True)


def check_board(registry: Registry, name: str) -> None:
    """Refuse the name of a board that nobody knows: not bnncore, nor a bitstream's plugin, nor this machine.

    Raises:
        UnknownNameError: with close names, and those that are known.
    """
    asked, here = named(name), detect()
    if asked.part is not None or (here is not None and here.name == asked.name):
        return
    if is_name(asked.name) and canonical(asked.name) in _offered(registry.index):
        return
    offered = _offered(registry.rescan())
    if is_name(asked.name) and canonical(asked.name) in offered:
        return
    # Needed for an error alone.
    import difflib

    known = sorted({*PARTS, *offered.values()})
    close = difflib.get_close_matches(asked.name.lower(), known)
    hint = f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""
    raise UnknownNameError(
        f"no board {name!r} is known{hint}; known are {', '.join(known)}; a board that has the part of one of these "
        f"is named like it with {argument('board')}"
    )


def _offered(index: Index) -> dict[str, str]:
    """Return the boards that bitstreams are offered for, by their canonical names."""
    places = [named(claim.parts["board"]).name for claim in index.of(BITSTREAM)]
    return {canonical(place): place for place in places}


def consider_bitstreams(
    topology: Topology, find: Callable[[str], Bitstream | None], board: Board
) -> tuple[Considered, ...]:
    """Return what is offered for a topology on a board: under the board's own name, then those of its relatives.

    Args:
        topology: to be run.
        find: returns the bitstream of the topology for a board's name, or None; see ``Job.find_bitstream``.
        board: to run it on. Relatives are the known boards with the same part.
    """
    return tuple(_consider(topology, find, board))


def fitting(considered: tuple[Considered, ...]) -> Considered | None:
    """Return the one that is used: the first without a problem; what is blocked or broken hides no other."""
    return next((each for each in considered if each.problem is None), None)


def _consider(
    topology: Topology, find: Callable[[str], Bitstream | None], board: Board
) -> Iterator[Considered]:
    for place in filter(is_name, dict.fromkeys((board.name, *boards_of(board.part or "")))):
        try:
            bitstream = find(place)
        except BnnError as error:
            yield Considered(place=place, bitstream=None, problem=error)
            continue
        if bitstream is not None:
            yield Considered(place=place, bitstream=bitstream, problem=_problem(topology, bitstream, board))


def _problem(topology: Topology, bitstream: Bitstream, board: Board) -> BnnError | None:
    """Return why a bitstream does not run a topology on a board, or None if it does."""
    where = f"the bitstream of {bitstream.topology} for {', '.join(bitstream.boards)}"
    if board.part is not None and not same_part(bitstream.part, board.part):
        return TopologyError(f"{where} is made for {bitstream.part}, and {board.name} has {board.part}")
    try:
        bitstream.folding.check(topology)
    except TopologyError as error:
        return TopologyError(f"{where} does not fit: {error}")
    if bitstream.folding.digest(topology) != bitstream.digest:
        return TopologyError(
            f"{where} was built for other layers than topology {topology.name!r} has now; update the distribution "
            "that offers one of them"
        )
    return None
