"""10, 12 and 14 bits in a file of 16 are scaled, as the file says or with a word about it."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bnncore.errors import InputError
from bnncore.pictures.decoding import open_image

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)
EIGHT = (RAMP * 255).astype(int)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey(bits: int) -> np.ndarray:
    return (RAMP * (2**bits - 1)).round().astype(np.uint16)


def png(values: np.ndarray, *more: bytes) -> bytes:
    """Return a 16-bit PNG of grey [H, W], or grey with alpha, RGB or RGBA [H, W, 2, 3 or 4]."""
    height, width, samples = values.reshape(*values.shape[:2], -1).shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[samples]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">II5B", width, height, 16, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(values: np.ndarray, order: str, *more: tuple[int, int]) -> bytes:
    """Return a 16-bit TIFF without compression, of grey [H, W] or RGB [H, W, 3]; ``more`` are tags and values."""
    height, width, samples = values.reshape(*values.shape[:2], -1).shape
    tags = [
        (256, width),
        (257, height),
        (259, 1),
        (262, 2 if samples == 3 else 1),
        (277, samples),
        (278, height),
        *more,
    ]
    size = 2 * height * width * samples
    count = len(tags) + 3
    after = 8 + 2 + 12 * count + 4
    bits = (after, 3) if samples == 3 else (16 if order == "<" else 16 << 16, 1)
    entries = [struct.pack(order + "HHI", tag, 4, 1) + struct.pack(order + "I", value) for tag, value in tags]
    entries.append(struct.pack(order + "HHII", 258, 3, bits[1], bits[0]))
    entries.append(struct.pack(order + "HHII", 273, 4, 1, after + 6))
    entries.append(struct.pack(order + "HHII", 279, 4, 1, size))
    entries.sort(key=lambda entry: struct.unpack(order + "H", entry[:2]))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, count)
    pixels = values.astype(order + "u2").tobytes()
    return head + b"".join(entries) + bytes(4) + struct.pack(order + "3H", 16, 16, 16) + pixels


def error(image: Image.Image, expected: np.ndarray) -> int:
    return int(np.abs(np.asarray(image).astype(int) - expected).max())


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("form", ["PNG", "TIFF, little-endian", "TIFF, big-endian", "I;16", "I"])
def test_grey_that_uses_fewer_bits_is_scaled_with_a_word_about_it(bits: int, form: str) -> None:
    values = grey(bits)
    sources: dict[str, Any] = {
        "PNG": png(values),
        "TIFF, little-endian": tiff(values, "<"),
        "TIFF, big-endian": tiff(values, ">"),
        "I;16": Image.fromarray(values),
        "I": Image.fromarray(values.astype(np.int32)),
    }
    with pytest.warns(UserWarning, match=f"above {2**bits - 1}, so it is taken for one of {bits} bits"):
        found = open_image(sources[form])
    assert (found.mode, error(found, EIGHT) <= 1) == ("L", True)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_what_a_file_says_of_its_bits_is_taken_without_a_word(bits: int) -> None:
    """A dark picture stays dark then."""
    dark = grey(bits) // 3
    for data in (
        png(dark, chunk(b"sBIT", bytes([bits]))),
        tiff(dark, "<", (281, 2**bits - 1)),
        tiff(dark, ">", (281, 2**bits - 1)),
    ):
        assert error(open_image(data), EIGHT // 3) <= 1


def test_a_dark_picture_that_says_it_has_16_bits_stays_dark() -> None:
    assert error(open_image(png(grey(12), chunk(b"sBIT", b"\x10"))), EIGHT // 16) <= 1


@pytest.mark.parametrize("form", ["PNG", "<", ">"])
def test_pictures_of_all_bits_and_black_ones_need_no_word(form: str) -> None:
    for values in (grey(16), grey(15), np.zeros((48, 64), np.uint16)):
        data = png(values) if form == "PNG" else tiff(values, form)
        assert np.array_equal(np.asarray(open_image(data)), values >> 8)


@pytest.mark.parametrize("samples", [2, 3, 4])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_colours_that_use_fewer_bits_are_scaled_with_all_of_them(bits: int, samples: int) -> None:
    """Pillow keeps the high byte alone, of which 12 bits use a half."""
    values = np.stack([grey(bits), grey(bits)[::-1], grey(bits)[:, ::-1]], -1)[..., : 1 if samples == 2 else 3]
    expected = np.stack([EIGHT, EIGHT[::-1], EIGHT[:, ::-1]], -1)
    if samples in (2, 4):
        values = np.concatenate([values, np.full((48, 64, 1), 65535, np.uint16)], -1)
    files = [png(values)] + [tiff(values, order) for order in "<>" if samples == 3]
    for data in files:
        with pytest.warns(UserWarning, match=f"taken for one of {bits} bits"):
            found = np.asarray(open_image(data))
        # Pillow reads grey with alpha as such or as RGBA, by its version, and knows one order of its bytes.
        colours = 1 if found.shape[-1] == 2 else 3
        wanted = expected if samples != 2 else np.repeat(expected[..., :1], colours, -1)
        assert np.abs(found[..., :colours].astype(int) - wanted).max() <= (
            256 >> (bits - 8) if samples == 2 else 1
        )
        assert samples == 3 or np.all(found[..., -1] == 255)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("kind", ["P6", "P3", "SGI"])
def test_colours_of_other_formats_are_scaled_too(bits: int, kind: str) -> None:
    values = np.stack([grey(bits), grey(bits)[::-1], grey(bits)[:, ::-1]], -1)
    head = f"{kind}\n# of a camera\n64 48\n65535\n".encode()
    if kind == "SGI":
        # Planes, each from the bottom up.
        data = struct.pack(">HBBHHHHii", 474, 0, 2, 3, 64, 48, 3, 0, 65535).ljust(512, b"\0")
        data += values[::-1].transpose(2, 0, 1).astype(">u2").tobytes()
    else:
        data = head + (
            values.astype(">u2").tobytes() if kind == "P6" else " ".join(map(str, values.ravel())).encode()
        )
    with pytest.warns(UserWarning, match=f"taken for one of {bits} bits"):
        found = open_image(data)
    # Of planes the high bytes are looked at.
    allowed = 2 ** (16 - bits) if kind == "SGI" else 1
    assert error(found, np.stack([EIGHT, EIGHT[::-1], EIGHT[:, ::-1]], -1)) <= allowed


@pytest.mark.parametrize("most", [4095, 65535])
def test_colours_that_say_what_they_use_are_as_pillow_scales_them(most: int) -> None:
    values = (np.stack([RAMP] * 3, -1) * most).round()
    assert (
        error(
            open_image(f"P6 64 48 {most}\n".encode() + values.astype(">u2").tobytes()),
            np.stack([EIGHT] * 3, -1),
        )
        <= 1
    )


def test_colours_of_all_bits_are_what_pillow_makes_of_them() -> None:
    values = np.stack([grey(16), grey(16)[::-1], grey(16)], -1)
    assert np.array_equal(np.asarray(open_image(png(values))), values >> 8)


def test_a_large_dark_picture_is_scaled_by_its_high_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnncore.pictures.deep._AT_ONCE", 1000)
    with pytest.warns(UserWarning, match="taken for one of 12 bits"):
        found = open_image(png(np.stack([grey(12)] * 3, -1)))
    assert error(found, np.stack([EIGHT] * 3, -1)) < 17


def test_grey_is_converted_in_strips_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.asarray(open_image(png(grey(16))))
    monkeypatch.setattr("bnncore.pictures.deep._AT_ONCE", 100)
    assert np.array_equal(np.asarray(open_image(png(grey(16)))), whole)


def test_a_turned_picture_of_16_bits_is_scaled_and_upright() -> None:
    exif = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 6) + bytes(4)
    found = open_image(png(grey(12), chunk(b"sBIT", b"\x0c"), chunk(b"eXIf", exif)))
    assert error(found, np.rot90(EIGHT, -1)) <= 1


@pytest.mark.parametrize("value", [b"", b"\0", b"\xff", bytes(9)])
def test_an_impossible_number_of_bits_is_overlooked(value: bytes) -> None:
    assert np.array_equal(np.asarray(open_image(png(grey(16), chunk(b"sBIT", value)))), grey(16) >> 8)


def test_floating_point_is_refused_in_a_file_too() -> None:
    stream = io.BytesIO()
    Image.new("F", (4, 4), 0.5).save(stream, "TIFF")
    with warnings.catch_warnings(), pytest.raises(InputError, match="no fixed range"):
        open_image(stream.getvalue())
