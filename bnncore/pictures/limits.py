"""What a picture may take, told by headers before a pixel is decoded.

A file of a hundred bytes can say that it is a picture of a billion pixels, and decoders believe it. What counts is the
memory and the time that decoding takes, and that is more than the pixels: WebP and JPEG 2000 need several times as much
as they leave, a TIFF has tiles of its own size, and each scan of a JPEG goes over all of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from bnncore.errors import InputError

__all__ = ["FILE", "Limit", "allowed", "check_file", "check_turned", "draft_side", "fits"]


class Limit(NamedTuple):
    """A number, and why it is that one.

    Attributes:
        most: what is still taken.
        reason: why.
    """

    most: int
    reason: str


FILE = Limit(2**30, "bytes of a file: 100 megapixels of 16-bit RGB without compression are 600 MB")
SMALL = Limit(2**28, "bytes that decoding any file may take: a page of one bit a pixel at 1200 dpi is 170 MB")
LARGE = Limit(2**30, "bytes that decoding may take at all: photographs of the largest cameras are 700 MB")
SHARE = Limit(
    256,
    "bytes that decoding may take a byte of the file: photographs take 5 to 100, drawings of a large file 200",
)
SIDE = Limit(
    2**18, "pixels of a side: JPEG has 65,535; the table of the filter that shrinks it grows with each"
)
ICON = Limit(1024, "pixels of a side of a picture in an .ico: the format has 256")
SCANS = Limit(20, "scans of a large JPEG: what encoders write are up to 17")
WORK = Limit(5 * 10**8, "pixels that all scans of a JPEG may go over, if they are more than that: 3 seconds")
EXIF = Limit(2**16, "bytes of EXIF data: JPEG's own limit; reading it takes its square")
TIMES = Limit(4, "times that the data of a TIFF's tags may be as large as the file: they are part of it")

# Bytes a pixel that decoding takes beside the picture, measured with Pillow 13 on 16 megapixels, rounded up.
_BESIDE = {"AVIF": 12, "GIF": 1, "HEIF": 12, "SGI": 2, "WEBP": 13}
# The same a component of JPEG 2000.
_BESIDE_JPEG2000 = 6
# Bytes a pixel of a picture in memory, 4 of all other modes; of 16 and 32 bits with that of 8 that it becomes.
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 3, "I;16B": 3, "I;16L": 3, "I;16N": 3, "I": 5}
# Bytes of a value of a TIFF's tag, by its type (TIFF 6.0, IFD Entry; BigTIFF).
_TIFF_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_JPEG_SCAN = b"\xff\xda"


def allowed(size: int) -> int:
    """Return the bytes of memory that decoding a file of so many bytes may take."""
    return max(SMALL.most, min(LARGE.most, size * SHARE.most))


def check_file(data: bytes, where: str) -> None:
    """Look at a file whose pixels, or much else, would be decoded as soon as it is opened.

    Raises:
        InputError: naming what is too large.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        _check_area(*_webp_size(data), 4 + _BESIDE["WEBP"], len(data), where)
    elif data[4:8] == b"ftyp":
        for width, height in _isobmff_sizes(data):
            _check_area(width, height, 4 + _BESIDE["AVIF"], len(data), where)
    elif data[:4] == b"\0\0\1\0":
        for width, height in _icon_sizes(data):
            if max(width, height) > ICON.most:
                raise InputError(
                    f"{where}: too large: an icon of {width}x{height} pixels, at most {ICON.most} a side are read"
                )
    elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        named = _tiff_data(data)
        if named > max(EXIF.most, len(data) * TIMES.most):
            raise InputError(f"{where}: is damaged: its tags have {named} bytes, the file has {len(data)}")


def fits(image: Image.Image, data: bytes, where: str) -> bool:
    """Tell whether a picture that is opened, but not decoded, may be decoded; False if it must be decoded smaller.

    Raises:
        InputError: if it is too large, and no JPEG.
    """
    width, height = image.size
    if max(width, height) > SIDE.most:
        raise InputError(
            f"{where}: too large: {width}x{height} pixels, at most {SIDE.most} a side are read; cut it into pieces"
        )
    # Most pictures are so small that it does not matter what they are.
    if width * height * 64 <= SMALL.most and not _layered(image, data):
        return True
    beside = _beside(image, data, where)
    if image.format in ("JPEG", "MPO"):
        return width * height * (_stored(image) + beside) <= allowed(len(data))
    _check_area(width, height, _stored(image) + beside, len(data), where)
    buffer = _tiff_buffer(image) if image.format == "TIFF" else 0
    if buffer + width * height * _stored(image) > allowed(len(data)):
        raise _too_large(width, height, buffer + width * height * _stored(image), len(data), where)
    return True


def draft_side(image: Image.Image, data: bytes, where: str) -> tuple[int, int]:
    """Return the size to which a JPEG that does not fit must be decoded.

    Raises:
        InputError: if that is not small enough either.
    """
    width, height = image.size
    beside = _beside(image, data, where)
    needed = 0.0
    for scale in (2, 4, 8):
        needed = width * height * (_stored(image) / scale**2 + beside)
        if needed <= allowed(len(data)):
            return width // scale, height // scale
    raise _too_large(width, height, int(needed), len(data), where)


def check_turned(image: Image.Image, size: int, where: str) -> None:
    """Look at a picture that is to be turned, which takes it twice.

    Args:
        image: decoded.
        size: bytes of its file.
        where: for the message.

    Raises:
        InputError: if that is too much.
    """
    needed = 2 * image.width * image.height * _stored(image)
    if needed > allowed(size):
        raise _too_large(image.width, image.height, needed, size, where)


def _stored(image: Image.Image) -> int:
    return _STORED.get(image.mode, 4)


def _beside(image: Image.Image, data: bytes, where: str) -> float:
    if image.format in ("JPEG", "MPO"):
        return _jpeg_beside(image, data, where)
    if image.format == "JPEG2000":
        return _jpeg2000_components(data) * _BESIDE_JPEG2000
    return _BESIDE.get(image.format or "", 0)


def _check_area(width: int, height: int, each: float, size: int, where: str) -> None:
    if width * height * each > allowed(size):
        raise _too_large(width, height, int(width * height * each), size, where)


def _too_large(width: int, height: int, needed: int, size: int, where: str) -> InputError:
    return InputError(
        f"{where}: too large: decoding its {width}x{height} pixels takes {needed // 2**20} MB, a file of {size} bytes "
        f"may take {allowed(size) // 2**20} MB; make it smaller, or save it without compression"
    )


def _layered(image: Image.Image, data: bytes) -> bool:
    """Whether a JPEG is large enough that its scans, or a file long enough that its tiles, must be looked at."""
    if image.format in ("JPEG", "MPO"):
        # The shortest scan has 16 bytes.
        return image.width * image.height * (len(data) // 16) > WORK.most
    return image.format in ("TIFF", "JPEG2000")


def _jpeg_beside(image: Image.Image, data: bytes, where: str) -> float:
    """Return the bytes a pixel that a JPEG's coefficients take if they are all kept: those of several scans are."""
    layers: list[tuple[int, int, int, int]] = getattr(image, "layer", [])
    start, components = _first_scan(data)
    if not image.info.get("progressive") and components >= len(layers):
        return 0
    scans = data.count(_JPEG_SCAN, start)
    if scans > SCANS.most and scans * image.width * image.height > WORK.most:
        raise InputError(
            f"{where}: too large: {scans} scans of {image.width}x{image.height} pixels; save it as a JPEG that is "
            "not progressive"
        )
    most = max((across * down for _, across, down, _ in layers), default=1)
    return 2 * sum(across * down for _, across, down, _ in layers) / most


def _first_scan(data: bytes) -> tuple[int, int]:
    """Return where a JPEG's first scan begins, and how many components it has."""
    position = 2
    while position + 5 <= len(data) and data[position] == 0xFF:
        kind = data[position + 1]
        if kind == 0xDA:
            return position, data[position + 4]
        if kind == 0xFF:
            position += 1
        elif kind == 0x01 or 0xD0 <= kind <= 0xD8:
            position += 2
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    # Bytes that are no marker; Pillow looks on, and so everything is counted.
    return 0, 0


def _jpeg2000_components(data: bytes) -> int:
    """Return the components that the codestream says (ISO 15444-1, A.5.1); 4 if that is not found."""
    start = data.find(b"\xff\x4f\xff\x51")
    return int.from_bytes(data[start + 40 : start + 42], "big") if start >= 0 else 4


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a WebP file by its first chunk (RFC 9649), (0, 0) if it is none that is known."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return 0, 0


def _isobmff_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield what the boxes ``ispe`` of an AVIF or HEIF file say (ISO 23008-12, 6.5.3), wherever they are."""
    position = data.find(b"ispe")
    while position >= 0 and position + 16 <= len(data):
        width, height = struct.unpack_from(">II", data, position + 8)
        yield width, height
        position = data.find(b"ispe", position + 16)


def _icon_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield width and height of the pictures in an .ico, which need not be what its directory says."""
    for entry in range(int.from_bytes(data[4:6], "little")):
        place = data[18 + 16 * entry : 22 + 16 * entry]
        offset = int.from_bytes(place, "little")
        head = data[offset : offset + 24]
        if len(place) < 4 or len(head) < 24:
            continue
        if head[:4] == b"\x89PNG":
            yield int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        elif head[0] == 12:
            yield int.from_bytes(head[4:6], "little"), int.from_bytes(head[6:8], "little")
        else:
            width, height = struct.unpack_from("<ii", head, 4)
            # The picture, and below it its mask.
            yield abs(width), abs(height) // 2


def _tiff_data(data: bytes) -> int:
    """Return the bytes that the tags of a TIFF's first directory have outside of it, each as often as it is named."""
    order = "<" if data[:1] == b"I" else ">"
    big = data[2:3] == b"+" or data[3:4] == b"+"
    head, count, entry, inline = (8, "Q", "HHQ", 8) if big else (4, "H", "HHI", 4)
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, head)
        (entries,) = struct.unpack_from(order + count, data, start)
    except struct.error:
        return 0
    size = struct.calcsize("<" + entry) + inline
    first = start + struct.calcsize("<" + count)
    total = 0
    for position in range(first, min(first + entries * size, len(data) - size + 1), size):
        _, kind, values = struct.unpack_from(order + entry, data, position)
        needed = values * _TIFF_BYTES.get(kind, 0)
        # More than the file has is not read.
        total += needed if inline < needed <= len(data) else 0
    return total


def _tiff_buffer(image: Image.Image) -> int:
    """Return the bytes of a TIFF's largest strip or tile, which is decoded at once."""
    tags = getattr(image, "tag_v2", {})

    def number(tag: int, default: int) -> int:
        value = tags.get(tag, default)
        value = max(value) if isinstance(value, tuple) and value else value
        return int(value) if isinstance(value, (int, float)) else default

    bits, samples = number(258, 1), number(277, 1)
    rows = min(number(278, image.height), image.height)
    strip = image.width * rows
    tile = number(322, 0) * number(323, 0)
    return max(strip, tile) * bits * samples // 8
