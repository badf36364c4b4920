"""The part that a ``.bit`` file names."""

from __future__ import annotations

from pathlib import Path

import pytest
from bnnhw.errors import BackendError
from bnnhw.fpga.bitfile import check_part, read_part, same_part
from virtual_board.designs import ZU3EG, ZYNQ_7020, bit_bytes


@pytest.mark.parametrize("part", [ZYNQ_7020, ZU3EG])
def test_part_is_read_from_the_header(tmp_path: Path, part: str) -> None:
    (tmp_path / "x.bit").write_bytes(bit_bytes("x", part))
    assert read_part(tmp_path / "x.bit") == part


@pytest.mark.parametrize("size", [0, 1, 13, 20, 45])
def test_a_file_without_a_whole_header_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "x.bit").write_bytes(bit_bytes("x", ZYNQ_7020)[:size])
    with pytest.raises(BackendError, match=r"expected a Xilinx \.bit file"):
        read_part(tmp_path / "x.bit")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"gone\.bit: cannot be read"):
        read_part(tmp_path / "gone.bit")


@pytest.mark.parametrize("other", ["xc7z020clg400", "7z020clg400-1", "xc7z020-clg400", "XC7Z020CLG400-1"])
def test_spellings_of_one_part(other: str) -> None:
    assert same_part(ZYNQ_7020, other)


@pytest.mark.parametrize("other", ["", "xc7z010clg400", "xczu3eg-sbva484", "xc7z020clg484"])
def test_other_parts(other: str) -> None:
    assert not same_part(ZYNQ_7020, other)


def test_another_part_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bit").write_bytes(bit_bytes("x", ZU3EG))
    check_part(tmp_path / "x.bit", "xczu3eg-sbva484")
    with pytest.raises(BackendError, match="this board has xc7z020clg400"):
        check_part(tmp_path / "x.bit", "xc7z020clg400")
