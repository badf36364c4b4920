"""Changing a file: anywhere, and where it hurts, behind the checksums of containers.

Everything random comes from the generator that is passed, so that a number makes the same file again.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickletools
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

__all__ = ["mutated"]

EXTREMES = (
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**64 - 1,
)
DIGITS = (
    b"0",
    b"1",
    b"-1",
    b"4096",
    b"65536",
    b"2147483648",
    b"18446744073709551616",
    b"1" + b"0" * 30,
    b"9" * 500,
    b"1e999",
)


def mutated(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Return a file changed in one to four places; ``others`` are whole files of its kind, for splices."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _once(data, others, rng)
    return data


def _once(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int = 0) -> bytes:
    if depth < 3 and rng.random() < 0.6:
        for looks_like, change in _CONTAINERS:
            if looks_like(data):
                try:
                    return change(data, others, rng, depth)
                # It was no whole one any more.
                except Exception:
                    break
    return rng.choice(_PLAIN)(data, others, rng)


# -- anywhere ----------------------------------------------------------------------------------------


def _flip(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _extreme(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(EXTREMES) % (1 << 8 * width)
    # Headers are where sizes are.
    end = max(1, len(data) if rng.random() < 0.5 else min(len(data), 64))
    place = rng.randrange(end)
    return data[:place] + value.to_bytes(width, rng.choice(("little", "big"))) + data[place + width :]


def _cut(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:start], data[start:], data[:start] + data[end:]))


def _repeat(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    times = rng.choice((2, 2, 3, 50)) if end - start < 2000 else 2
    return data[:start] + data[start:end] * times + data[end:]


def _splice(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    other = rng.choice(others) if others else data
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _number(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    places = list(re.finditer(rb"\d+", data))
    if not places:
        return _flip(data, others, rng)
    place = rng.choice(places)
    return data[: place.start()] + rng.choice(DIGITS) + data[place.end() :]


def _noise(data: bytes, others: tuple[bytes, ...], rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.randbytes(rng.randrange(1, 9)) + data[place + rng.choice((0, 4)) :]


_PLAIN = (_flip, _flip, _extreme, _extreme, _cut, _repeat, _splice, _number, _noise)


# -- containers --------------------------------------------------------------------------------------


def _zip(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = rng.randrange(len(members))
    name, content = members[place]
    kind = rng.random()
    if kind < 0.75:
        members[place] = (name, _once(content, (content,), rng, depth + 1))
    elif kind < 0.8:
        del members[place]
    elif kind < 0.85:
        members.append((rng.choice((name, "../up", "x" * 3000, "\x1b[2J.npy")), content))
    elif kind < 0.9:
        members[place] = (name, bytes(rng.choice((2**16, 2**22))))
    else:
        members[place] = (rng.choice(members)[0], content)
    buffer = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    made = bytearray(buffer.getvalue())
    if rng.random() < 0.2:
        # A field of the central directory: method, sizes, place, flags.
        entry = made.index(b"PK\1\2")
        struct.pack_into(
            "<I", made, entry + rng.choice((6, 8, 10, 16, 20, 24, 28, 42)), rng.choice(EXTREMES) % 2**32
        )
    return bytes(made)


def _npy(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    length = int.from_bytes(data[8:10], "little")
    header, body = data[10 : 10 + length], data[10 + length :]
    if body[:1] in b"{[" and rng.random() < 0.8:
        # The text of meta.
        body = _json(body, others, rng, depth)
        header = re.sub(rb"\(\d+,\)", b"(%d,)" % len(body), header)
    elif rng.random() < 0.6:
        header = rng.choice(
            (
                _number(header, others, rng),
                _flip(header, others, rng),
                header.replace(b"|u1", rng.choice((b"|O", b"<f8", b"<M8[ns]", b">i4", b"|V9", b"<U9"))),
                header.replace(b"False", b"True"),
                b"(" * rng.choice((200, 900, 60_000)),
                header.strip() + b" " * rng.choice((1000, 60_000)),
            )
        )[:65_535]
    else:
        body = rng.choice(_PLAIN)(body, (body,), rng)
    return data[:8] + struct.pack("<H", len(header)) + header + body


def _json(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    value = json.loads(data)
    places: list[tuple[Any, Any]] = []
    level = [value]
    while level:
        each = level.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        for key in keys:
            places.append((each, key))
            level.append(each[key])
    if not places:
        return rng.choice(_PLAIN)(data, others, rng)
    holder, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.6:
        holder[key] = "@@"
        return json.dumps(value).encode().replace(b'"@@"', rng.choice(_VALUES), 1)
    if kind < 0.75:
        holder[key] = rng.choice(places)[0] if rng.random() < 0.1 else json.loads(json.dumps(value))
    elif kind < 0.85 and isinstance(holder, dict):
        holder[rng.choice(("x" * 5000, "\x1b]0;", "", "name"))] = holder.pop(key)
    elif isinstance(holder, dict):
        text = json.dumps(holder[key])
        return json.dumps(value).encode().replace(b"{", b'{"%s": %s, ' % (key.encode(), text.encode()), 1)
    else:
        del holder[key]
    return json.dumps(value).encode()


_VALUES = (
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'""',
    b"-1",
    b"0",
    b"1e999",
    b"NaN",
    b"-Infinity",
    b"1" + b"0" * 30,
    b"9" * 5000,
    b"4096",
    b"65536",
    b"1048576",
    b"0.5",
    b'"\\u001b[2J\\ud800"',
    b'"' + b"x" * 70_000 + b'"',
    b"[" * 3000 + b"]" * 3000,
    b'{"a":' * 3000 + b"1" + b"}" * 3000,
    b"[" + b"1," * 5000 + b"1]",
    b'{"a": 1, "a": 2}',
    b'"../../x"',
    b'"clip"',
)


def _tar(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    blocks = [bytearray(data[place : place + 512]) for place in range(0, len(data), 512)]
    heads = [block for block in blocks if block[257:262] == b"ustar"]
    block = rng.choice(heads)
    start, end = rng.choice(
        ((0, 100), (100, 108), (124, 136), (124, 136), (156, 157), (157, 257), (263, 265), (345, 500))
    )
    if start == 156:
        block[156] = rng.choice(b"0123456789LKxgXSVMDN\0")
    elif rng.random() < 0.5:
        number = rng.choice(
            (b"00000000000\0", b"77777777777\0", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-1         \0")
        )
        block[start:end] = number[: end - start].ljust(end - start, b"\0")
    else:
        block[start:end] = _flip(bytes(block[start:end]), others, rng)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    if rng.random() < 0.2:
        place = rng.randrange(len(blocks))
        blocks[place:place] = blocks[: rng.randrange(1, 4)] * rng.choice((1, 1, 300))
    return b"".join(blocks)


def _compressed(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Any:
    def change(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
        content = unpack(data)
        if rng.random() < 0.05:
            return pack(content + bytes(2**23))
        return pack(_once(content, (content,), rng, depth + 1))

    return change


def _png(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    chunks, place = [], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunks.append([data[place + 4 : place + 8], data[place + 8 : place + 8 + length]])
        place += 12 + length
    chunk = rng.choice(chunks)
    kind = rng.random()
    if kind < 0.5:
        chunk[1] = rng.choice(_PLAIN)(chunk[1], (chunk[1],), rng)
    elif kind < 0.7:
        content = rng.choice((b"a\0\0" + zlib.compress(bytes(2**20)), b"a\0" + bytes(99), b"", bytes(16)))
        names = (
            b"zTXt",
            b"tEXt",
            b"iTXt",
            b"iCCP",
            b"eXIf",
            b"acTL",
            b"fcTL",
            b"tRNS",
            b"PLTE",
            b"IDAT",
            b"sBIT",
        )
        chunks.insert(rng.randrange(1, len(chunks) + 1), [rng.choice(names), content])
    elif kind < 0.8:
        chunks.remove(chunk)
    elif chunk[0] == b"IDAT":
        chunk[1] = zlib.compress(_once(zlib.decompress(chunk[1]), (), rng, 3))
    else:
        head = bytearray(chunks[0][1])
        place = rng.choice((0, 4, 8, 9, 12))
        head[place : place + (4 if place < 8 else 1)] = (
            struct.pack(">I", rng.choice(EXTREMES) % 2**32)
            if place < 8
            else bytes([rng.choice((0, 1, 2, 3, 4, 6, 8, 16))])
        )
        chunks[0][1] = bytes(head)
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def _tiff(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack(order + "I", data[4:8])
    (count,) = struct.unpack(order + "H", data[start : start + 2])
    changed = bytearray(data)
    entry = start + 2 + 12 * rng.randrange(count)
    field = rng.random()
    if field < 0.2:
        struct.pack_into(
            order + "H",
            changed,
            entry,
            rng.choice((254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 317, 320, 322, 338, 700)),
        )
    elif field < 0.4:
        struct.pack_into(order + "H", changed, entry + 2, rng.randrange(20))
    elif field < 0.6:
        struct.pack_into(order + "I", changed, entry + 4, rng.choice(EXTREMES) % 2**32)
    else:
        struct.pack_into(
            order + "I", changed, entry + 8, rng.choice((*EXTREMES, 5, 7, 8, 32773, 34712)) % 2**32
        )
    return bytes(changed)


def _pickle(data: bytes, others: tuple[bytes, ...], rng: random.Random, depth: int) -> bytes:
    places = [place or 0 for _, _, place in pickletools.genops(data)]
    start, end = sorted(rng.choice(places) for _ in range(2))
    kind = rng.random()
    if kind < 0.3:
        code = rng.choice([opcode.code.encode("latin-1") for opcode in pickletools.opcodes])
        return data[:start] + code + rng.choice((b"", b"\xff\xff\xff\x7f", bytes(8), b"\n")) + data[start:]
    if kind < 0.5:
        return data[:start] + data[end:]
    if kind < 0.8:
        return data[:start] + data[start:end] * rng.choice((2, 2, 30)) + data[start:]
    return data[:end] + _extreme(data[end:], others, rng)


def _is_zip(data: bytes) -> bool:
    return data.startswith(b"PK\3\4")


_CONTAINERS: tuple[tuple[Callable[[bytes], bool], Any], ...] = (
    (_is_zip, _zip),
    (lambda data: data.startswith(b"\x93NUMPY"), _npy),
    (lambda data: data.startswith((b"{", b"[")), _json),
    (
        lambda data: data.startswith(b"\x1f\x8b"),
        _compressed(gzip.decompress, lambda data: gzip.compress(data, 1)),
    ),
    (
        lambda data: data.startswith(b"\xfd7zXZ"),
        _compressed(lzma.decompress, lambda data: lzma.compress(data, preset=0)),
    ),
    (lambda data: data.startswith(b"BZh"), _compressed(bz2.decompress, bz2.compress)),
    (lambda data: data[257:262] == b"ustar", _tar),
    (lambda data: data.startswith(b"\x89PNG"), _png),
    (lambda data: data.startswith((b"II*\0", b"MM\0*")), _tiff),
    (lambda data: data.startswith((b"\x80", b"(d", b"(l")), _pickle),
)
