"""The backend ``fpga``: a job on the accelerator that fits it, on the board at hand."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bnnhw.fpga.bitfile import same_part

from bnncore import environment
from bnncore.boards.bitstream_files import locate_files, obtain_files
from bnncore.boards.detection import Board, detect, places
from bnncore.boards.matching import board_of, consider_bitstreams, fitting
from bnncore.discovery.installed import version_of
from bnncore.errors import BackendError, ResourceError, SettingError
from bnncore.records import Bitstream, UserFile
from bnncore.spelling import argument

if TYPE_CHECKING:
    from bnnhw.fpga.executor import FpgaExecutor

    from bnncore.backends import Job

__all__ = ["executor", "obstacle", "pynq_traps"]


def obstacle(job: Job) -> str | None:
    """Return why the job cannot run on an FPGA here, or None if it can; imports no pynq, fetches nothing."""
    board = board_of(job)
    if board is None:
        return (
            f"this is no PYNQ board: looked for {' and '.join(places())}. To use a board that hides both, name it "
            f"with {argument('board')}"
        )
    here = detect()
    if here is not None and here.part and board.part and not same_part(here.part, board.part):
        return (
            f"this board is {here.name} with {here.part}, but {argument('board', board.name)} has {board.part}"
        )
    considered = consider_bitstreams(job.topology, job.find_bitstream, board)
    fit = fitting(considered)
    if fit is None:
        if considered:
            return "; ".join(str(each.problem) for each in considered)
        what = f"no bitstream of topology {job.topology.name!r} for {board.name}"
        if board.part is not None:
            return f"{what} ({board.part}) is installed"
        return (
            f"{what} is installed, and its programmable logic is not known to bnncore. If it is that of a Pynq-Z1, "
            f"Pynq-Z2 or Ultra96, name one of these with {argument('board')}"
        )
    if find_spec("pynq") is None:
        return (
            "pynq is not installed in this Python. On a board use that of its image "
            "(source /etc/profile.d/pynq_venv.sh), or make the virtual environment with --system-site-packages"
        )
    traps = pynq_traps(board)
    return "; ".join(traps) or (_missing(fit.bitstream, job.bitstream_folder) if fit.bitstream else None)


def executor(job: Job) -> FpgaExecutor:
    """Make the job ready on the board's accelerator; the bitstream is found or fetched now.

    Raises:
        BackendError: if the bitstream is nowhere, or the board cannot be used.
    """
    board = board_of(job)
    considered = consider_bitstreams(job.topology, job.find_bitstream, board) if board else ()
    fit = fitting(considered)
    if board is None or fit is None or fit.bitstream is None:
        raise BackendError(obstacle(job) or "the board was gone")
    bitstream = fit.bitstream
    foreign = environment.FOREIGN_OVERLAY.value or "replace"
    if foreign not in ("replace", "refuse"):
        raise SettingError(f"{environment.FOREIGN_OVERLAY} must be 'replace' or 'refuse', not {foreign!r}")
    from bnnhw.fpga.executor import FpgaExecutor
    from bnnhw.fpga.pynq_device import PynqDevice

    # Before anything is fetched: pynq may see no FPGA.
    device = PynqDevice()
    try:
        files = obtain_files(bitstream, folder=job.bitstream_folder)
    except ResourceError as error:
        raise BackendError(str(error)) from error
    return FpgaExecutor(
        job.network(),
        folding=bitstream.folding,
        bit=files.bit,
        part=board.part or bitstream.part,
        bitstream_id=files.sha256,
        parameters_id=job.parameters_id,
        foreign="refuse" if foreign == "refuse" else "replace",
        device=device,
    )


def _missing(bitstream: Bitstream, folder: Path | None) -> str | None:
    """Return what to do where only the user can bring the files of a bitstream and has not; None for all others."""
    if not isinstance(bitstream.bit, UserFile):
        return None
    try:
        if locate_files(bitstream, folder) is not None:
            return None
    except ResourceError as error:
        return str(error)
    return (
        f"{bitstream.bit.filename} is not on this machine, and cannot be fetched: put it and {bitstream.hwh.filename} "
        f"into a folder and name it with {environment.BITSTREAMS}"
    )


def pynq_traps(board: Board) -> tuple[str, ...]:
    """Return what keeps an installed pynq from working, each with what to do about it."""
    found = []
    if _major("numpy") >= 2:
        found.append(f"pynq cannot work with numpy {version_of('numpy')}: pip install 'numpy<2'")
    if _major("pynq") < 4 and _major("pycparser") >= 3:
        found.append(
            f"pynq {version_of('pynq')} cannot work with pycparser {version_of('pycparser')}: pip install 'pycparser<3'"
        )
    if board.here and os.geteuid() != 0:
        found.append("the FPGA can only be used by root: run as root (sudo -i), or in the board's Jupyter")
    if board.here and not environment.XILINX_XRT.is_set:
        found.append(
            "XILINX_XRT is not set, so pynq would not look for the FPGA; sudo drops it: run "
            "'sudo -i' and 'source /etc/profile.d/pynq_venv.sh', or set XILINX_XRT=/usr"
        )
    return tuple(found)


def _major(distribution: str) -> int:
    try:
        return int((version_of(distribution) or "").partition(".")[0])
    except ValueError:
        return 0
