"""The accelerators of BNN-PYNQ: its five networks on Pynq-Z1, Pynq-Z2 and Ultra96.

Each is one entry point in the group ``bnncore.bitstreams``. Sizes and digests are those of the files at one
commit of BNN-PYNQ. An installed ``bnn`` package holds the same files, so they are declared as its resources. Those for
Ultra96 are known by name alone: users bring them, and say which digests they trust.
"""

from __future__ import annotations

from bnncore.builtin.topologies import FOLDINGS
from bnncore.hookspecs import hookimpl
from bnncore.records import Bitstream, Resource, UserFile

__all__ = ["bnncore_bitstream"]

_SOURCE = "https://raw.githubusercontent.com/Xilinx/BNN-PYNQ/d39c1c75403db571f54dd0f0cf27ae5104ac968e"
_ZYNQ_FOLDER = "bitstreams/pynqZ1-Z2"
_BIT_SIZE = 4_045_675
_HWH_SIZE = 236_416

# SHA-256 of the .bit and .hwh files for Pynq-Z1 and Z2.
_PUBLISHED = {
    "cnvW1A1": (
        "6c422d8b7dd7b7f246a41079a46ffec61f69a675849f0cc6bc0f9317bf812a9a",
        "f0b1bba8b505704f6aa4e7306ba850b72916737c1874882debb9b0c94c9bbc18",
    ),
    "cnvW1A2": (
        "d2f52cd8fe711722da22483c0beb633b2b284e81fc782fd4804a46e100693fde",
        "1a53260848442620898ba444c7585911d9f744bc1f256f60cf39fe0ae190ac6b",
    ),
    "cnvW2A2": (
        "aba4d322086f339c98fd3407091e00079a41250056c2652a3e39b99a7eacabd3",
        "1f61c89dcb9d89d89eb9f17cb351f567141351875d7de035e0d6d512a749d873",
    ),
    "lfcW1A1": (
        "9ea7811ca8f36c4ae2f2d9d89dcca5046ae633de32de9d3487f4c6bdf6991dd9",
        "ebe84f8a0eb3d52bd0cfaeaa50bcd40b568f6e27db79ee46ef17342fc5ae5669",
    ),
    "lfcW1A2": (
        "0b2fcc322a5db16bd73340dd944329d9da447791e32aaeff128b43c9a92c7838",
        "44545bc1e19409eed99a74f79eeaf151c56fed86e7be4bf0193aa3dec9cdb903",
    ),
}

# Written out, not computed: what was built does not follow when a topology or folding is edited.
_DIGESTS = {
    "cnvW1A1": "820084f8ef5d9ec08ba1314c4d3a5e6b4669d1c19c8d58fc2829ebe0d496228d",
    "cnvW1A2": "7740fb29b2618621a836638b08a207c3cb454c96343080c4ec4c3de09daf2e39",
    "cnvW2A2": "b16801a47a60434bd483db888ccbecc2ed35bf17857027c39bbcca4a1093b109",
    "lfcW1A1": "58d6b975fc02d37d4b37c253d5587409313c13e5d0a7277d32753dfc3baaad3f",
    "lfcW1A2": "55be5f6d75983a7318bd7993e00b5b98934582d5cf7bd45c6d79f040ae0a7cec",
}


@hookimpl
def bnncore_bitstream(topology: str, board: str) -> Bitstream | None:
    """Return the accelerator of one of the five networks for a board."""
    if topology not in _PUBLISHED:
        return None
    if board in ("pynq-z1", "pynq-z2"):
        return _zynq(topology)
    if board == "ultra96":
        return _ultra96(topology)
    return None


def _zynq(topology: str) -> Bitstream:
    bit, hwh = _PUBLISHED[topology]
    return Bitstream(
        topology=topology,
        boards=("pynq-z1", "pynq-z2"),
        part="xc7z020clg400",
        folding=FOLDINGS[topology],
        digest=_DIGESTS[topology],
        bit=_published(f"{topology}-pynqZ1-Z2.bit", _BIT_SIZE, bit),
        hwh=_published(f"{topology}-pynqZ1-Z2.hwh", _HWH_SIZE, hwh),
        clock_mhz=100.0,
    )


def _ultra96(topology: str) -> Bitstream:
    return Bitstream(
        topology=topology,
        boards=("ultra96",),
        part="xczu3eg-sbva484",
        folding=FOLDINGS[topology],
        digest=_DIGESTS[topology],
        bit=UserFile(filename=f"{topology}-ultra96.bit"),
        hwh=UserFile(filename=f"{topology}-ultra96.hwh"),
        clock_mhz=300.0,
    )


def _published(name: str, size: int, sha256: str) -> Resource:
    path = f"{_ZYNQ_FOLDER}/{name}"
    return Resource(package="bnn", path=path, size=size, sha256=sha256, url=f"{_SOURCE}/bnn/{path}")
