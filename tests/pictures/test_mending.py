"""Whole pictures that a decoder stumbles over are read; those that are not whole are refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from bnncore.errors import InputError
from bnncore.pictures.decoding import open_image, to_rgb

RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(RNG.integers(0, 256, (40, 56, 3)).astype(np.uint8)).resize((112, 80))


def encoded(form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    PICTURE.save(stream, form, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes, damage: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ damage)


LARGE = zlib.compress(bytes(3 * 2**20))
CHUNKS = {
    "large compressed text": chunk(b"zTXt", b"key\0\0" + LARGE),
    "large international text": chunk(b"iTXt", b"key\0\1\0\0\0" + LARGE),
    "large plain text": chunk(b"tEXt", b"key\0" + b"a" * 2**21),
    "many texts": chunk(b"tEXt", b"key\0" + b"a" * 2**19) * 200,
    "large profile": chunk(b"iCCP", b"key\0\0" + LARGE),
    "broken profile": chunk(b"iCCP", b"key\0\0no deflate"),
    "text with a wrong checksum": chunk(b"tEXt", b"key\0value", damage=1),
    "density with a wrong checksum": chunk(b"pHYs", bytes(9), damage=1),
    "short gamma": chunk(b"gAMA", b"\0"),
    "unknown with a wrong checksum": chunk(b"abCd", b"value", damage=1),
    "animation without frames": chunk(b"acTL", bytes(8)),
    "EXIF data beyond reason": chunk(b"eXIf", b"II*\0" + bytes(2**17)),
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", CHUNKS)
def test_a_png_with_a_fault_beside_its_pixels_is_read(name: str, place: str) -> None:
    data = encoded("PNG")
    at = data.index(b"IDAT" if place == "before" else b"IEND") - 4
    image = open_image(data[:at] + CHUNKS[name] + data[at:])
    assert np.array_equal(np.asarray(image), np.asarray(PICTURE))


def test_the_orientation_beside_a_fault_counts() -> None:
    exif = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 6) + bytes(4)
    data = encoded("PNG")
    at = data.index(b"IDAT") - 4
    mixed = data[:at] + CHUNKS["large plain text"] + chunk(b"eXIf", exif) + CHUNKS["short gamma"] + data[at:]
    assert open_image(mixed).size == (80, 112)


def test_what_a_png_says_properly_is_kept() -> None:
    image = open_image(encoded("PNG", dpi=(300, 300), icc_profile=b"a profile"))
    assert (round(image.info["dpi"][0]), image.info["icc_profile"]) == (300, b"a profile")


def test_wrong_checksums_of_pixels_are_still_refused() -> None:
    data = bytearray(encoded("PNG"))
    data[data.index(b"IHDR") + 18] ^= 1
    with pytest.raises(InputError):
        open_image(bytes(data))


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 98}, {"optimize": True}]
)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_last_marker_is_read(options: dict[str, Any], missing: int) -> None:
    data = encoded("JPEG", **options)
    found = open_image(data[:-missing])
    assert np.array_equal(np.asarray(to_rgb(found)), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 98}])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_a_jpeg_that_lacks_pixels_is_refused(options: dict[str, Any], share: float) -> None:
    data = encoded("JPEG", **options)
    with pytest.raises(InputError, match="truncated"):
        open_image(data[: int(len(data) * share)])


def test_bytes_after_a_jpeg_do_no_harm() -> None:
    data = encoded("JPEG")
    for more in (b"\0" * 100, b"what a telephone appends", b"\xff"):
        assert np.array_equal(np.asarray(open_image(data + more)), np.asarray(Image.open(io.BytesIO(data))))


def test_what_pillow_is_told_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for lenient in (False, True):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
        open_image(encoded("JPEG")[:-2])
        assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient
