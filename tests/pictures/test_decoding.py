"""Any picture that a user has becomes upright and 8-bit, or one InputError."""

from __future__ import annotations

import io
import os
import struct
import sys
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

from bnncore.errors import InputError
from bnncore.pictures.decoding import Resampling, open_image, to_rgb

MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16"]


def picture(mode: str = "RGB", width: int = 12, height: int = 7) -> Image.Image:
    """Return a picture with smooth colours, another in every corner."""
    x = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    rgb = Image.fromarray(np.stack([x, y, 255 - x], -1).round().astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray((np.asarray(rgb.convert("L")).astype(np.uint16) << 8) | 0x7F)
    if mode == "PA":
        return rgb.convert("P").convert("PA")
    return rgb.convert(mode)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(to_rgb(image)).astype(int)


# -- what can be given -----------------------------------------------------------------------------


def test_path_bytes_picture_and_array_are_the_same(tmp_path: Path) -> None:
    image = picture()
    data = encoded(image, "PNG")
    path = tmp_path / "a picture.png"
    path.write_bytes(data)
    sources: list[Any] = [path, str(path), data, bytearray(data), memoryview(data), image, np.asarray(image)]
    for source in sources:
        assert np.array_equal(pixels(open_image(source)), pixels(image))


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_bytes(encoded(picture(), "PNG"))
    assert open_image(tmp_path / "picture.txt").size == (12, 7)


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((4, 5), "L"),
        ((4, 5, 1), "L"),
        ((4, 5, 3), "RGB"),
        ((4, 5, 4), "RGBA"),
        ((1, 1), "L"),
        ((4000, 1, 3), "RGB"),
    ],
)
def test_arrays_of_every_documented_shape(shape: tuple[int, ...], mode: str) -> None:
    image = open_image(np.full(shape, 7, np.uint8))
    assert (image.size, image.mode) == ((shape[1], shape[0]), mode)


def test_an_array_may_be_read_only_and_strided() -> None:
    array = np.asarray(picture())[::-1, ::2]
    array.flags.writeable = False
    assert np.array_equal(np.asarray(open_image(array)), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5, 3), np.float32),
        np.zeros((4, 5, 3), np.int64),
        np.zeros((4, 5), bool),
        np.zeros((4, 5), np.uint16),
        np.zeros((4, 5), object),
        np.zeros((4, 5, 2), np.uint8),
        np.zeros((3, 4, 5), np.uint8),
        np.zeros((1, 4, 5, 3), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((), np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 0, 3), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_another_array_is_refused_with_what_was_expected_and_found(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected a uint8 array") as caught:
        open_image(array)
    assert f"{array.dtype} {list(array.shape)}" in str(caught.value)


@pytest.mark.parametrize("source", [None, 5, 5.0, [1, 2], object(), io.BytesIO(b"")])
def test_anything_else_is_refused_by_its_type(source: Any) -> None:
    with pytest.raises(InputError, match=f"expected a path.*found {type(source).__name__}"):
        open_image(source)


@pytest.mark.parametrize("size", [(0, 0), (5, 0), (0, 5)])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"found {size[0]}x{size[1]} pixels"):
        open_image(Image.new("RGB", size))


@pytest.mark.parametrize("name", ["nowhere.png", "", ".", "a\0b.png", "n" * 5000])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        open_image(os.path.join(tmp_path, name))  # noqa: PTH118  # a Path would drop what is tested


def test_a_closed_picture_is_an_input_error(tmp_path: Path) -> None:
    picture().save(tmp_path / "p.png")
    image = Image.open(tmp_path / "p.png")
    image.close()
    with pytest.raises(InputError):
        open_image(image)


# -- modes and formats -----------------------------------------------------------------------------


# Pillow 9.0 makes no PA from P whose palette fits.
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "PA"])
def test_every_mode_shows_the_same_picture(mode: str) -> None:
    found = pixels(open_image(picture(mode)))
    if mode in ("L", "LA", "I;16"):
        expected = pixels(picture("L"))
    elif mode == "1":
        expected = pixels(picture("1"))
    else:
        expected = pixels(picture())
    # Palettes of 6x6x6 colours are dithered, the other conversions round.
    assert np.abs(found - expected).mean() < (60 if mode == "P" else 4)


def test_sixteen_bits_keep_their_high_byte() -> None:
    values = np.array([[0, 255, 256, 0x7FFF, 0x8000, 0xFFFF]], np.uint16)
    expected = [[0, 0, 1, 127, 128, 255]]
    assert np.asarray(open_image(Image.fromarray(values))).tolist() == expected
    assert np.asarray(open_image(encoded(Image.fromarray(values), "PNG"))).tolist() == expected
    assert np.asarray(open_image(encoded(Image.fromarray(values), "TIFF"))).tolist() == expected
    wide = Image.fromarray(values.astype(np.int32))
    assert wide.mode == "I"
    assert np.asarray(open_image(wide)).tolist() == expected


def test_wide_grey_is_cut_to_sixteen_bits() -> None:
    wide = Image.fromarray(np.array([[-5, 70_000]], np.int32))
    assert np.asarray(open_image(wide)).tolist() == [[0, 255]]


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(InputError, match="no fixed range; convert to 8 bits first"):
        open_image(picture("L").convert("F"))


@pytest.mark.parametrize("form", ["PNG", "GIF", "BMP", "PPM", "TIFF", "TGA", "PCX", "SGI", "ICO"])
def test_every_lossless_format_is_read(form: str) -> None:
    image = picture(width=16, height=16)
    found = open_image(encoded(image, form))
    assert found.size == (16, 16)
    assert np.abs(pixels(found) - pixels(image)).mean() < (20 if form == "GIF" else 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_png_is_what_pillow_makes_of_it(mode: str) -> None:
    data = encoded(picture(mode), "PNG")
    found = open_image(data, upright=False)
    expected: Image.Image = Image.open(io.BytesIO(data))
    if mode == "I;16":
        expected = Image.fromarray((np.asarray(expected) >> 8).astype(np.uint8))
    assert (found.mode, found.size, found.tobytes()) == (expected.mode, expected.size, expected.tobytes())
    assert np.array_equal(pixels(found), pixels(expected))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "JPEG2000"])
def test_every_lossy_format_is_read(form: str) -> None:
    image = picture(width=64, height=64)
    assert np.abs(pixels(open_image(encoded(image, form))) - pixels(image)).mean() < 6


def test_a_cmyk_jpeg_shows_its_colours() -> None:
    image = Image.new("RGB", (16, 16), (200, 40, 90))
    found = pixels(open_image(encoded(image.convert("CMYK"), "JPEG", quality=95)))
    assert np.abs(found - pixels(image)).max() < 12


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for form in ("GIF", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "duration": 100} if form == "WEBP" else {}
        data = encoded(frames[0], form, save_all=True, append_images=frames[1:], **options)
        assert pixels(open_image(data))[0, 0].tolist() == [255, 0, 0]


def test_pixels_under_transparency_keep_their_colour() -> None:
    array = np.array([[[10, 20, 30, 0], [40, 50, 60, 255]]], np.uint8)
    assert np.array_equal(np.asarray(to_rgb(open_image(array))), array[..., :3])
    data = encoded(Image.fromarray(array), "PNG")
    assert np.array_equal(np.asarray(to_rgb(open_image(data))), array[..., :3])


def test_a_palette_with_transparency_does_not_warn() -> None:
    image = picture("P")
    image.info["transparency"] = 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_rgb(open_image(encoded(image, "GIF")))
        to_rgb(open_image(encoded(image, "PNG")))


def heic(brand: bytes = b"heic") -> bytes:
    """Return the beginning of a file of that family."""
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1" + brand


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1"])
def test_a_heic_picture_is_refused_with_what_to_do(brand: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(
        InputError, match=r"is a HEIC picture, .*; pip install pillow-heif, or save it as a JPEG$"
    ):
        open_image(heic(brand))


def test_an_avif_picture_that_pillow_does_not_read_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.init()
    for registered in (Image.OPEN, Image.SAVE):
        monkeypatch.delitem(registered, "AVIF", raising=False)
    with pytest.raises(
        InputError, match=r"is an AVIF picture, .*; install Pillow 11\.3 or later, or save it as a JPEG$"
    ):
        open_image(heic(b"avif"))


def test_a_film_is_refused_as_one() -> None:
    with pytest.raises(InputError, match="expected a picture, found a film"):
        open_image(heic(b"isom"))


@pytest.mark.parametrize("registered", [False, True])
def test_a_heic_picture_is_read_with_pillow_heif(registered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    image, stream = picture(width=64, height=48), io.BytesIO()
    heif.from_pillow(image).save(stream, quality=95)
    if registered:
        Image.init()
        monkeypatch.setitem(Image.OPEN, "HEIF", (heif.HeifImageFile, lambda prefix: prefix[4:8] == b"ftyp"))
        monkeypatch.setattr(Image, "ID", [*Image.ID, "HEIF"])
    assert np.abs(pixels(open_image(stream.getvalue())) - pixels(image)).mean() < 6


# -- orientation -----------------------------------------------------------------------------------

# What must be done to a stored picture to see it upright (EXIF 2.32, tag 0x0112).
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def oriented(image: Image.Image, orientation: int, form: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {}
    if form == "JPEG":
        options = {"quality": 95, "subsampling": 0}
    return encoded(image, form, exif=exif.tobytes() if form != "TIFF" else exif, **options)


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(form: str, orientation: int) -> None:
    stored = picture(width=40, height=24)
    expected = UPRIGHT[orientation](pixels(stored))
    found = pixels(open_image(oriented(stored, orientation, form)))
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 4


@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_exif_orientation_is_applied_to_grey(mode: str, orientation: int) -> None:
    stored = picture(mode, 5, 3)
    found = np.asarray(open_image(oriented(stored, orientation, "PNG")))
    assert np.array_equal(found, UPRIGHT[orientation](np.asarray(open_image(stored))))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    stored = picture()
    assert np.array_equal(pixels(open_image(oriented(stored, orientation, "PNG"))), pixels(stored))


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage, no TIFF header",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        # One entry whose value lies past the end, and one orientation that is text.
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x1a\x01\x05\0\x01\0\0\0\xff\xff\0\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0six\0\0\0\0\0",
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_good_picture_with_broken_exif_is_taken_as_it_lies(block: bytes) -> None:
    data = encoded(picture(width=40, height=24), "JPEG", exif=block)
    assert open_image(data).size == (40, 24)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_orientation_beside_broken_exif_counts() -> None:
    entries = [
        struct.pack("<HHII", 0x0112, 3, 1, 6),
        # An exposure time whose value lies past the end, and a user comment of a type that does not exist.
        struct.pack("<HHII", 0x829A, 5, 1, 0xFFFF),
        struct.pack("<HHII", 0x9286, 99, 4, 0),
    ]
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    data = encoded(picture(width=40, height=24), "JPEG", exif=block)
    assert open_image(data).size == (24, 40)


def test_an_upright_picture_is_not_turned_twice() -> None:
    found = open_image(oriented(picture(width=40, height=24), 6, "PNG"))
    assert open_image(found).size == found.size == (24, 40)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"eXIf", b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 6) + bytes(4)),
        (b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'),
    ],
)
def test_an_orientation_after_the_pixels_counts(kind: bytes, data: bytes) -> None:
    png = encoded(picture(width=40, height=24), "PNG")
    end = png.index(b"IEND") - 4
    assert open_image(png[:end] + _chunk(kind, data) + png[end:]).size == (24, 40)


def test_an_orientation_that_the_caller_set_counts() -> None:
    image = Image.open(io.BytesIO(encoded(picture(width=40, height=24), "PNG")))
    image.getexif()[0x0112] = 6
    assert not image.info
    assert open_image(image).size == (24, 40)


# -- the caller's image ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_image_is_not_changed(mode: str) -> None:
    image = picture(mode)
    image.info["note"] = "mine"
    before = (image.mode, image.size, dict(image.info), image.tobytes())
    to_rgb(open_image(image))
    assert (image.mode, image.size, dict(image.info), image.tobytes()) == before


def test_the_callers_oriented_image_is_not_turned() -> None:
    image = Image.open(io.BytesIO(oriented(picture(), 6, "JPEG")))
    before = (image.size, dict(image.info), image.tobytes(), dict(image.getexif()))
    assert open_image(image).size == (7, 12)
    assert (image.size, dict(image.info), image.tobytes(), dict(image.getexif())) == before


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (65_000, 2)])
def test_extreme_shapes(size: tuple[int, int]) -> None:
    assert open_image(encoded(Image.new("L", size, 9), "PNG")).size == size


def test_a_very_large_picture_does_not_warn(tmp_path: Path) -> None:
    # 108 million pixels: above Pillow's soft limit, below its hard one.
    Image.new("1", (12_000, 9_000), 1).save(tmp_path / "large.png", compress_level=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(tmp_path / "large.png").size == (12_000, 9_000)


@pytest.mark.parametrize("form", ["PNG", "BMP"])
def test_the_limit_of_pillow_that_the_caller_set_counts(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (None, 84, 42):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert open_image(SMALL[form]).size == (12, 7)
    # Pillow refuses from twice its limit on.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 41)
    with pytest.raises(InputError, match=r"bytes: too large: .*84 pixels"):
        open_image(SMALL[form])


def test_a_decompression_bomb_is_refused_unread() -> None:
    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", bytes(20)) + _chunk(b"IEND", b"")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="too large"):
            open_image(data)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# -- JPEG files decoded smaller --------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 900), st.integers(1, 900), st.integers(1, 300))
def test_a_jpeg_decoded_smaller_keeps_its_sides_and_its_shape(width: int, height: int, side: int) -> None:
    found = open_image(encoded(picture(width=width, height=height), "JPEG"), jpeg_side=side)
    scale = next(s for s in (8, 4, 2, 1) if min(width, height) >= s * side or s == 1)
    assert found.size == (-(-width // scale), -(-height // scale))


def test_a_jpeg_decoded_smaller_shows_the_same_picture() -> None:
    data = encoded(picture(width=800, height=400), "JPEG", quality=95)
    found = open_image(data, jpeg_side=100)
    assert found.size == (200, 100)
    assert np.abs(pixels(found) - pixels(open_image(data).resize((200, 100), Resampling.BOX))).mean() < 2


def test_a_jpeg_decoded_smaller_is_upright() -> None:
    assert open_image(oriented(picture(width=400, height=240), 6, "JPEG"), jpeg_side=60).size == (60, 100)


def test_nothing_but_a_jpeg_file_is_decoded_smaller(tmp_path: Path) -> None:
    image = picture(width=64, height=64)
    path = tmp_path / "p.jpg"
    image.save(path)
    for source in (encoded(image, "PNG"), encoded(image, "WEBP"), image, Image.open(path), np.asarray(image)):
        assert open_image(source, jpeg_side=8).size == (64, 64)
    assert open_image(path, jpeg_side=8).size == (8, 8)


# -- damage ----------------------------------------------------------------------------------------

FORMS = ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"]
SMALL = {form: encoded(picture(), form) for form in FORMS}


@pytest.mark.parametrize("form", FORMS)
def test_truncated_anywhere_it_is_refused_or_whole(form: str) -> None:
    """Some formats end in bytes that hold no pixels; without those the picture is there."""
    data = SMALL[form]
    refused = 0
    for length in range(len(data)):
        try:
            image = open_image(data[:length])
        except InputError:
            refused += 1
        else:
            assert image.size == (12, 7)
    assert refused > len(data) * 0.6


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_cut_in_half_is_refused(form: str) -> None:
    data = encoded(picture(width=200, height=200), form)
    with pytest.raises(InputError, match=r"^bytes: (cannot be decoded|is no picture)"):
        open_image(data[: len(data) // 2])


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_files_give_a_picture_or_an_input_error(form: str, data: st.DataObject) -> None:
    mutated = bytearray(SMALL[form])
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(mutated) - 1))
        kind = data.draw(st.sampled_from(("flip", "delete", "insert", "cut")))
        if kind == "flip":
            mutated[position] ^= data.draw(st.integers(1, 255))
        elif kind == "delete" and len(mutated) > 1:
            del mutated[position]
        elif kind == "insert":
            mutated[position:position] = data.draw(st.binary(max_size=8))
        elif position:
            del mutated[position:]
    try:
        image = open_image(bytes(mutated))
        to_rgb(image)
    except InputError as error:
        assert str(error)  # noqa: PT017  # a picture is as good an answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"no picture at all",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.4\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
        b"\xc5\xd0\xd3\xc6" + bytes(26),
        b"8BPS\0\1" + bytes(20),
        b"SIMPLE  =                    T" + bytes(50),
    ],
    ids=["empty", "a zero", "text", "SVG", "PDF", "PostScript", "binary EPS", "PSD", "FITS"],
)
def test_other_files_are_refused_with_the_known_formats(data: bytes) -> None:
    with pytest.raises(InputError, match=r"is no picture in a known format \(PNG, JPEG,"):
        open_image(data)


def test_postscript_never_reaches_an_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("PostScript was run"))
    (tmp_path / "evil.png").write_bytes(encoded(picture(), "EPS"))
    with pytest.raises(InputError, match="is no picture"):
        open_image(tmp_path / "evil.png")


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(SMALL["JPEG"][:-200])
    with pytest.raises(InputError, match=r"cut\.jpg: cannot be decoded"):
        open_image(path)


def test_an_unreadable_lazy_picture_is_an_input_error() -> None:
    image = Image.open(io.BytesIO(SMALL["JPEG"][:-20]))
    with pytest.raises(InputError, match="image: cannot be decoded"):
        open_image(image)
