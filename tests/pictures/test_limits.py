"""A small file takes little memory and time, whatever it says that it is."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from bnncore.errors import InputError
from bnncore.pictures import limits
from bnncore.pictures.decoding import open_image

# EXIF data that say that the picture lies on its side.
TURNED = b"II*\0" + struct.pack("<IHHHII", 8, 1, 274, 3, 1, 6) + bytes(4)
CHILD = """
import re, sys, time
from bnncore.errors import InputError
from bnncore.pictures.preprocessing import Pipeline
from bnncore.records import Preprocessing
from bnnhw.topology import Input
channels = int(sys.argv[2])
given = Input(height=32, width=32, channels=channels, bits=1 if channels == 1 else 8)
start = time.process_time()
try:
    Pipeline(Preprocessing.default(given), given)(sys.argv[1])
    said = "read"
except InputError as error:
    said = str(error)
# Of this program alone; what getrusage has is that of its parent, too.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)
print(int(time.process_time() - start), int(peak) // 1024, said)
"""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, kind: int, *more: bytes, whole: bool = True) -> bytes:
    """Return a black PNG; one that is refused by its header needs no pixels."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    row = 1 + (width * depth * samples + 7) // 8
    pack = zlib.compressobj(9)
    pixels = b"".join(pack.compress(bytes(row)) for _ in range(height if whole else 1)) + pack.flush()
    header = struct.pack(">II5B", width, height, depth, kind, 0, 0, 0)
    palette = _chunk(b"PLTE", bytes(range(48))) if kind == 3 else b""
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            palette,
            *more,
            _chunk(b"IDAT", pixels),
            _chunk(b"IEND", b""),
        ]
    )


def tiff(*tags: tuple[int, int, int, int], pixels: bytes = b"") -> bytes:
    start = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(
        struct.pack("<HHII", tag, kind, count, start if tag == 273 else value)
        for tag, kind, count, value in tags
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def saved(form: str, side: int, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (side, side), 9 if mode in ("1", "L", "P", "I;16") else (9,) * len(mode)).save(
        stream, form, **options
    )
    return stream.getvalue()


def scans(side: int, count: int) -> bytes:
    """Return a progressive JPEG whose last scan comes again and again."""
    data = saved("JPEG", side, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def icon(side: int) -> bytes:
    inner = png(side, side, 8, 2, whole=False)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


def exif_of(size: int) -> bytes:
    """Return EXIF data whose every tag names all of it."""
    count = min(size // 12, 60_000)
    entries = b"".join(struct.pack("<HHII", tag, 7, size - 8, 8) for tag in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + bytes(size - len(entries))


def many_exif_blocks() -> bytes:
    data, block = saved("JPEG", 16), exif_of(900_000)
    parts = [block[at : at + 65_000] for at in range(0, len(block), 65_000)]
    return (
        data[:2]
        + b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts)
        + data[2:]
    )


def large_tile() -> bytes:
    return tiff(
        (256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1), (277, 3, 1, 1),
        (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 200), (325, 4, 1, 20), pixels=bytes(100),
    )  # fmt: skip


def tags_of_everything() -> bytes:
    return tiff(
        (256, 3, 1, 1), (257, 3, 1, 1), *((tag, 7, 300_000, 8) for tag in range(1000, 31_000)), pixels=bytes(9)
    )


def text_bomb() -> bytes:
    texts = (_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**20 - 99), 9)) for _ in range(700))
    return png(4, 4, 8, 2, *texts)


BOMBS = {
    "16-bit grey PNG": lambda: png(12_000, 12_000, 16, 0, whole=False),
    "RGB PNG": lambda: png(9_000, 9_000, 8, 2, whole=False),
    "16-bit RGBA PNG": lambda: png(6_000, 6_000, 16, 6),
    "palette PNG": lambda: png(13_000, 13_000, 4, 3),
    "grey PNG with transparency": lambda: png(13_000, 13_000, 8, 0, _chunk(b"tRNS", b"\0\0")),
    "PNG of many pixels": lambda: png(16_000, 16_000, 1, 0, whole=False),
    "PNG of one row": lambda: png(100_000_000, 1, 1, 0, whole=False),
    "PNG of one column": lambda: png(1, 500_000, 8, 0),
    "PNG with texts": text_bomb,
    "PNG with EXIF data": lambda: png(4, 4, 8, 2, _chunk(b"eXIf", exif_of(900_000))),
    "JPEG": lambda: saved("JPEG", 9_000, quality=1, optimize=True),
    "turned JPEG": lambda: saved("JPEG", 7_500, quality=1, exif=TURNED),
    "progressive JPEG": lambda: saved("JPEG", 7_000, progressive=True, subsampling=0),
    "JPEG of many scans": lambda: scans(2_000, 800),
    "JPEG with EXIF blocks": many_exif_blocks,
    "GIF": lambda: saved("GIF", 12_000, "P"),
    "WebP": lambda: saved("WEBP", 6_000, quality=1, method=0),
    "TIFF of one bit": lambda: saved("TIFF", 13_000, "1", compression="group4"),
    "TIFF of 16 bits": lambda: saved("TIFF", 11_000, "I;16", compression="tiff_adobe_deflate"),
    "TIFF of a large tile": large_tile,
    "TIFF of large tags": tags_of_everything,
    "JPEG 2000": lambda: saved("JPEG2000", 4_000),
    "ICO": lambda: icon(9_000),
    "TGA": lambda: struct.pack("<3B5x4H2B", 0, 0, 10, 0, 0, 13_000, 13_000, 24, 0) + b"\xff\0\0\0" * 9,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is asked of Linux")
@pytest.mark.parametrize(
    ("name", "channels"),
    [(name, 3) for name in BOMBS]
    # Where a network sees one bit of grey, digits are looked for.
    + [
        (name, 1)
        for name in ("16-bit RGBA PNG", "palette PNG", "grey PNG with transparency", "TIFF of one bit")
    ],
)
def test_a_file_below_a_megabyte_takes_400_mb_and_5_seconds_at_most(
    name: str, channels: int, tmp_path: Path
) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 2**20
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, path, str(channels)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes, said = ran.stdout.rstrip("\n").split(" ", 2)
    assert int(seconds) < 5, said
    assert int(megabytes) < 400, said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "RGB PNG",
            r"too large: decoding its 9000x9000 pixels takes 308 MB, a file of \d+ bytes may take 256 MB",
        ),
        (
            "PNG of many pixels",
            "too large: 256000000 pixels, at most 178956970 are read; make it smaller, or cut",
        ),
        ("PNG of one column", "too large: 1x500000 pixels, at most 262144 a side are read; cut it into pieces"),
        (
            "JPEG of many scans",
            r"too large: \d+ scans of 2000x2000 pixels; save it as a JPEG that is not progressive",
        ),
        ("TIFF of a large tile", "too large"),
        ("TIFF of large tags", r"is damaged: its tags have \d+ bytes"),
        ("ICO", "too large: an icon of 9000x9000 pixels, at most 1024 a side are read"),
        ("JPEG 2000", "too large"),
    ],
)
def test_what_is_too_large_is_refused_with_what_was_found_and_what_is_allowed(name: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        open_image(BOMBS[name]())


@pytest.mark.slow
def test_a_page_of_one_bit_a_pixel_is_read(recwarn: pytest.WarningsRecorder) -> None:
    assert open_image(BOMBS["TIFF of one bit"]()).size == (13_000, 13_000)
    assert not recwarn


@pytest.mark.slow
def test_a_large_jpeg_is_decoded_smaller_rather_than_refused() -> None:
    assert open_image(BOMBS["JPEG"]()).size == (4_500, 4_500)


def test_a_larger_file_may_take_more() -> None:
    """Photographs of large cameras are read; the same number of pixels in a tiny file is no photograph."""
    assert [limits.allowed(size) >> 20 for size in (0, 2**20, 2**21, 2**22, 2**30)] == [
        256,
        256,
        512,
        1024,
        1024,
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_devices_and_pipes_that_nobody_writes_to_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(InputError, match="cannot be read: expected a file, found a"):
            open_image(source)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="the shell's <(command) is a file there")
def test_a_picture_may_come_through_a_pipe() -> None:
    reader, writer = os.pipe()
    os.write(writer, saved("PNG", 5))
    os.close(writer)
    try:
        assert open_image(f"/dev/fd/{reader}").size == (5, 5)
    finally:
        os.close(reader)
