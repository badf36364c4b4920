"""Publishers' files: given by path or fetched from a server of our own, verified, unpacked, found."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import pickle
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import attrs
import numpy as np
import pytest

from bnncore.cli import main
from bnncore.datasets import DatasetError, read
from bnncore.datasets.obtaining import from_network, from_path
from bnncore.datasets.publishers import PUBLISHED, PublishedFile, PublishedSet, published
from bnncore.datasets.unpacking import unpack

pytest.importorskip("pooch", reason="fetching needs the extra [data]")

# Noise, so that the archive is not much smaller: several of the pieces in which it is fetched.
RECORDS = np.random.default_rng(0).integers(0, 256, (200, 3073), np.uint8)
RECORDS[:, 0] %= 10
PIECE = 2**16


def tar_gz(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def cifar_files(folder: str = "cifar-10-batches-bin/") -> dict[str, bytes]:
    return {
        f"{folder}data_batch_1.bin": RECORDS[:150].tobytes(),
        f"{folder}test_batch.bin": RECORDS[150:].tobytes(),
        f"{folder}batches.meta.txt": b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n",
    }


class Server(ThreadingHTTPServer):
    """Serves files from memory, and can fail on purpose.

    Attributes:
        files: path to content.
        fallback: content of any other path.
        ranges: the ``Range`` header of each request so far.
        break_after: break each of the next transfers after so many bytes.
        knows_ranges: whether it can continue a transfer.
        pauses: seconds after each piece, of each of the next transfers.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.fallback: bytes | None = None
        self.ranges: list[str | None] = []
        self.break_after: list[int] = []
        self.knows_ranges = True
        self.pauses: list[float] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers["Range"]
        server.ranges.append(wanted)
        content = server.files.get(self.path.lstrip("/"), server.fallback)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.knows_ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        part = content[start:]
        if server.break_after:
            part = part[: server.break_after.pop(0)]
        pause = server.pauses.pop(0) if server.pauses else 0.0
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(part), PIECE):
                self.wfile.write(part[at : at + PIECE])
                time.sleep(pause)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def offer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PublishedSet]:
    """Return a function that publishes an archive as cifar10 on the server."""

    def publish(content: bytes, *, served: bytes | None = None, urls: tuple[str, ...] = ()) -> PublishedSet:
        name = "cifar-10-binary.tar.gz"
        server.files[name] = content if served is None else served
        file = PublishedFile(
            name=name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            urls=urls or (server.url(name),),
        )
        known = attrs.evolve(PUBLISHED["cifar10"], files=(file,), train=150, test=50)
        monkeypatch.setitem(PUBLISHED, "cifar10", known)
        return known

    return publish


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class TestFetching:
    def test_fetches_verifies_unpacks_and_reads(
        self, offer: Callable[..., PublishedSet], server: Server
    ) -> None:
        obtained = from_network(offer(tar_gz(cifar_files())))
        assert obtained.checked == "SHA-256 as published"
        assert len(read(obtained.folder, "train")) == 150
        assert len(read(obtained.folder, "test")) == 50
        assert server.ranges == [None]

    def test_second_time_comes_from_the_cache(self, offer: Callable[..., PublishedSet], server: Server) -> None:
        known = offer(tar_gz(cifar_files()))
        first = from_network(known)
        server.files.clear()
        assert from_network(known) == first
        assert len(server.ranges) == 1

    def test_continues_a_broken_transfer(self, offer: Callable[..., PublishedSet], server: Server) -> None:
        known = offer(tar_gz(cifar_files()))
        server.break_after = [3 * PIECE + 10, 2 * PIECE]
        assert len(read(from_network(known).folder)) == 150
        assert server.ranges == [None, f"bytes={3 * PIECE}-", f"bytes={5 * PIECE}-"]

    def test_continues_in_the_next_call(self, offer: Callable[..., PublishedSet], server: Server) -> None:
        known = offer(tar_gz(cifar_files()))
        server.break_after = [PIECE] * 4
        with pytest.raises(DatasetError, match="what has arrived is kept"):
            from_network(known)
        assert len(read(from_network(known).folder)) == 150
        assert server.ranges[-1] == f"bytes={4 * PIECE}-"

    def test_several_at_once_do_not_trip_over_each_other(
        self, offer: Callable[..., PublishedSet], server: Server, tmp_path: Path
    ) -> None:
        known = offer(tar_gz(cifar_files()))
        server.pauses = [0.01] * 6
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _: from_network(known), range(6)))
        assert found == [found[0]] * 6
        assert len(read(found[0].folder, "train")) == 150
        left = [path.name for path in (tmp_path / "cache" / "data" / "cifar10").iterdir()]
        assert sorted(left) == sorted([known.files[0].name, known.files[0].sha256[:16]])

    def test_continues_what_a_killed_process_had_and_takes_away_the_rest(
        self, offer: Callable[..., PublishedSet], server: Server, tmp_path: Path
    ) -> None:
        known = offer(tar_gz(cifar_files()))
        server.pauses = [5.0]
        script = "from bnncore.datasets.downloads import fetch\n"
        script += "from bnncore.datasets.publishers import PublishedFile\nfrom pathlib import Path\n"
        script += f"fetch({known.files[0]!r}, Path({str(tmp_path / 'cache' / 'data' / 'cifar10')!r}))"
        process = subprocess.Popen([sys.executable, "-c", script])
        part = tmp_path / "cache" / "data" / "cifar10" / f"{known.files[0].name}.part"
        while not (part.is_file() and part.stat().st_size):
            time.sleep(0.01)
        # While that one has it, another does not wait for it.
        assert len(read(from_network(known).folder)) == 150
        assert process.poll() is None
        process.kill()
        process.wait()
        (part.parent / known.files[0].name).unlink()
        assert len(read(from_network(known).folder)) == 150
        assert server.ranges[:2] == [None, None]
        assert server.ranges[-1] is not None
        left = [path.name for path in part.parent.iterdir()]
        assert sorted(left) == sorted([known.files[0].name, known.files[0].sha256[:16]])

    def test_what_an_archive_was_unpacked_to_is_not_in_the_way_of_fetched_files(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        images = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(784)
        labels = bytes([0, 0, 8, 1, 0, 0, 0, 1, 7])
        contents = {
            f"{split}-{kind}-ubyte.gz": gzip.compress(content)
            for split in ("train", "t10k")
            for kind, content in (("images-idx3", images), ("labels-idx1", labels))
        }
        server.files.update(contents)
        files = tuple(
            PublishedFile(
                name=name,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                urls=(server.url(name),),
            )
            for name, content in contents.items()
        )
        known = attrs.evolve(PUBLISHED["mnist"], files=files)
        (tmp_path / "mine.tar.gz").write_bytes(tar_gz(contents))
        unpacked = from_path(known, tmp_path / "mine.tar.gz").folder
        fetched = from_network(known).folder
        assert fetched == unpacked.parent
        assert len(read(fetched, "test")) == 1

    def test_starts_anew_where_the_server_cannot_continue(
        self, offer: Callable[..., PublishedSet], server: Server
    ) -> None:
        known = offer(tar_gz(cifar_files()))
        server.knows_ranges = False
        server.break_after = [2 * PIECE]
        assert len(read(from_network(known).folder)) == 150

    def test_refuses_another_content_and_keeps_nothing(
        self, offer: Callable[..., PublishedSet], server: Server, tmp_path: Path
    ) -> None:
        content = tar_gz(cifar_files())
        known = offer(content, served=content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(DatasetError, match="SHA256"):
            from_network(known)
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    def test_refuses_more_than_was_announced(self, offer: Callable[..., PublishedSet], server: Server) -> None:
        content = tar_gz(cifar_files())
        with pytest.raises(DatasetError, match="more than the"):
            from_network(offer(content, served=content + bytes(2**20)))

    def test_tries_the_next_address(self, offer: Callable[..., PublishedSet], server: Server) -> None:
        urls = (server.url("gone"), server.url("cifar-10-binary.tar.gz"))
        assert len(read(from_network(offer(tar_gz(cifar_files()), urls=urls)).folder)) == 150

    def test_names_every_address_that_failed(self, offer: Callable[..., PublishedSet], server: Server) -> None:
        urls = (server.url("gone"), server.url("lost"))
        with pytest.raises(DatasetError, match=r"gone: 404.*lost: 404.*path="):
            from_network(offer(tar_gz(cifar_files()), urls=urls))

    def test_other_address_with_the_users_checksum(self, server: Server) -> None:
        content = tar_gz(python_batches("cucumber-9-python/"))
        server.files["mine.tar.gz"] = content
        url, digest = server.url("mine.tar.gz"), hashlib.sha256(content).hexdigest()
        obtained = from_network(PUBLISHED["cucumber9"], url, digest.upper())
        assert obtained.checked == "SHA-256 as you gave it"
        assert read(obtained.folder, "test").classes == ("2L", "L")
        with pytest.raises(DatasetError, match="SHA256"):
            from_network(PUBLISHED["cucumber9"], url, "0" * 64)

    @pytest.mark.parametrize(
        "path",
        ["..", "", ".hidden", "a/../..", "%2e%2e", "x" * 300, "a\x1b[2Jb", "a:b*c", "x.tar.gz?as=..", "x#y"],
    )
    def test_an_address_may_end_in_anything(self, server: Server, path: str, tmp_path: Path) -> None:
        content = tar_gz(python_batches("cucumber-9-python/"))
        server.fallback = content
        digest = hashlib.sha256(content).hexdigest()
        obtained = from_network(PUBLISHED["cucumber9"], server.url(path), digest)
        assert len(read(obtained.folder, "test")) == 3
        assert obtained.folder.is_relative_to(tmp_path / "cache" / "data" / "cucumber9")

    def test_nothing_is_fetched_without_a_checksum(self) -> None:
        with pytest.raises(DatasetError, match=r"names no checksum.*sha256=.*workpiles"):
            from_network(PUBLISHED["cucumber9"])

    def test_without_pooch_says_how_to_get_it(
        self, offer: Callable[..., PublishedSet], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pooch", None)
        with pytest.raises(DatasetError, match=r"pip install 'bnncore\[data\]'.*path="):
            from_network(offer(b"x"))


def python_batches(folder: str) -> dict[str, bytes]:
    def batch(count: int) -> bytes:
        content = {"data": RECORDS[:count, 1:], "labels": [index % 2 for index in range(count)]}
        return pickle.dumps(content, protocol=2)

    return {
        f"{folder}data_batch_1": batch(7),
        f"{folder}test_batch": batch(3),
        f"{folder}batches.meta": pickle.dumps({"label_names": ["2L", "L"]}, protocol=2),
    }


@pytest.mark.usefixtures("cache")
class TestFromPath:
    def test_folder_is_taken_where_it_is(self, tmp_path: Path) -> None:
        for name, content in cifar_files("deep/down/").items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        assert from_path(PUBLISHED["cifar10"], tmp_path).folder == tmp_path / "deep" / "down"

    def test_archive_of_a_repository_with_the_archive_in_it(self, tmp_path: Path, cache: Path) -> None:
        archive = tmp_path / "CUCUMBER-9-master.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("CUCUMBER-9-master/README.md", "hello")
            inner = tar_gz(python_batches("cucumber-9-python/"))
            file.writestr("CUCUMBER-9-master/prototype_1/cucumber-9-python.tar.gz", inner)
            file.writestr("CUCUMBER-9-master/prototype_2/cucumber-9-python.tar.gz", tar_gz({"x/y": b"z"}))
        obtained = from_path(PUBLISHED["cucumber9"], archive)
        assert "its publisher names none" in obtained.checked
        assert cache in obtained.folder.parents
        assert len(read(obtained.folder, "train")) == 7

    def test_two_prototypes_side_by_side(self, tmp_path: Path) -> None:
        for part in ("prototype_1", "prototype_2"):
            for name, content in python_batches(f"{part}/").items():
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(content)
        assert from_path(PUBLISHED["cucumber9"], tmp_path).folder == tmp_path / "prototype_1"

    def test_ambiguous_folders_are_named(self, tmp_path: Path) -> None:
        for part in ("one", "two"):
            for name, content in cifar_files(f"{part}/").items():
                (tmp_path / name).parent.mkdir(exist_ok=True)
                (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=r"one, two"):
            from_path(PUBLISHED["cifar10"], tmp_path)

    def test_wrong_checksum(self, tmp_path: Path) -> None:
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(tar_gz(cifar_files()))
        with pytest.raises(DatasetError, match=r"expected SHA-256 0{64}, found"):
            from_path(PUBLISHED["cifar10"], archive, "0" * 64)

    def test_layout_of_another_set(self, tmp_path: Path) -> None:
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(tar_gz(cifar_files()))
        with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz, found none"):
            from_path(PUBLISHED["mnist"], archive)

    @pytest.mark.parametrize("content", [b"", b"no archive at all", tar_gz(cifar_files())[:-400]])
    def test_damaged_archive_leaves_nothing(self, tmp_path: Path, cache: Path, content: bytes) -> None:
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(content)
        with pytest.raises(DatasetError, match=r"a\.tar\.gz"):
            from_path(PUBLISHED["cifar10"], archive)
        assert [path for path in cache.rglob("*") if path.is_file()] == []

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="found nothing there"):
            from_path(PUBLISHED["cifar10"], tmp_path / "nothing")


class TestUnpacking:
    @pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
    def test_one_changed_bit_is_noticed(self, tmp_path: Path, kind: str) -> None:
        archive = tmp_path / f"a.tar.{kind}"
        noise = np.random.default_rng(0).bytes(100_000)
        with tarfile.open(archive, cast(Any, f"w:{kind}")) as tar:
            member = tarfile.TarInfo("noise.bin")
            member.size = len(noise)
            tar.addfile(member, io.BytesIO(noise))
        content = archive.read_bytes()
        for position in np.linspace(len(content) // 4, 3 * len(content) // 4, 10).astype(int):
            changed = bytearray(content)
            changed[position] ^= 4
            archive.write_bytes(changed)
            with pytest.raises(DatasetError, match=r"a\.tar\.\w+: "):
                unpack(archive, tmp_path / "out")

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
    def test_damage_in_the_middle_is_named(self, tmp_path: Path, kind: str) -> None:
        archive = tmp_path / f"a.tar.{kind}"
        noise = np.random.default_rng(0).bytes(2_000_000)  # more than one block of bz2
        with tarfile.open(archive, cast(Any, f"w:{kind}")) as tar:
            member = tarfile.TarInfo("noise.bin")
            member.size = len(noise)
            tar.addfile(member, io.BytesIO(noise))
        content = bytearray(archive.read_bytes())
        content[len(content) // 2 :: 7] = bytes(len(content[len(content) // 2 :: 7]))
        archive.write_bytes(content)
        with pytest.raises(DatasetError, match=r"a\.tar\.\w+: cannot be unpacked, it is damaged or cut short"):
            unpack(archive, tmp_path / "out")
        assert [path.name for path in tmp_path.iterdir()] == [archive.name]

    @pytest.mark.parametrize(
        "name", ["../outside", "/outside", "a/../../outside", "..\\outside", "C:\\outside"]
    )
    def test_nothing_lands_outside(self, tmp_path: Path, name: str) -> None:
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(tar_gz({name: b"x"}))
        with pytest.raises(DatasetError, match="outside the folder"):
            unpack(archive, tmp_path / "in" / "here")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]

    def test_links_and_devices_are_passed_over(self, tmp_path: Path) -> None:
        archive = tmp_path / "a.tar"
        with tarfile.open(archive, "w") as tar:
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
                info = tarfile.TarInfo(f"odd{kind.decode()}")
                info.type = kind
                info.linkname = "/etc/passwd"
                tar.addfile(info)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            zipped.writestr(link, "/etc/passwd")
        for number, path in enumerate((archive, tmp_path / "a.zip")):
            unpack(path, tmp_path / str(number))
            assert list((tmp_path / str(number)).iterdir()) == []

    @pytest.mark.parametrize("name", [".", "./", "././."])
    def test_a_file_without_a_name_is_refused(self, tmp_path: Path, name: str) -> None:
        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo(name))
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
            zipped.writestr(name.rstrip("/"), b"x")
        for archive in (tmp_path / "a.tar", tmp_path / "a.zip"):
            with pytest.raises(DatasetError, match=r"a\.(tar|zip): expected files with names, found '\."):
                unpack(archive, tmp_path / "x")

    # The flags and the method of a file, in the archive's directory and before the file itself.
    @pytest.mark.parametrize(
        ("offsets", "value", "message"),
        [((8, 6), 1, "encrypted"), ((10, 8), 99, "compression method")],
        ids=["encrypted", "unknown method"],
    )
    def test_a_zip_that_python_cannot_open_is_refused(
        self, tmp_path: Path, offsets: tuple[int, int], value: int, message: str
    ) -> None:
        archive = tmp_path / "a.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("file", b"content")
        content = bytearray(archive.read_bytes())
        for signature, offset in zip((b"PK\1\2", b"PK\3\4"), offsets):
            content[content.index(signature) + offset] = value
        archive.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"a\.zip: cannot be unpacked: .*{message}.*unpack it yourself"):
            unpack(archive, tmp_path / "x")
        assert not (tmp_path / "x").exists()

    def test_bomb_is_stopped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("bnncore.datasets.unpacking._MOST_BYTES", 10**6)
        archive = tmp_path / "a.tar.gz"
        archive.write_bytes(tar_gz({"zeros": bytes(2 * 10**6)}))
        with pytest.raises(DatasetError, match="more than 1000000 bytes"):
            unpack(archive, tmp_path / "x")
        assert not (tmp_path / "x").exists()


class TestCommand:
    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["data", *arguments])
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    def test_lists_what_is_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _ = self.run(capsys)
        assert code == 0
        assert all(name in out for name in ("cifar10", "cucumber9", "mnist"))

    def test_describes_without_fetching(
        self, capsys: pytest.CaptureFixture[str], offer: Callable[..., PublishedSet], server: Server
    ) -> None:
        known = offer(b"x")
        code, out, _ = self.run(capsys, "cifar10")
        assert code == 0
        assert known.files[0].sha256 in out
        assert "--fetch" in out
        assert server.ranges == []

    def test_fetches_and_reports(
        self, capsys: pytest.CaptureFixture[str], offer: Callable[..., PublishedSet]
    ) -> None:
        offer(tar_gz(cifar_files()))
        code, out, err = self.run(capsys, "cifar10", "--fetch", "--json")
        assert (code, err) == (0, "")
        report = json.loads(out)
        assert (report["train"], report["test"], report["checked"]) == (150, 50, "SHA-256 as published")
        assert report["classes"] == list("abcdefghij")
        code, out, _ = self.run(capsys, "cifar10", "--fetch")
        assert f"bnncore train cifar10 --data {report['folder']}" in out

    def test_says_when_a_split_is_missing(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "data_batch_1.bin").write_bytes(RECORDS.tobytes())
        code, out, err = self.run(capsys, "cifar10", "--from", str(tmp_path))
        assert code == 0
        assert "200 images; its publisher has 50,000" in out
        assert "test_batch" in err

    def test_errors_are_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments in (["imagenet"], ["cucumber9", "--fetch"], ["mnist", "--from", "/nowhere"]):
            code, out, err = self.run(capsys, *arguments)
            assert (code, out, err.count("\n")) == (1, "", 1)

    def test_errors_name_its_own_options(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, _, err = self.run(capsys, "cucumber9", "--fetch")
        assert "give both --url and --sha256; or download it from" in err
        assert "give it with --from" in err

    def test_from_and_fetch_exclude_each_other(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(capsys, "mnist", "--fetch", "--from", "x")[0] == 2


def test_a_datasets_name_means_its_data() -> None:
    assert published("MNIST-LFC") is published("mnist")


def test_published_checksums_fit_the_files_at_hand(test_data: Path) -> None:
    """The images at hand are shuffled within a split, so their names and counts can be compared, not their sums."""
    names = {path.name for path in (test_data / "data" / "mnist").iterdir()}
    assert {file.name for file in PUBLISHED["mnist"].files} == names
    found = from_path(PUBLISHED["mnist"], test_data / "data" / "mnist")
    assert len(read(found.folder, "test")) == PUBLISHED["mnist"].test
