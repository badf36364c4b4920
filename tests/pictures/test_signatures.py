"""Pictures by their first bytes."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, features

from bnncore.pictures.signatures import HEAD, is_picture, picture_format

MODES = {"PPM": ("1", "L", "RGB"), "GIF": ("P",), "PCX": ("1", "L", "P", "RGB"), "SGI": ("L", "RGB", "RGBA")}


def saved(kind: str, mode: str, size: tuple[int, int] = (17, 5)) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "ICO", "PCX", "SGI"])
def test_what_pillow_writes_is_recognised(kind) -> None:
    for mode in MODES.get(kind, ("L", "RGB")):
        for size in ((17, 5), (300, 1)) if kind != "ICO" else ((17, 17), (300, 300)):
            assert picture_format(saved(kind, mode, size)[:HEAD]) == kind


@pytest.mark.parametrize(("kind", "feature"), [("WEBP", "webp"), ("JPEG2000", "jpg_2000"), ("AVIF", "avif")])
def test_what_some_pillows_write_is_recognised(kind, feature) -> None:
    if feature not in features.get_supported():
        pytest.skip(f"this Pillow does not write {kind}")
    assert picture_format(saved(kind, "RGB")[:HEAD]) == kind


def test_heic_is_a_picture_whoever_can_read_it() -> None:
    assert picture_format(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic") == "HEIF"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"BM is the beginning of a text that goes on",
        b"P3rhaps a word",
        b"path,label\ncat/1.jpg,cat\n",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00",
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"\x00" * HEAD,
    ],
)
def test_what_is_none_is_not_recognised(head) -> None:
    assert picture_format(head) is None


def test_a_name_makes_a_picture_only_if_it_is_that_of_one(tmp_path: Path) -> None:
    for name, content, expected in (
        ("IMG_1.HEIC", saved("JPEG", "RGB"), True),
        ("image", saved("PNG", "L"), True),
        ("image.download", saved("GIF", "P"), True),
        ("cut-short.jpg", b"", True),
        ("notes.txt", b"words", False),
    ):
        (tmp_path / name).write_bytes(content)
        assert is_picture(tmp_path / name) is expected
