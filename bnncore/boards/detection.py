"""Which board this is.

Read from what the kernel shows, not from the environment: ``$BOARD`` is lost under sudo and in services,
and Python's own words about the processor may be empty.
"""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from bnncore import environment
from bnncore.discovery.names import canonical, is_name

__all__ = ["PARTS", "Board", "boards_of", "detect", "named", "places"]

# The programmable logic of boards that run PYNQ. A bitstream fits a part, whatever the board is called.
PARTS = {
    "pynq-z1": "xc7z020clg400",
    "pynq-z2": "xc7z020clg400",
    "ultra96": "xczu3eg-sbva484",
    "zcu104": "xczu7ev-ffvc1156",
    "zcu111": "xczu28dr-ffvg1517",
    "rfsoc2x2": "xczu28dr-ffvg1517",
    "rfsoc4x2": "xczu48dr-ffvg1517",
    "kv260": "xck26-sfvc784",
}
# How images spell the names of boards, where that is not ours.
_OTHER_NAMES = {"ultra96v1": "ultra96", "ultra96v2": "ultra96", "pynqz1": "pynq-z1", "pynqz2": "pynq-z2"}

_ROOT = Path("/")
_PYNQ_BOARD = "proc/device-tree/chosen/pynq_board"
_MODEL = "proc/device-tree/model"
_FPGA = "sys/class/fpga_manager/fpga0"


@frozen(kw_only=True)
class Board:
    """A board.

    Attributes:
        name: canonical, for example ``pynq-z2``; what the machine says of itself if that is no known name.
        part: of the programmable logic, or None if it is not known.
        model: what the device tree calls the machine, or "".
        here: whether it was found on this machine, not just named by the user.
    """

    name: str
    part: str | None
    model: str = ""
    here: bool = True


def detect() -> Board | None:
    """Return the board that this program runs on, or None if it is none.

    Works as any user, under sudo, in Jupyter and in any virtual environment.
    """
    said = _text(_PYNQ_BOARD) or (environment.BOARD.value if (_ROOT / _FPGA).exists() else "")
    model = _text(_MODEL)
    if said:
        name = _known(said)
        return Board(name=name, part=PARTS.get(name), model=model)
    if (_ROOT / _FPGA).exists():
        return Board(name=model or "unknown", part=None, model=model)
    return None


def named(name: str) -> Board:
    """Return the board that a user names, wherever this program runs."""
    known = _known(name)
    return Board(name=known, part=PARTS.get(known), here=False)


def boards_of(part: str) -> tuple[str, ...]:
    """Return the names of the known boards with a part."""
    return tuple(name for name, other in PARTS.items() if other == part)


def places() -> tuple[str, ...]:
    """Return where ``detect`` looks, for messages."""
    return tuple(str(_ROOT / place) for place in (_PYNQ_BOARD, _FPGA))


def _known(said: str) -> str:
    """Return the canonical name of a board, or the words themselves if they are none we know."""
    if not is_name(said):
        return said
    spelling = canonical(said).replace("_", "-")
    return _OTHER_NAMES.get(spelling.replace("-", ""), spelling)


def _text(place: str) -> str:
    """Return a device tree's text, which ends in NUL; "" if there is none."""
    try:
        return (_ROOT / place).read_bytes().split(b"\0")[0].decode("utf-8", "replace").strip()
    except OSError:
        return ""
