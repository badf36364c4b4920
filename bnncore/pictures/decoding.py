"""From whatever a user has to an upright picture: path, bytes, PIL image or uint8 array.

Nothing here changes the caller's image. Every failure is one ``InputError``.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from typing import Any, Union

import numpy as np
import numpy.typing as npt
from bnnhw.locks import new_lock
from PIL import Image, UnidentifiedImageError

from bnncore.errors import InputError
from bnncore.files import read_limited, unreadable
from bnncore.pictures import deep, limits, mending

__all__ = ["Resampling", "Source", "on_background", "open_image", "to_rgb"]

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Image.Image, npt.NDArray[np.uint8]]

# Pillow 9.0, which boards have, keeps these names in the module itself.
Resampling: Any = getattr(Image, "Resampling", Image)

# Formats that only decode pixels. PostScript, for one, would run a program.
_COMMON = ("PNG", "JPEG", "GIF", "BMP", "PPM")
_OTHER = ("WEBP", "TIFF", "AVIF", "HEIF", "TGA", "ICO", "PCX", "SGI", "JPEG2000")
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
# Of an ISO base media file (ISO 23008-12, annex B).
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2", b"mif3")
# Bytes at the end of a JPEG among which its last marker is, unless a camera appended more.
_TAIL = 16
_ORIENTATION = 0x0112
_TRANSPOSE: Any = getattr(Image, "Transpose", Image)
# What makes a stored picture upright, by its orientation (EXIF 2.32, tag 0x0112).
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_open_lock = new_lock()


def open_image(source: Source, *, upright: bool = True, jpeg_side: int | None = None) -> Image.Image:
    """Return a decoded picture, upright unless told otherwise.

    Args:
        source: a path, the bytes of a picture file, a PIL image, or a uint8 array [H, W], [H, W, 1], [H, W, 3] or
            [H, W, 4], RGB.
        upright: apply the EXIF orientation.
        jpeg_side: let a JPEG file be decoded smaller, each side of so many pixels at least; None for all of it.

    Returns:
        A picture of any mode but 16- and 32-bit grey, which are reduced to 8 bits. It may be the
        caller's own object: do not change it.

    Raises:
        InputError: if it cannot be read: missing, truncated, hostile, too large, or of another type.
    """
    if isinstance(source, Image.Image):
        image, where, data = source, "image", b""
    elif isinstance(source, np.ndarray):
        return _from_array(source)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        image, where, data = None, "bytes", bytes(source)
    elif isinstance(source, (str, os.PathLike)):
        image, where = None, str(source)
        data = _read(source, where)
    else:
        raise InputError(
            "expected a path, bytes of a picture file, a PIL image or a uint8 array, "
            f"found {type(source).__name__}"
        )
    try:
        if image is None:
            image, data = _decode(data, where, jpeg_side)
        elif 0 in image.size:
            raise _empty(image, where)
        else:
            image.load()
        # Many PNG files hold nothing but pixels, so there is no orientation to look for.
        plain = image is not source and image.format == "PNG" and not image.info
        if image.mode == "F":
            raise InputError(f"{where}: floating-point pixels have no fixed range; convert to 8 bits first")
        eight = deep.eight_bits(image, data, where)
        return _upright(image, eight, len(data), where) if upright and not plain else eight
    except (InputError, Warning):
        raise
    # Decoders raise all sorts on hostile data: OSError, SyntaxError, ValueError, struct.error, …
    except Exception as error:
        raise InputError(f"{where}: cannot be decoded: {type(error).__name__}: {error}") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB; pixels under transparency keep their stored colour."""
    if image.mode == "RGB":
        return image
    if image.mode in ("P", "PA"):
        # By way of RGBA: the direct way warns of palettes with transparency.
        image = image.convert("RGBA")
    return image.convert("RGB")


def on_background(image: Image.Image, fill: int) -> Image.Image:
    """Convert to RGB, or grey if it is black and white; what is transparent shows a grey value, 0 to 255."""
    if "transparency" not in image.info and image.mode not in _TRANSPARENT:
        if image.mode == "1":
            return image.convert("L")
        return image.convert("RGB")
    # Pillow has no direct way from premultiplied grey.
    image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    canvas = Image.new("RGB", image.size, (fill, fill, fill))
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _read(path: str | os.PathLike[str], where: str) -> bytes:
    """Return a whole file, so that none stays open behind a lazy image."""
    try:
        # A Path would make "." of "", and takes as long as reading does.
        return read_limited(path, limits.FILE.most, InputError, "the limit for a picture")
    except InputError:
        raise
    # Of a NUL in the name; an InputError is one, too.
    except ValueError as error:
        raise InputError(unreadable(where, error)) from error


def _empty(image: Image.Image, where: str) -> InputError:
    return InputError(f"{where}: expected a picture, found {image.size[0]}x{image.size[1]} pixels")


def _decode(data: bytes, where: str, jpeg_side: int | None) -> tuple[Image.Image, bytes]:
    """Return the picture of a file, decoded, and the bytes that it was decoded from.

    Raises:
        InputError: if it is in no known format, or too large.
        Exception: what a decoder raises.
    """
    if data.startswith(mending.PNG):
        data = mending.without_faults_of_png(data)
    elif data.startswith(mending.JPEG):
        data = mending.without_faults_of_jpeg(data)
        if mending.ENDINGS[0] not in data[-_TAIL:]:
            return _decode_without_end(data, where, jpeg_side), data
    else:
        limits.check_file(data, where)
    return _load(data, where, jpeg_side), data


def _load(data: bytes, where: str, jpeg_side: int | None) -> Image.Image:
    """Open and decode a file, as long as its header allows it."""
    image = _open(data, where)
    if 0 in image.size:
        raise _empty(image, where)
    if jpeg_side is not None:
        # Only JPEG decoders heed it.
        image.draft(None, (jpeg_side, jpeg_side))
    if not limits.fits(image, data, where):
        image.draft(None, limits.draft_side(image, data, where))
    if image.format != "TIFF":
        image.load()
        return image
    # Of a large one Pillow warns again when it decodes it.
    with _open_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image.load()
    return image


def _decode_without_end(data: bytes, where: str, jpeg_side: int | None) -> Image.Image:
    """Return the picture of a JPEG that does not end as one, if all its pixels are there."""
    try:
        # The last marker may be further in front, before what a camera appended.
        return _load(data, where, jpeg_side)
    except OSError:
        cut = data.rstrip(b"\xff")
        image, *others = (_load(cut + ending, where, jpeg_side) for ending in mending.ENDINGS)
        if any(other.tobytes() != image.tobytes() for other in others):
            raise
        return image


def _open(data: bytes, where: str) -> Image.Image:
    """Open a picture of an allowed format; larger than Pillow's hard limit is refused."""
    stream = io.BytesIO(data)
    try:
        if (image := _open_png(stream)) is not None:
            return image
        # Pillow warns from half its limit on; within the limit that is nothing a caller can act on.
        with _open_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                return Image.open(stream, formats=_COMMON)
            except UnidentifiedImageError:
                Image.init()
                stream.seek(0)
                return Image.open(stream, formats=[name for name in _OTHER if name in Image.OPEN])
    except UnidentifiedImageError as error:
        if data[4:8] == b"ftyp":
            return _open_heif(stream, where)
        formats = ", ".join(_COMMON + _OTHER)
        raise InputError(f"{where}: is no picture in a known format ({formats})") from error
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\d+", str(error))
        raise InputError(
            f"{where}: too large: {pixels[0] if pixels else 'its'} pixels, at most {2 * (Image.MAX_IMAGE_PIXELS or 0)} "
            "are read; make it smaller, or cut it into pieces"
        ) from error
    except Exception as error:
        raise InputError(f"{where}: cannot be decoded: {type(error).__name__}: {error}") from error


def _open_heif(stream: io.BytesIO, where: str) -> Image.Image:
    """Open a picture of a telephone by pillow-heif, if it is installed, though it may not be registered."""
    brand = stream.getvalue()[8:12]
    if brand in _AVIF_BRANDS:
        raise InputError(
            f"{where}: is an AVIF picture, which this Pillow does not read; install Pillow 11.3 or later, or save it "
            "as a JPEG"
        )
    if brand not in _HEIF_BRANDS:
        raise InputError(f"{where}: expected a picture, found a film or another file of that family")
    try:
        from pillow_heif import HeifImageFile  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise InputError(
            f"{where}: is a HEIC picture, which Pillow does not read alone; pip install pillow-heif, or save it "
            "as a JPEG"
        ) from error
    stream.seek(0)
    # pillow-heif has no types, where it is installed.
    image: Image.Image = HeifImageFile(stream, "")  # type: ignore[no-untyped-call,unused-ignore]
    return image


def _open_png(stream: io.BytesIO) -> Image.Image | None:
    """Return a PNG picture that is not suspiciously large; None for all else, the stream at its beginning.

    What ``Image.open`` would return, without its imports of the other formats, and without the filter of
    warnings, which belongs to the whole process.
    """
    png = stream.read(len(mending.PNG)) == mending.PNG
    stream.seek(0)
    if not png:
        return None
    # Not needed for arrays, and it takes as long to import as all else here.
    from PIL.PngImagePlugin import PngImageFile

    try:
        image = PngImageFile(stream, "")
    except SyntaxError:
        pass
    else:
        limit = Image.MAX_IMAGE_PIXELS
        if limit is None or image.width * image.height <= limit:
            return image
    stream.seek(0)
    return None


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    shape = array.shape
    fits = array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 3, 4))
    if array.dtype != np.uint8 or not fits or 0 in shape:
        raise InputError(
            "expected a uint8 array [height, width] or [height, width, 1, 3 or 4], "
            f"found {array.dtype} {list(shape)}"
        )
    if array.ndim == 3 and shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(array))


def _upright(image: Image.Image, eight: Image.Image, size: int, where: str) -> Image.Image:
    """Return the 8-bit picture turned as the EXIF data of the one that it was made of say."""
    if len(image.info.get("exif") or b"") > limits.EXIF.most:
        return eight
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    # Broken EXIF data are common in good pictures; such a picture is taken as it lies.
    except Exception:
        return eight
    # Pillow 9.4 to 10.0 turn a TIFF when they load it, and keep the tag.
    if orientation not in _TURNS or getattr(image, "_tile_orientation", None):
        return eight
    if size:
        limits.check_turned(eight, size, where)
    if eight is not image:
        return eight.transpose(getattr(_TRANSPOSE, _TURNS[orientation]))
    from PIL import ImageOps

    # It takes the orientation out of the EXIF data, too.
    return ImageOps.exif_transpose(image) or image
