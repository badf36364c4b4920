"""Pixels of more than 8 bits: which of their bits are the highest that are used.

Cameras and scanners measure 10, 12 or 14 bits and store them in 16. Taken for 16, such a picture is nearly black.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["eight_bits"]

Array = npt.NDArray[Any]

_BITS = 16
# What a picture may have that does not say it.
_USUAL = (8, 10, 12, 14)
# Fewer pixels than these tell nothing of those that they might have.
_TELLING = 64
# Pixels that are converted at once: numpy takes several times their bytes.
_AT_ONCE = 2**22
# Tags of TIFF: the largest value that a pixel may have, and the bits of one (TIFF 6.0, Baseline Field Reference Guide).
_BITS_PER_SAMPLE, _MAX_SAMPLE, _SMAX_SAMPLE = 258, 281, 341
# Colours in a PPM (netpbm, ppm(5)): width, height and the largest value, with comments between them.
_PPM_HEADER = re.compile(rb"P[36](?:(?:\s|#[^\r\n]*[\r\n])+\d+){2}(?:\s|#[^\r\n]*[\r\n])+(?P<most>65535)\s")
_PPM_LONGEST = 1024


def eight_bits(image: Image.Image, data: bytes, where: str) -> Image.Image:
    """Return a picture whose grey or colours have 8 bits, the highest that are used.

    What says how many that is goes first: the chunk sBIT of PNG, the tags BitsPerSample and MaxSampleValue of TIFF.
    Else they are 16, unless no pixel has one of the highest two: then 8, 10, 12 or 14, with a warning, since it
    might be a dark picture of 16.

    Args:
        image: decoded, of any mode but floating-point.
        data: the file that it was decoded from; nothing if it is the caller's own.
        where: what to call it.
    """
    if image.mode.startswith("I"):
        declared = _declared(image, data)
        # Pillow tells the extremes of no big-endian picture.
        bits = declared or _seen(max(int(values.max()) for _, values in _strips(image)), image, where)
        return _by_rows(image, bits)
    if data and image.mode in ("RGB", "RGBA", "LA", "L") and _sixteen(image, data):
        return _colours(image, data, where)
    return image


def _declared(image: Image.Image, data: bytes) -> int | None:
    """Return how many bits a file says that its pixels use, None if it says nothing, or nothing possible."""
    bits = 0
    if image.format == "PNG" and data:
        # Before the palette and the pixels, so near the beginning.
        start, end = data.find(b"sBIT"), data.find(b"IDAT")
        bits = max(data[start + 4 : start + 4 + data[start - 1] % 5], default=0) if 0 < start < end else 0
    elif image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        bits = _largest(tags.get(_BITS_PER_SAMPLE))
        most = _largest(tags.get(_MAX_SAMPLE)) or _largest(tags.get(_SMAX_SAMPLE))
        if bits == _BITS:
            bits = most.bit_length() if 0 < most < 2**_BITS - 1 else 0
    return bits if 0 < bits <= _BITS else None


def _largest(value: Any) -> int:
    values = value if isinstance(value, tuple) else (value,)
    return max((int(each) for each in values if isinstance(each, (int, float))), default=0)


def _seen(most: int, image: Image.Image, where: str) -> int:
    """Return how many bits the pixels use, as far as their largest tells."""
    bits = next((each for each in _USUAL if most < 2**each), _BITS)
    if bits == _BITS or most == 0 or image.width * image.height < _TELLING:
        return _BITS
    warnings.warn(
        f"{where}: no pixel of this 16-bit picture is above {most}, so it is taken for one of {bits} bits; if it is "
        "a dark one of 16, convert it to 8 bits first",
        stacklevel=4,
    )
    return bits


def _by_rows(image: Image.Image, bits: int) -> Image.Image:
    """Return 16- or 32-bit grey with the highest 8 of so many bits, in little memory."""
    result = Image.new("L", image.size)
    for top, values in _strips(image):
        result.paste(Image.fromarray(_highest(np.clip(values, 0, 2**_BITS - 1), bits)), (0, top))
    return result


def _strips(image: Image.Image) -> Iterator[tuple[int, Array]]:
    """Yield a picture's values in parts of some rows, each with the number of its first row."""
    rows = max(1, _AT_ONCE // image.width)
    for top in range(0, image.height, rows):
        yield top, np.asarray(image.crop((0, top, image.width, min(image.height, top + rows))))


def _highest(values: Array, bits: int) -> Array:
    """Return uint8, the highest 8 of so many bits; larger values are 255."""
    shifted = values >> (bits - 8) if bits >= 8 else values << (8 - bits)
    highest: Array = np.minimum(shifted, 255).astype(np.uint8)
    return highest


def _sixteen(image: Image.Image, data: bytes) -> bool:
    """Whether colours, of which Pillow keeps the high byte alone, have 16 bits in the file."""
    if image.format == "PNG":
        return data[24:25] == b"\x10"
    if image.format == "PPM":
        return _whole_range(data) is not None
    if image.format == "SGI":
        # Bytes a value.
        return data[3:4] == b"\x02"
    return image.format == "TIFF" and _largest(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE)) == _BITS


def _whole_range(data: bytes) -> re.Match[bytes] | None:
    """Return the header of a PPM whose largest value, the group ``most``, is that of 16 bits; None of all else."""
    return _PPM_HEADER.match(data, 0, _PPM_LONGEST)


def _largest_of_ppm(data: bytes, start: int, count: int) -> int:
    """Return the largest of so many values, two bytes each or, in P3, text."""
    if data.startswith(b"P6"):
        return int(np.frombuffer(data, ">u2", count, start).max())
    return max(int(match[0]) for match in re.finditer(rb"\d+", re.sub(rb"#[^\r\n]*", b"", data[start:])))


def _colours(image: Image.Image, data: bytes, where: str) -> Image.Image:
    """Return colours with the highest 8 of the bits that they use."""
    bands = image.getbands()
    # What is transparent has all 16 bits in either case.
    count = len(bands) - (bands[-1] == "A")
    high = int(np.max(np.reshape(image.getextrema(), (-1, 2))[:count]))
    bits = _declared(image, data)
    if bits is None and high > 2**6:
        return image
    # Decoded once more for the bits that Pillow left out, unless that is as large as it is dear.
    if (ppm := _whole_range(data)) is not None:
        bits = _seen(_largest_of_ppm(data, ppm.end(), image.width * image.height * count), image, where)
        # Pillow scales by the largest value that the header names.
        named = data[: ppm.start("most")] + b"%d" % (2**bits - 1) + data[ppm.end("most") :]
        scaled: Image.Image = Image.open(io.BytesIO(named))
        scaled.load()
        return scaled
    low = _low_bytes(data) if image.width * image.height <= _AT_ONCE else None
    if low is None or low.mode != image.mode or low.size != image.size:
        bits = bits or _seen(high << 8 | 255 if high else 0, image, where)
        table = [min(value << (_BITS - bits), 255) for value in range(256)]
        return _replaced(image, table * count + list(range(256)) * (len(bands) - count))
    result = np.array(image).reshape(image.height, image.width, -1)
    below = np.asarray(low).reshape(result.shape)[..., :count]
    colours = result[..., :count].astype(np.uint16) << 8 | below
    bits = bits or _seen(int(colours.max()), image, where)
    result[..., :count] = _highest(colours, bits)
    return Image.fromarray(result[..., 0] if len(bands) == 1 else result)


def _replaced(image: Image.Image, table: list[int]) -> Image.Image:
    """Look up every value in a table, in the picture's own memory, which is nobody else's."""
    rows = max(1, _AT_ONCE // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        image.paste(strip.point(table), (0, top))
    return image


def _low_bytes(data: bytes) -> Image.Image | None:
    """Decode a file once more, as if the bytes of a pixel came in the other order; None if that cannot be."""
    image: Any = Image.open(io.BytesIO(data))
    swapped = []
    for codec, box, offset, arguments in image.tile:
        mode, *others = arguments if isinstance(arguments, tuple) else (arguments,)
        kind, _, order = str(mode).rpartition(";16")
        other = {"B": "L", "L": "B", "N": "B" if np.little_endian else "L"}.get(order)
        if not kind or other is None:
            return None
        changed = f"{kind};16{other}"
        swapped.append((codec, box, offset, (changed, *others) if isinstance(arguments, tuple) else changed))
    image.tile = swapped
    try:
        image.load()
    # Pillow has no such order for every mode.
    except (ValueError, OSError):
        return None
    result: Image.Image = image
    return result
