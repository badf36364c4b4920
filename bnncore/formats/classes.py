"""``classes.txt``: one class name a line, in the order of the network's outputs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from bnncore.errors import ParameterError
from bnncore.files import read_limited
from bnncore.plain_text import shown

__all__ = [
    "CLASSES",
    "check_classes",
    "class_name",
    "classes_bytes",
    "name_fault",
    "parse_classes",
    "read_classes",
    "read_classes_bytes",
]

CLASSES = "classes.txt"

_MAX_BYTES = 2**20
_LIMIT_OF = "this is no list of class names"

# Characters of one name; it is shown beside every picture.
_LONGEST = 200

# No-break spaces, of which a person sees no difference to a space; file managers and spreadsheets make them.
_SPACES = {0x00A0: " ", 0x2007: " ", 0x202F: " "}
# At the ends of a name they are spaces that nobody sees: of no width, or a byte order mark.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
# Among the characters that format others, those that scripts need inside a word: joiners of Persian, Indic scripts and
# emoji, breaks of Khmer and Thai, signs that stand before a number, and the tags of flags. Not those that turn the
# direction of all that follows on the line.
_FORMATTING = frozenset(
    {0x00AD, *range(0x200B, 0x200E), 0x2060, *range(0x0600, 0x0606), 0x06DD, 0x070F, 0x08E2, 0x110BD, 0x110CD}
    | set(range(0xE0020, 0xE0080))
)
# Controls, halves of characters, ends of lines and of paragraphs.
_UNPRINTABLE = {"Cc": "a control character", "Cs": "half a character", "Zl": "a line end", "Zp": "a line end"}


def read_classes(path: Path, outputs: int | None = None) -> tuple[str, ...]:
    """Read a ``classes.txt``.

    Args:
        path: the file.
        outputs: of the network, if known; there may be fewer classes, not more.

    Raises:
        ParameterError: naming the file and the line that is wrong.
    """
    return parse_classes(read_classes_bytes(path), str(path), outputs)


def read_classes_bytes(path: Path) -> bytes:
    """Return the bytes of a ``classes.txt`` as they are, for those who take more than ``parse_classes`` does.

    Raises:
        ParameterError: if it cannot be read, or is larger than a list of names can be.
    """
    return read_limited(path, _MAX_BYTES, ParameterError, _LIMIT_OF)


def parse_classes(data: bytes, where: str, outputs: int | None = None) -> tuple[str, ...]:
    """Parse the bytes of a ``classes.txt``; ``where`` names it in errors.

    LF and CRLF line ends, a byte order mark and blank lines at the end are fine. A blank line elsewhere,
    a name that occurs twice, and more names than outputs are not.

    Raises:
        ParameterError: naming the file and the line that is wrong.
    """
    if len(data) > _MAX_BYTES:
        raise ParameterError(f"{where}: larger than {_MAX_BYTES} bytes, {_LIMIT_OF}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParameterError(f"{where}: expected UTF-8 text, found byte {data[error.start]:#04x}") from error
    lines = [line.rstrip("\r").strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return check_classes(lines, where, outputs)


def classes_bytes(names: Iterable[str]) -> bytes:
    """Return the bytes of a ``classes.txt``; ``parse_classes`` reads them back.

    Args:
        names: that ``check_classes`` takes. Blanks around one are lost.
    """
    return "".join(f"{name}\n" for name in names).encode()


def class_name(text: str) -> str:
    r"""Return a class name in the one form in which names are compared.

    Composed (NFC), no-break spaces as spaces, and without any space around it, ideographic and invisible ones included:
    folders, tables and file systems write one name in several ways.

    >>> class_name("  cafe\u0301 au\xa0lait ") == "caf\xe9 au lait"
    True
    """
    text = unicodedata.normalize("NFC", text.translate(_SPACES)).strip()
    while text != (text := text.strip(_INVISIBLE).strip()):
        pass
    return text


def name_fault(name: str) -> str | None:
    """Return why a text can be no class name, as a predicate, or None: any script, emoji and spaces are printable."""
    if not class_name(name):
        return "is empty"
    if len(name) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    for character in name:
        # Most names end here: Python knows no formatting characters, and no space but one, as printable.
        if character.isprintable():
            continue
        category, shown = unicodedata.category(character), f"U+{ord(character):04X}"
        if category in _UNPRINTABLE:
            return f"has characters that cannot be printed: {_UNPRINTABLE[category]}, {shown}"
        if category == "Cf" and ord(character) not in _FORMATTING:
            return f"has characters that cannot be printed: an invisible one, {shown}"
    return None


def check_classes(names: Iterable[str], where: str, outputs: int | None = None) -> tuple[str, ...]:
    """Return the names as a tuple if they can be the classes of a network with that many outputs.

    Raises:
        ParameterError: naming the line (from 1) that is wrong.
    """
    if isinstance(names, (str, bytes)):
        raise ParameterError(f"{where}: expected a sequence of class names, found one string")
    result = tuple(names)
    if not result:
        raise ParameterError(f"{where}: expected one class name a line, found none")
    first: dict[str, int] = {}
    for number, name in enumerate(result, 1):
        if not isinstance(name, str) or not name.strip():
            raise ParameterError(f"{where}, line {number}: expected a class name, found {shown(name)}")
        if len(name) > _LONGEST:
            raise ParameterError(
                f"{where}, line {number}: expected a class name of at most {_LONGEST} characters, found {len(name)}"
            )
        if (fault := name_fault(name)) is not None:
            raise ParameterError(f"{where}, line {number}: {name!r} {fault}")
        if name in first:
            raise ParameterError(f"{where}, line {number}: {name!r} stands in line {first[name]} already")
        first[name] = number
    if outputs is not None and len(result) > outputs:
        raise ParameterError(f"{where}: {len(result)} classes, but the network has {outputs} outputs")
    return result
