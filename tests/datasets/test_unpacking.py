"""An archive is judged by its headers: a small one neither fills memory or disk, nor takes for ever."""

from __future__ import annotations

import gzip
import io
import resource
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from bnncore.datasets.idx import read_idx_file
from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.unpacking import is_archive, unpack


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    """Return one block that declares any kind and size."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT)[:512])
    block[124:136] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def checked(kind: bytes, size: bytes) -> bytes:
    """Return a block with the size as it is spelt, and the right checksum."""
    block = bytearray(header(kind, 0))
    block[124:136] = size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def record(key: str, value: str = "") -> bytes:
    """Return a line of a PAX header, which begins with its own length."""
    rest = f" {key}={value}\n".encode()
    length = next(n for n in range(len(rest), len(rest) + 9) if n == len(rest) + len(str(n)))
    return str(length).encode() + rest


def described(kind: bytes, *records: bytes) -> bytes:
    content = b"".join(records)
    return header(kind, len(content)) + padded(content)


FILE = header(b"0", 0)
MANY = [record(f"k{number:06}") for number in range(35_000)]
SPARSE = [record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), record("GNU.sparse.name", "a")]

# Each is less than a megabyte as it is written, and takes seconds or hundreds of megabytes where nobody looks.
HOSTILE = {
    "half a megabyte of PAX": described(b"x", *MANY) + FILE,
    "PAX for all files": described(b"g", *MANY[:4000]) + FILE * 1000,
    "a long name": header(b"L", 2**27) + bytes(2**27),
    "folders": header(b"5", 0) * 100_000,
    "files": b"".join(header(b"0", 0, f"f{number}") for number in range(20_000)),
    "zeros": header(b"0", 2**27) + bytes(2**27),
    "a device with content": header(b"3", 2**27) + bytes(2**27),
    "a sparse file": header(b"S", 0) + bytes(2**20),
    "a sparse file by PAX": described(b"x", *SPARSE) + header(b"0", 2**25) + b"9999999\n" + b"0\n" * 2**24,
    "headers that describe headers": described(b"x", record("a")) * 20_000 + FILE,
    "what follows the end": bytes(2**27),
    "a header whose size no file has": checked(b"x", b"\x80" + b"\xff" * 11),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_small_archive_that_asks_for_much_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a"
    archive.write_bytes(gzip.compress(HOSTILE[name], 1 if len(HOSTILE[name]) > 2**26 else 9))
    assert archive.stat().st_size < 1_300_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    with pytest.raises(DatasetError) as caught:
        unpack(archive, tmp_path / "new" / "out")
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    assert len(str(caught.value)) < 300 + len(str(archive))
    assert not (tmp_path / "new").exists()


def test_a_zip_that_declares_too_much_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(str(number), bytes(2**24))
    tracemalloc.start()
    try:
        with pytest.raises(
            DatasetError, match="more than 67108864 bytes, the limit for an archive of its size"
        ):
            unpack(tmp_path / "a.zip", tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_what_is_refused_is_an_archive_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(HOSTILE["half a megabyte of PAX"])
    assert is_archive(tmp_path / "a")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_what_else_honest_headers_hold_are_read(tmp_path: Path, form: int) -> None:
    name = "ü" * 100 + "/" + "n" * 150
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=form, pax_headers={"comment": "0" * 40}) as tar:
        for number in range(50):
            info = tarfile.TarInfo(f"{name}{number}")
            info.size, info.mtime = 3, 1.5
            info.pax_headers = {"SCHILY.xattr.user.note": "n" * 1000}
            tar.addfile(info, io.BytesIO(b"abc"))
    (tmp_path / "a").write_bytes(buffer.getvalue())
    unpack(tmp_path / "a", tmp_path / "out")
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 50


def test_a_small_compressed_idx_file_does_not_fill_the_memory(tmp_path: Path) -> None:
    head = b"".join(number.to_bytes(4, "big") for number in (0x803, 2**14, 128, 128))
    (tmp_path / "a.gz").write_bytes(gzip.compress(head + bytes(2**28)))
    with pytest.raises(DatasetError, match=r"a\.gz: larger than 67108864 bytes when unpacked"):
        read_idx_file(tmp_path / "a.gz", 3)
