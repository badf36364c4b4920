"""The order in which a bitstream's files are looked for, and what is refused."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import bnncore
from bnncore.boards import fetching
from bnncore.boards.bitstream_files import locate_files, obtain_files
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.discovery.kinds import BITSTREAM
from bnncore.errors import ResourceError
from bnncore.places import cache_folder
from bnncore.records import Bitstream, Resource, UserFile

BIT, HWH = b"bitstream" * 900, b"<hand-off/>" * 70


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def record(server: Any, monkeypatch: pytest.MonkeyPatch) -> Bitstream:
    """Return a bitstream whose files the server has."""
    monkeypatch.setattr(fetching, "_PAUSE_SECONDS", 0.0)
    server.files = {"/x.bit": BIT, "/x.hwh": HWH}

    def resource(name: str, content: bytes) -> Resource:
        return Resource(
            package="bnnold",
            path=f"bitstreams/{name}",
            size=len(content),
            sha256=sha256(content),
            url=f"{server.address}/{name}",
        )

    published = bnncore.registry.bitstream("cnvW1A1", "pynq-z1")
    assert published is not None
    return evolve(published, bit=resource("x.bit", BIT), hwh=resource("x.hwh", HWH))


def put(folder: Path, bit: bytes | None = BIT, hwh: bytes | None = HWH) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("x.bit", bit), ("x.hwh", hwh)):
        if content is not None:
            (folder / name).write_bytes(content)
    return folder


def test_fetched_once_and_then_found_in_the_cache(record: Bitstream, server: Any) -> None:
    assert locate_files(record) is None
    assert server.asked == []
    found = obtain_files(record)
    assert (found.bit.read_bytes(), found.bit.with_suffix(".hwh").read_bytes()) == (BIT, HWH)
    assert found.sha256 == sha256(BIT)
    assert found.source.startswith("http://")
    again = obtain_files(record)
    assert (again.bit, again.source) == (found.bit, "the cache")
    assert len(server.asked) == 2


def test_several_at_once_share_the_cache_and_what_a_killed_one_left_is_taken_away(
    record: Bitstream, server: Any
) -> None:
    folder = cache_folder() / "bitstreams"
    program = "import os, signal, sys, bnncore.writing as w, pathlib as p\n"
    program += "os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)\n"
    obtain_files(record)
    place = next(folder.iterdir())
    for path in place.iterdir():
        path.unlink()
    killed = [sys.executable, "-c", f"{program}w.write_atomically(p.Path({str(place / 'x.bit')!r}), b'half')"]
    assert subprocess.run(killed, check=False).returncode == -signal.SIGKILL
    assert len(list(place.iterdir())) == 1
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: obtain_files(record), range(8)))
    assert {each.bit for each in found} == {place / "x.bit"}
    assert sorted(path.name for path in place.iterdir()) == ["x.bit", "x.hwh"]
    assert (place / "x.bit").read_bytes() == BIT


def test_an_installed_package_goes_before_the_cache(
    record: Bitstream, server: Any, install: Callable[..., Path]
) -> None:
    obtain_files(record)
    site = install("bnnold", {}, {"bnnold/__init__.py": "raise ImportError('not a board')"})
    folder = put(site / "bnnold" / "bitstreams")
    found = obtain_files(record)
    assert (found.bit, found.source) == (folder / "x.bit", "the package 'bnnold'")


def test_the_users_folder_goes_first(
    record: Bitstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    obtain_files(record)
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(put(tmp_path / "mine")))
    assert obtain_files(record).bit == tmp_path / "mine" / "x.bit"
    assert obtain_files(record, folder=put(tmp_path / "named")).bit == tmp_path / "named" / "x.bit"


def test_a_folder_without_the_files_is_passed_over(record: Bitstream, tmp_path: Path) -> None:
    assert obtain_files(record, folder=tmp_path / "nothing").source.startswith("http://")


def test_half_a_pair_in_the_users_folder_is_refused(record: Bitstream, tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", hwh=None)
    with pytest.raises(ResourceError, match=r"side by side, found no x\.hwh"):
        obtain_files(record, folder=folder)


def test_another_file_in_the_users_folder_needs_a_word(
    record: Bitstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path / "mine", bit=b"my own build")
    digest = sha256(b"my own build")
    with pytest.raises(ResourceError, match=f"found {digest}.*BNNCORE_BITSTREAMS_ACCEPT={digest}"):
        obtain_files(record, folder=folder)
    assert obtain_files(record, folder=folder, accept=[digest]).sha256 == digest
    monkeypatch.setenv("BNNCORE_BITSTREAMS_ACCEPT", f"0123, {digest.upper()}")
    assert obtain_files(record, folder=folder).bit == folder / "x.bit"


def test_a_hand_off_file_needs_a_word_as_well(record: Bitstream, tmp_path: Path) -> None:
    folder = put(tmp_path / "mine", hwh=b"other")
    with pytest.raises(ResourceError, match=r"x\.hwh: expected SHA-256"):
        obtain_files(record, folder=folder)


@pytest.mark.parametrize("content", [b"", BIT[:-1], BIT[:-1] + b"!"])
def test_a_damaged_cache_is_replaced(record: Bitstream, server: Any, content: bytes) -> None:
    found = obtain_files(record)
    found.bit.write_bytes(content)
    again = obtain_files(record)
    assert again.bit.read_bytes() == BIT
    assert len(server.asked) == 4


@pytest.mark.parametrize("trouble", ["cut", "altered", "gone"])
def test_a_fetch_that_fails_leaves_nothing_in_the_cache(record: Bitstream, server: Any, trouble: str) -> None:
    if trouble == "cut":
        server.cut = 99
    elif trouble == "altered":
        server.files["/x.bit"] = BIT[:-1] + b"!"
    else:
        del server.files["/x.bit"]
    with pytest.raises(ResourceError, match=r"fetching it failed: .* Without a network: fetch http"):
        obtain_files(record)
    assert not [path for path in cache_folder().rglob("*") if path.is_file() and path.name != "x.hwh"]
    server.cut, server.files["/x.bit"] = 0, BIT
    assert obtain_files(record).bit.read_bytes() == BIT


def test_a_cache_that_cannot_be_written_is_reported(
    record: Bitstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "file"))
    with pytest.raises(ResourceError, match="fetching it failed"):
        obtain_files(record)


def test_files_that_nobody_publishes_come_from_the_user(tmp_path: Path, record: Bitstream) -> None:
    record = evolve(record, bit=UserFile(filename="x.bit"), hwh=UserFile(filename="x.hwh"))
    with pytest.raises(ResourceError, match=r"cannot be fetched.*x\.bit and x\.hwh into a folder.*sha256sum"):
        obtain_files(record)
    folder = put(tmp_path / "mine")
    with pytest.raises(ResourceError, match="none is published"):
        obtain_files(record, folder=folder)
    accept = [sha256(BIT), sha256(HWH)]
    assert obtain_files(record, folder=folder, accept=accept).sha256 == sha256(BIT)


@pytest.mark.parametrize("topology", sorted(TOPOLOGIES))
@pytest.mark.parametrize("board", ["pynq-z1", "pynq-z2", "ultra96"])
def test_all_five_networks_have_a_bitstream_for_all_three_boards(topology: str, board: str) -> None:
    record = bnncore.registry.bitstream(topology, board)
    assert record is not None
    assert record.topology == topology
    assert board in record.boards
    assert record.digest == FOLDINGS[topology].digest(TOPOLOGIES[topology])
    assert isinstance(record.bit, UserFile if board == "ultra96" else Resource)
    assert bnncore.registry.owner(BITSTREAM, f"{topology}.{board}").distribution == "bnncore"


@pytest.mark.parametrize("topology", sorted(TOPOLOGIES))
def test_the_published_hand_off_files_are_those_declared(topology: str, test_data: Path) -> None:
    record = bnncore.registry.bitstream(topology, "pynq-z2")
    assert record is not None
    assert isinstance(record.hwh, Resource)
    content = (test_data / "bnn-pynq" / "overlays" / record.hwh.filename).read_bytes()
    assert (len(content), sha256(content)) == (record.hwh.size, record.hwh.sha256)
    table = (test_data / "bnn-pynq" / "README.md").read_text()
    assert isinstance(record.bit, Resource)
    assert f"| {record.bit.filename} | {record.bit.size} | {record.bit.sha256} |" in table


def test_a_bitstream_and_its_hand_off_file_share_a_name(record: Bitstream) -> None:
    with pytest.raises(ValueError, match=r"needs files name\.bit and name\.hwh"):
        evolve(record, hwh=UserFile(filename="other.hwh"))
