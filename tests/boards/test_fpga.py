"""Why the FPGA cannot be used here, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from bnnhw.topology import Folding

import bnncore
from bnncore.backends import Job
from bnncore.boards import fpga
from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.errors import BackendError
from bnncore.records import Bitstream

VERSIONS = {"pynq": "3.1.2", "numpy": "1.26.4", "pycparser": "2.21"}


def job(topology: str = "cnvW1A1", **options: object) -> Job:
    def no_network() -> None:
        raise AssertionError("the network was opened")

    fields = {
        "topology": TOPOLOGIES[topology],
        "network": no_network,
        "parameters_id": "p",
        "find_bitstream": lambda board: bnncore.registry.bitstream(topology, board),
        **options,
    }
    return Job(**fields)  # type: ignore[arg-type]  # of several types


@pytest.fixture
def pynq(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Let pynq be installed, run by root, with XRT; return the versions of what is installed."""
    versions = dict(VERSIONS)

    monkeypatch.setattr(fpga, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setattr(fpga, "version_of", versions.get)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("XILINX_XRT", "/usr")
    return versions


def test_off_board_it_says_what_was_looked_for() -> None:
    said = fpga.obstacle(job())
    assert said is not None
    assert said.startswith("this is no PYNQ board: looked for ")
    assert "proc/device-tree/chosen/pynq_board" in said


def test_off_board_get_raises_with_it(binparams: Path) -> None:
    classifier = bnncore.load(binparams / "mnist" / "lfcW1A1", backend="fpga")
    with pytest.raises(BackendError, match="backend 'fpga' cannot run here: this is no PYNQ board"):
        classifier.backend  # noqa: B018  # the access raises


@pytest.mark.parametrize("name", ["Pynq-Z1", "Pynq-Z2", "Ultra96"])
@pytest.mark.parametrize("topology", sorted(TOPOLOGIES))
def test_nothing_is_in_the_way_on_the_three_boards(
    board: Callable,
    pynq: dict[str, str],
    name: str,
    topology: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board(name)
    if name == "Ultra96":
        # Nobody publishes digests of these: users bring them.
        bring(tmp_path, monkeypatch, topology)
    assert fpga.obstacle(job(topology)) is None


def bring(folder: Path, monkeypatch: pytest.MonkeyPatch, topology: str, accept: bool = True) -> None:
    digests = []
    for suffix in ("bit", "hwh"):
        (folder / f"{topology}-ultra96.{suffix}").write_bytes(suffix.encode())
        digests.append(hashlib.sha256(suffix.encode()).hexdigest())
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(folder))
    if accept:
        monkeypatch.setenv("BNNCORE_BITSTREAMS_ACCEPT", ",".join(digests))


def test_files_that_only_the_user_can_bring_are_missed_before_they_are_needed(
    board: Callable, pynq: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Ultra96")
    assert "cnvW1A1-ultra96.bit is not on this machine, and cannot be fetched" in str(fpga.obstacle(job()))
    bring(tmp_path, monkeypatch, "cnvW1A1", accept=False)
    assert "BNNCORE_BITSTREAMS_ACCEPT=" in str(fpga.obstacle(job()))


def test_without_pynq(board: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    board("Pynq-Z1")
    monkeypatch.setattr(fpga, "find_spec", lambda name: None)
    assert "pynq is not installed in this Python" in str(fpga.obstacle(job()))


@pytest.mark.parametrize(
    ("distribution", "found", "said"),
    [("numpy", "2.0.1", "numpy<2"), ("pycparser", "3.0", "pycparser<3")],
)
def test_versions_that_pynq_cannot_work_with(
    board: Callable, pynq: dict[str, str], distribution: str, found: str, said: str
) -> None:
    board("Pynq-Z1")
    pynq[distribution] = found
    assert said in str(fpga.obstacle(job()))


def test_a_user_that_is_not_root(
    board: Callable, pynq: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Pynq-Z1")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "only be used by root" in str(fpga.obstacle(job()))


def test_sudo_that_drops_the_environment(
    board: Callable, pynq: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Pynq-Z1")
    monkeypatch.delenv("XILINX_XRT")
    assert "XILINX_XRT is not set" in str(fpga.obstacle(job()))


def test_a_board_of_another_part(board: Callable, pynq: dict[str, str]) -> None:
    board("ZCU104")
    assert "no bitstream of topology 'cnvW1A1' for zcu104 (xczu7ev-ffvc1156)" in str(fpga.obstacle(job()))


def test_a_board_that_is_not_known_can_be_named_as_one_that_is(board: Callable, pynq: dict[str, str]) -> None:
    board("My Own Board")
    assert "is not known to bnncore" in str(fpga.obstacle(job()))
    assert fpga.obstacle(job(board="Pynq-Z2")) is None


def test_a_board_named_wrongly(board: Callable, pynq: dict[str, str]) -> None:
    board("Pynq-Z1")
    said = str(fpga.obstacle(job(board="ultra96")))
    assert said == "this board is pynq-z1 with xc7z020clg400, but board='ultra96' has xczu3eg-sbva484"


def test_a_bitstream_for_another_board_of_the_same_part_fits(board: Callable, pynq: dict[str, str]) -> None:
    board("Pynq-Z2")
    only_z1 = {"pynq-z1": bnncore.registry.bitstream("cnvW1A1", "pynq-z1")}
    assert fpga.obstacle(job(find_bitstream=only_z1.get)) is None


def altered(**changes: Any) -> Callable[[str], Bitstream]:
    record = bnncore.registry.bitstream("cnvW1A1", "pynq-z1")
    assert record is not None
    return lambda board: evolve(record, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": "0" * 64}, "was built for other layers"),
        ({"folding": Folding.of((5, 3))}, "does not fit: folding has 1 layers"),
    ],
)
def test_a_bitstream_of_another_network_is_refused(
    board: Callable, pynq: dict[str, str], changes: dict[str, object], said: str
) -> None:
    board("Pynq-Z1")
    assert said in str(fpga.obstacle(job(find_bitstream=altered(**changes))))


def test_nothing_is_fetched_where_pynq_sees_no_fpga(
    board: Callable, pynq: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Pynq-Z1")

    class Nothing:
        def __init__(self) -> None:
            raise BackendError("pynq sees no FPGA")

    monkeypatch.setattr("bnnhw.fpga.pynq_device.PynqDevice", Nothing)
    monkeypatch.setattr(fpga, "obtain_files", lambda *_, **__: pytest.fail("a bitstream was looked for"))
    with pytest.raises(BackendError, match="sees no FPGA"):
        fpga.executor(job())


def test_a_word_that_is_none_is_refused(
    board: Callable, pynq: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Pynq-Z1")
    monkeypatch.setenv("BNNCORE_FOREIGN_OVERLAY", "maybe")
    with pytest.raises(BackendError, match="must be 'replace' or 'refuse', not 'maybe'"):
        fpga.executor(job())
