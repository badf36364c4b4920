"""What stands in for real bitstreams: files with a Xilinx header, and what the fabric makes of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from attrs import frozen
from bnnhw.topology import Folding, Topology

ZYNQ_7020 = "7z020clg400"
ZU3EG = "xczu3eg-sbva484-1-e"


@frozen(kw_only=True)
class Design:
    """An accelerator: the network that it was built for, and how it is folded."""

    topology: Topology
    folding: Folding


@frozen(kw_only=True)
class Overlay:
    """A stand-in bitstream on disk."""

    bit: Path
    sha256: str
    design: Design | None


def write_overlay(
    folder: Path, name: str, *, design: Design | None, hwh: bytes = b"<EDKSYSTEM/>", part: str = ZYNQ_7020
) -> Overlay:
    """Write ``name.bit``, with a Xilinx header and a content of its own, and ``name.hwh``."""
    content = bit_bytes(name, part)
    (folder / f"{name}.bit").write_bytes(content)
    (folder / f"{name}.hwh").write_bytes(hwh)
    return Overlay(bit=folder / f"{name}.bit", sha256=hashlib.sha256(content).hexdigest(), design=design)


def bit_bytes(name: str, part: str, payload: bytes | None = None) -> bytes:
    """Return a ``.bit`` file; the payload is not configuration data of any device."""
    payload = payload or hashlib.sha256(name.encode()).digest() * 64

    def field(key: bytes, text: str) -> bytes:
        data = text.encode() + b"\0"
        return key + len(data).to_bytes(2, "big") + data

    head = (9).to_bytes(2, "big") + bytes.fromhex("0ff00ff00ff00ff000") + (1).to_bytes(2, "big")
    head += field(b"a", f"{name};UserID=0XFFFFFFFF;Version=2018.2") + field(b"b", part)
    head += field(b"c", "2018/09/20") + field(b"d", "12:00:00")
    return head + b"e" + len(payload).to_bytes(4, "big") + payload
