"""What ``bnncore doctor`` says of a board."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import bnncore
from bnncore.boards import fpga
from bnncore.diagnosis import board as diagnosis_board
from bnncore.diagnosis.board import examine_board
from bnncore.diagnosis.finding import Finding

FILES = {
    "home/xilinx/REVISION": "Release 2023_01_10\nBoard Pynq-Z2\n",
    "proc/meminfo": "MemTotal:  500000 kB\nCmaTotal:  131072 kB\nCmaFree:   100000 kB\n",
}


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the versions of what is installed on the board."""
    versions = {"pynq": "3.1.2", "numpy": "1.26.4", "pycparser": "2.21"}

    monkeypatch.setattr(fpga, "version_of", versions.get)
    monkeypatch.setattr(diagnosis_board, "version_of", versions.get)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("XILINX_XRT", "/usr")
    return versions


def findings() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine_board(bnncore.registry)}


def problems() -> list[str]:
    return [finding.text for finding in findings().values() if finding.state == "problem"]


def test_off_board() -> None:
    found = findings()
    assert set(found) == {"board"}
    assert "none: looked for" in found["board"].text


def test_a_healthy_board(board: Callable, versions: dict[str, str]) -> None:
    board("Pynq-Z2", model="TUL PYNQ-Z2", files=FILES)
    found = findings()
    assert problems() == []
    assert found["board"].text == "pynq-z2 (TUL PYNQ-Z2), programmable logic xc7z020clg400"
    assert found["image"].text == "Release 2023_01_10; Board Pynq-Z2"
    assert found["contiguous memory"].text == "97 of 128 MiB free"
    assert found["FPGA manager"].text == "state 'operating'"
    assert found["bitstream cnvW1A1.pynq-z2"].state == "note"
    assert not any("ultra96" in subject or "pynq-z1" in subject for subject in found)


def test_every_trap_is_a_problem_with_its_remedy(
    board: Callable, versions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Pynq-Z1", files=FILES)
    versions.update(numpy="2.1.0", pycparser="3.0")
    monkeypatch.delenv("XILINX_XRT")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    said = " ".join(text for text in (f.text for f in examine_board(bnncore.registry) if f.state == "problem"))
    for remedy in ("numpy<2", "pycparser<3", "XILINX_XRT=/usr", "sudo -i"):
        assert remedy in said


def test_clocks_of_pynq_4_on_zynq_7000(board: Callable, versions: dict[str, str]) -> None:
    board("Pynq-Z1", files=FILES)
    versions["pynq"] = "4.0.0"
    notes = [finding.text for finding in examine_board(bnncore.registry) if finding.state == "note"]
    assert any("misreads their clocks" in text for text in notes)


def test_a_python_without_pynq(board: Callable, versions: dict[str, str]) -> None:
    board("Pynq-Z1", files=FILES)
    del versions["pynq"]
    assert "--system-site-packages" in problems()[0]


def test_little_contiguous_memory(board: Callable, versions: dict[str, str]) -> None:
    board("Pynq-Z1", files={**FILES, "proc/meminfo": "CmaTotal: 131072 kB\nCmaFree: 100 kB\n"})
    assert problems() == ["0 of 128 MiB free; end programs that hold pynq buffers, or restart"]


def test_an_unknown_board(board: Callable, versions: dict[str, str]) -> None:
    board("My Own Board", files=FILES)
    assert "programmable logic is not known" in findings()["board"].text


def test_a_bitstream_that_was_changed_is_a_problem(
    board: Callable, versions: dict[str, str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    board("Pynq-Z1", files=FILES)
    for suffix in ("bit", "hwh"):
        (tmp_path / f"cnvW1A1-pynqZ1-Z2.{suffix}").write_text("other")  # type: ignore[operator]  # a Path
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(tmp_path))
    assert "expected SHA-256 6c422d8b" in findings()["bitstream cnvW1A1.pynq-z1"].text
