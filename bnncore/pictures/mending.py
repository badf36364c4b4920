"""Whole pictures that a decoder refuses for what is no pixel: texts, profiles, checksums, a missing last marker.

Pillow can be told to overlook such things, but only for the whole process and along with missing pixels. So the bytes
are mended before it sees them.
"""

from __future__ import annotations

import zlib

from bnncore.pictures.limits import EXIF

__all__ = ["ENDINGS", "without_faults_of_jpeg", "without_faults_of_png"]

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"

ENDINGS = (b"\xff\xd9", b"\0" * 64 + b"\xff\xd9", b"\x55" * 64 + b"\xff\xd9")
"""What can be put after a JPEG without its last marker: if all pixels are there, it makes no difference which."""

# Bytes of text that a picture may have, unpacked: Pillow refuses one of more than this.
_TEXT = 2**20
# Texts that are unpacked to see that they are larger, until no more are looked at.
_LARGE = 8
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
# Ancillary chunks of PNG whose size is given (PNG, third edition, 11.3); others say nothing that is used.
_SIZES = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}
# Of the further pictures of an animation.
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")


def without_faults_of_png(data: bytes) -> bytes:
    """Return a PNG without the ancillary chunks that its pixels do not need and a decoder would stumble over.

    These are the ones with a wrong checksum or size, more than a megabyte of texts and profiles, more EXIF data
    than a JPEG can have, and the further pictures of an animation.
    """
    # Most small ones are their header, all pixels, and the end.
    if data[37:41] == b"IDAT" and len(data) == 57 + int.from_bytes(data[33:37], "big"):
        return data
    kept, begun, position, text, large = [], 0, len(PNG), 0, 0
    while position + 12 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + size
        # A chunk whose name begins with a small letter is ancillary.
        if kind[:1].islower() and end <= len(data):
            body = memoryview(data)[position + 8 : end - 4]
            bad = kind in _ANIMATION or zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(
                data[end - 4 : end], "big"
            )
            bad = bad or size != _SIZES.get(kind, size) or (kind == b"eXIf" and size > EXIF.most)
            if kind in _TEXTS and not bad:
                size = _unpacked(kind, body) if large < _LARGE else _TEXT + 1
                bad = text + size > _TEXT
                large, text = large + bad, text + (0 if bad else size)
            if bad:
                kept.append(data[begun:position])
                begun = end
        position = end
        if kind == b"IEND":
            break
    return b"".join([*kept, data[begun:]]) if begun else data


def without_faults_of_jpeg(data: bytes) -> bytes:
    """Return a JPEG without EXIF data beyond its first block: it is no part of that format, and takes long to read."""
    kept, begun, position, seen = [], 0, 2, False
    # A file of one block more cannot do harm.
    while len(data) > EXIF.most and position + 4 <= len(data) and data[position] == 0xFF:
        kind = data[position + 1]
        if kind == 0xDA or kind < 0xC0:
            break
        if kind == 0xFF or 0xD0 <= kind <= 0xD8:
            position += 1 if kind == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if kind == 0xE1 and data[position + 4 : position + 8] == b"Exif":
            if seen:
                kept.append(data[begun:position])
                begun = end
            seen = True
        position = end
    return b"".join([*kept, data[begun:]]) if begun else data


def _unpacked(kind: bytes, body: memoryview) -> int:
    """Return the bytes of a text or profile when it is unpacked; more than are allowed if it cannot be."""
    if kind == b"tEXt" or len(body) > _TEXT:
        return len(body)
    _, _, rest = bytes(body).partition(b"\0")
    if kind == b"iTXt":
        if rest[:1] != b"\1":
            return len(body)
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        # The method, of which there is one.
        rest = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(rest, _TEXT + 1))
    except zlib.error:
        return _TEXT + 1
