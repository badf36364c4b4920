"""What a file is by its first bytes, whatever its name says: cameras, browsers and phones name pictures wrongly.

Cheap: a few bytes are read and nothing is decoded, so whether the picture is whole is not known then.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["HEAD", "SUFFIXES", "is_picture", "picture_format"]

HEAD = 32
"""How many bytes of a file ``picture_format`` looks at."""

# Pillow's names of the formats. Those of two bytes are held to what must follow them, or texts would be pictures.
_SIGNATURES = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("PNG", rb"\x89PNG\r\n\x1a\n"),
        ("JPEG", rb"\xff\xd8\xff"),
        ("GIF", rb"GIF8[79]a"),
        ("WEBP", rb"RIFF....WEBP"),
        # The size of the header, which follows the sizes of the file and of what is before the pixels.
        ("BMP", rb"BM.{4}\x00{4}.{4}[\x0c\x28\x40\x6c\x7c]\x00\x00\x00"),
        ("TIFF", rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]"),
        ("AVIF", rb"....ftypavi[fs]"),
        ("HEIF", rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)"),
        ("JPEG2000", rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
        ("PPM", rb"P[1-6][\s#]+[\d#]"),
        ("ICO", rb"\x00\x00\x01\x00[\x01-\xff]\x00"),
        ("SGI", rb"\x01\xda[\x00\x01][\x01\x02]\x00[\x01-\x03]"),
        # A version, the one compression, 1 to 8 bits.
        ("PCX", rb"\x0a[\x00-\x05]\x01[\x01\x02\x04\x08]"),
    )
)

SUFFIXES = frozenset(
    {
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".ico", ".j2k", ".jfif", ".jp2"),
        *(
            ".jpe",
            ".jpeg",
            ".jpg",
            ".pbm",
            ".pcx",
            ".pgm",
            ".png",
            ".pnm",
            ".ppm",
            ".sgi",
            ".tga",
            ".tif",
            ".tiff",
        ),
        ".webp",
    }
)
"""How the names of pictures end, in lower case: what is called so is meant to be one."""


def picture_format(head: bytes) -> str | None:
    """Return the format of a picture by its first ``HEAD`` bytes, in Pillow's words, or None if it is none.

    ``TGA`` has no signature, and is never found.

    >>> picture_format(bytes([0xFF, 0xD8, 0xFF, 0xE0])), picture_format(b"path,label")
    ('JPEG', None)
    """
    return next((name for name, pattern in _SIGNATURES if pattern.match(head)), None)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture by its content, or is called one: then a reader says what is wrong with it.

    Raises:
        OSError: if it cannot be read.
    """
    if path.suffix.lower() in SUFFIXES:
        return True
    with path.open("rb", buffering=0) as file:
        return picture_format(file.read(HEAD)) is not None
