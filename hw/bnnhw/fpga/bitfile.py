"""What a Xilinx ``.bit`` file says of itself: the part it was made for.

The file starts with a list of fields: a 16-bit length and as many bytes of unknown use, a 16-bit 1, then
fields of a one-letter key, a 16-bit length and a text that ends in NUL: ``a`` design, ``b`` part, ``c`` date,
``d`` time; ``e`` starts the configuration data, with a 32-bit length. All numbers are big-endian.
"""

from __future__ import annotations

from pathlib import Path

from bnnhw.errors import BackendError

__all__ = ["check_part", "read_part", "same_part"]

_HEADER_LIMIT = 4096


def read_part(bit: Path) -> str:
    """Return the part that a ``.bit`` file was made for, as written in it (``7z020clg400``).

    Raises:
        BackendError: if the file cannot be read or has no such header.
    """
    try:
        with bit.open("rb") as file:
            head = file.read(_HEADER_LIMIT)
    except OSError as error:
        raise BackendError(f"{bit}: cannot be read: {error.strerror or error}") from error
    offset = 2 + int.from_bytes(head[:2], "big") + 2
    while head[offset : offset + 1] in (b"a", b"b", b"c", b"d"):
        key = head[offset : offset + 1]
        size = int.from_bytes(head[offset + 1 : offset + 3], "big")
        text = head[offset + 3 : offset + 3 + size]
        if key == b"b" and len(text) == size:
            return text.rstrip(b"\0").decode("ascii", "replace")
        offset += 3 + size
    raise BackendError(f"{bit}: expected a Xilinx .bit file, found no header that names a part")


def same_part(one: str, other: str) -> bool:
    """Say whether two names mean the same device and package.

    Tools write ``xc7z020clg400-1``, ``xc7z020-clg400`` and ``7z020clg400`` for the same thing; the speed grade
    does not matter to a bitstream that is already placed.
    """
    left, right = sorted((_plain(one), _plain(other)), key=len)
    return bool(left) and right.startswith(left)


def check_part(bit: Path, part: str) -> None:
    """Refuse a ``.bit`` file that was made for another part.

    Raises:
        BackendError: naming both parts.
    """
    found = read_part(bit)
    if not same_part(found, part):
        raise BackendError(
            f"{bit} was made for the part {found}, this board has {part}, which it cannot configure; use the "
            "bitstream of this board"
        )


def _plain(part: str) -> str:
    return part.lower().replace("-", "").removeprefix("xc")
