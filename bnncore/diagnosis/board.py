"""The board's part of ``bnncore doctor``: what this board is, and what would go wrong on it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bnncore import environment
from bnncore.boards import detection
from bnncore.boards.bitstream_files import locate_files
from bnncore.boards.detection import Board, detect, places
from bnncore.boards.fpga import pynq_traps
from bnncore.boards.matching import consider_bitstreams, fitting
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.installed import version_of
from bnncore.discovery.kinds import BITSTREAM
from bnncore.discovery.names import canonical
from bnncore.discovery.registry import Registry
from bnncore.errors import BlockedError, BnnError
from bnncore.places import cache_folder
from bnncore.records import Bitstream
from bnncore.spelling import argument

__all__ = ["examine_board"]

_REVISION = "home/xilinx/REVISION"
_STATE = "sys/class/fpga_manager/fpga0/state"
_MEMORY = "proc/meminfo"


def examine_board(registry: Registry) -> Iterator[Finding]:
    """Look at the board; off a board, say what was looked for. Imports no pynq."""
    board = detect()
    if board is None:
        yield Finding("ok", "board", f"none: looked for {' and '.join(places())}; the CPU does the work")
        return
    yield _model(board)
    image = _read(_REVISION).splitlines()
    if image:
        yield Finding("ok", "image", "; ".join(line.strip() for line in image if line.strip()))
    yield from _pynq(board)
    state = _read(_STATE).strip()
    if state:
        yield Finding("ok", "FPGA manager", f"state {state!r}")
    yield from _contiguous_memory()
    yield from _bitstreams(registry, board)


def _model(board: Board) -> Finding:
    what = f"{board.name}{f' ({board.model})' if board.model and board.model != board.name else ''}"
    if board.part is None:
        return Finding(
            "note",
            "board",
            f"{what}: its programmable logic is not known to bnncore, so the CPU does the work. Known are "
            f"{', '.join(detection.PARTS)}; if yours has the part of one of these, name it with "
            f"{argument('board')}",
        )
    return Finding("ok", "board", f"{what}, programmable logic {board.part}")


def _pynq(board: Board) -> Iterator[Finding]:
    release = version_of("pynq")
    if release is None:
        yield Finding(
            "problem",
            "pynq",
            "not installed in this Python, so the FPGA cannot be used: source /etc/profile.d/pynq_venv.sh, or make "
            "the virtual environment with --system-site-packages",
        )
        return
    traps = pynq_traps(board)
    for trap in traps:
        yield Finding("problem", f"pynq {release}", trap)
    if release.startswith("4.") and (board.part or "").startswith("xc7z"):
        yield Finding(
            "note",
            f"pynq {release}",
            "4.0 dropped Zynq-7000 boards and misreads their clocks, so a plain Overlay() fails here; bnncore sets "
            "the clocks itself. The image made for this board has pynq 3",
        )
    if not traps:
        yield Finding("ok", f"pynq {release}", "numpy, pycparser, user and XILINX_XRT are as it needs them")


def _contiguous_memory() -> Iterator[Finding]:
    sizes = dict(line.split(":", 1) for line in _read(_MEMORY).splitlines() if ":" in line)
    if "CmaTotal" in sizes and "CmaFree" in sizes:
        free = int(sizes["CmaFree"].split()[0])
        text = f"{free // 1024} of {int(sizes['CmaTotal'].split()[0]) // 1024} MiB free"
        if free < 4096:
            yield Finding(
                "problem", "contiguous memory", f"{text}; end programs that hold pynq buffers, or restart"
            )
        else:
            yield Finding("ok", "contiguous memory", text)


def _bitstreams(registry: Registry, board: Board) -> Iterator[Finding]:
    if find_spec("bnn") is not None:
        yield Finding(
            "ok", "bnn", "the old package is installed; its bitstreams are used if they are unchanged"
        )
    names = {
        canonical(each): each for each in (claim.parts["topology"] for claim in registry.index.of(BITSTREAM))
    }
    for name in names.values():
        try:
            topology = registry.topology(name)
        except BnnError as error:
            yield Finding("problem", f"bitstreams of {name}", str(error))
            continue
        considered = consider_bitstreams(topology, partial(registry.bitstream, name), board)
        fit = fitting(considered)
        for each in considered:
            subject = f"bitstream {name}.{each.place}"
            if each is fit:
                assert each.bitstream is not None
                yield _files(subject, each.bitstream)
            elif each.problem is not None:
                blocked = isinstance(each.problem, BlockedError)
                yield Finding("note" if blocked else "problem", subject, str(each.problem))


def _files(subject: str, bitstream: Bitstream) -> Finding:
    try:
        found = locate_files(bitstream)
    except BnnError as error:
        return Finding("problem", subject, str(error))
    if found is not None:
        return Finding("ok", subject, f"in {found.source}")
    try:
        cache = str(cache_folder())
    except BnnError:
        cache = "no cache, for want of a home folder"
    return Finding(
        "note",
        subject,
        f"not on this machine (looked into {environment.BITSTREAMS.value or environment.BITSTREAMS}, installed "
        f"packages and {cache}); fetched at the first use if that is possible",
    )


def _read(place: str) -> str:
    try:
        return (detection._ROOT / Path(place)).read_text("utf-8", "replace")
    except OSError:
        return ""
