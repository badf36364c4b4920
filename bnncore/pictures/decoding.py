"""From whatever a user has to an upright picture: path, bytes, PIL image or uint8 array.

Nothing here changes the caller's image. Every failure is one ``InputError``.
"""

from __future__ import annotations

import io
import os
import threading
import warnings
from typing import Any, Union

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from bnncore.errors import InputError
from bnncore.files import unreadable

__all__ = ["Resampling", "Source", "on_background", "open_image", "to_rgb"]

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Image.Image, npt.NDArray[np.uint8]]

# Pillow 9.0, which boards have, keeps these names in the module itself.
Resampling: Any = getattr(Image, "Resampling", Image)

# Formats that only decode pixels. PostScript, for one, would run a program.
_COMMON = ("PNG", "JPEG", "GIF", "BMP", "PPM")
_OTHER = ("WEBP", "TIFF", "AVIF", "TGA", "ICO", "PCX", "SGI", "JPEG2000")
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112
_open_lock = threading.Lock()


def open_image(source: Source, *, upright: bool = True, jpeg_side: int | None = None) -> Image.Image:
    """Return a decoded picture, upright unless told otherwise.

    Args:
        source: a path, the bytes of a picture file, a PIL image, or a uint8 array [H, W], [H, W, 1], [H, W, 3] or
            [H, W, 4].
        upright: apply the EXIF orientation.
        jpeg_side: let a JPEG file be decoded smaller, each side of so many pixels at least; None for all of it.

    Returns:
        A picture of any mode but 16- and 32-bit grey, which are reduced to 8 bits. It may be the
        caller's own object: do not change it.

    Raises:
        InputError: if it cannot be read: missing, truncated, hostile, too large, or of another type.
    """
    if isinstance(source, Image.Image):
        image, where = source, "image"
    elif isinstance(source, np.ndarray):
        return _from_array(source)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        where = "bytes"
        image = _decode(io.BytesIO(source), where)
    elif isinstance(source, (str, os.PathLike)):
        where = str(source)
        image = _decode(io.BytesIO(_read(source, where)), where)
    else:
        raise InputError(
            "expected a path, bytes of a picture file, a PIL image or a uint8 array, "
            f"found {type(source).__name__}"
        )
    if 0 in image.size:
        raise InputError(f"{where}: expected a picture, found {image.size[0]}x{image.size[1]} pixels")
    try:
        if jpeg_side is not None and image is not source:
            # Only JPEG decoders heed it; an image of the caller's stays as it is.
            image.draft(None, (jpeg_side, jpeg_side))
        image.load()
        # Many PNG files hold nothing but pixels, so there is no orientation to look for.
        plain = image is not source and image.format == "PNG" and not image.info
        return _eight_bits(_upright(image) if upright and not plain else image)
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
    try:
        # Read whole, so that no file stays open behind a lazy image; unbuffered, since it is read at once.
        with io.FileIO(path) as file:
            return file.readall()
    except (OSError, ValueError) as error:
        raise InputError(unreadable(where, error)) from error


def _decode(stream: io.BytesIO, where: str) -> Image.Image:
    """Open a picture of an allowed format; larger than Pillow's hard limit is refused."""
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
        formats = ", ".join(_COMMON + _OTHER)
        raise InputError(f"{where}: is no picture in a known format ({formats})") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{where}: too large: {error}") from error
    except Exception as error:
        raise InputError(f"{where}: cannot be decoded: {type(error).__name__}: {error}") from error


def _open_png(stream: io.BytesIO) -> Image.Image | None:
    """Return a PNG picture that is not suspiciously large; None for all else, the stream at its beginning.

    What ``Image.open`` would return, without its imports of the other formats, and without the filter of
    warnings, which belongs to the whole process.
    """
    png = stream.read(len(_SIGNATURE)) == _SIGNATURE
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


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    # Broken EXIF data are common in good pictures; such a picture is taken as it lies.
    except Exception:
        return image
    # Pillow 9.4 to 10.0 turn a TIFF when they load it, and keep the tag.
    if orientation == 1 or getattr(image, "_tile_orientation", None):
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image) or image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Reduce 16-bit grey by its high byte; refuse what has no fixed range."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("floating-point pixels have no fixed range; convert to 8 bits first")
    return image
