"""Unpacking an archive that may be hostile: plain files only, inside the folder, within limits."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from bnncore.datasets.labelled import DatasetError
from bnncore.places import check_space
from bnncore.plain_text import brief, shown
from bnncore.writing import new_folder

__all__ = ["is_archive", "unpack"]

# CIFAR-10 has 60,000 pictures in 170 MB.
_MOST_BYTES = 2**31
_MOST_FILES = 200_000

# What an archive may unpack to. Pictures hardly deflate, and records of them by a few times; what unpacks to a hundred
# times its size is made to fill a disk. A few small files of zeros do no harm.
_BYTES, _TIMES = 2**26, 100

# How many files, folders and links there may be: each one's header, though compressed, takes some dozens of bytes.
_HEADERS, _BYTES_A_HEADER = 2_000, 64

# A header that only describes the next one holds a long name, and what else PAX can say of a file: seldom a kilobyte.
# One for all that follow is copied for each of them.
_LONGEST_HEADER = 2**16
_LONGEST_FOR_ALL = 2**12
_DESCRIBING = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class _Bounds:
    """What is left of that which an archive may ask for, as its headers are read: nothing is unpacked before.

    Attributes:
        bytes: that it may unpack to.
    """

    def __init__(self, size: int) -> None:
        self.bytes = self._bytes = min(_MOST_BYTES, max(_BYTES, _TIMES * size))
        self._headers = self._most_headers = min(_MOST_FILES, max(_HEADERS, size // _BYTES_A_HEADER))
        self._describing = max(2**22, 8 * size)
        self._for_all = _LONGEST_FOR_ALL

    def take(self, size: int) -> None:
        """Take account of one more file, folder or link, and the bytes that it declares.

        Raises:
            DatasetError: if there are too many.
        """
        self._headers -= 1
        if self._headers < 0:
            raise DatasetError(
                f"holds more than {self._most_headers} files and folders, the limit for its size"
            )
        self._bytes -= max(0, size)
        if self._bytes < 0:
            raise DatasetError(f"holds more than {self.bytes} bytes, the limit for an archive of its size")

    def take_header(self, info: tarfile.TarInfo) -> None:
        """Take account of a tar's header, before what it describes is read.

        Raises:
            DatasetError: if it asks for more memory or time than a data set's files need.
        """
        for_all = info.type == tarfile.XGLTYPE
        if for_all or info.type in _DESCRIBING:
            self._describing -= info.size
            self._for_all -= info.size if for_all else 0
            if not 0 <= info.size <= _LONGEST_HEADER or min(self._describing, self._for_all) < 0:
                raise DatasetError(f"has a header of {info.size} bytes, which no data set needs")
        elif info.type == tarfile.GNUTYPE_SPARSE:
            raise DatasetError("holds a sparse file, which no data set needs")
        else:
            self.take(info.size)


class _BoundedInfo(tarfile.TarInfo):
    """A tar header that is looked at before tarfile does what it asks for.

    tarfile reads a header that describes another one whole, whatever size it declares, and takes many times that to
    parse it; and the map of a sparse file may be as long as the archive.
    """

    bounds: _Bounds

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Any:
        info = super().frombuf(buf, encoding, errors)
        cls.bounds.take_header(info)
        return info

    def _proc_gnusparse_10(self, *_: Any) -> None:
        raise DatasetError("holds a sparse file, which no data set needs")


def is_archive(path: Path) -> bool:
    """Say whether a file is a tar archive, compressed or not, or a zip archive; ``unpack`` says whether it is whole."""
    if not path.is_file():
        return False
    try:
        return _is_tar(path) or zipfile.is_zipfile(path)
    except DatasetError:
        # It is, with a first header that is refused.
        return True


def _open_tar(archive: Path) -> tarfile.TarFile:
    bounds = _Bounds(archive.stat().st_size)
    info = type("_Info", (_BoundedInfo,), {"bounds": bounds})
    return tarfile.open(archive, tarinfo=info)


def _is_tar(path: Path) -> bool:
    try:
        _open_tar(path).close()
    except DatasetError:
        raise
    # TarError; a compression's own errors, of what only begins like one; RecursionError, of headers that describe each
    # other; OverflowError, of sizes that no file has, …
    except Exception:
        return False
    return True


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a new folder; half of one is never left.

    Links, devices and other things that are no plain files are passed over; tarfile's own filters are
    newer than the Python of some boards.

    Raises:
        DatasetError: if it is no archive, is damaged, encrypted or compressed in an unknown way, has a file
            that would land outside the folder, or holds more than 2 GiB, 200,000 files, or more than an archive
            of its size can honestly hold (a hundred times its bytes).
    """
    check_space(folder, _stated_size(archive), DatasetError)
    with new_folder(folder) as target:
        try:
            _unpack(archive, target)
        except DatasetError as error:
            raise DatasetError(f"{archive}: {error}") from error
        # Encrypted, or compressed in a way that this Python does not know (NotImplementedError).
        except RuntimeError as error:
            raise DatasetError(
                f"{archive}: cannot be unpacked: {brief(error)}; unpack it yourself and give the folder"
            ) from error
        except OSError as error:
            if error.errno is not None:
                # The disk's word, not the archive's: no room, no right.
                raise DatasetError(f"{folder}: cannot be written: {error.strerror or error}") from error
            raise DatasetError(
                f"{archive}: cannot be unpacked, it is damaged or cut short: {brief(error)}"
            ) from error
        # What archives and compressions raise of damage has no name in common: TarError, zlib.error, LZMAError, …
        except Exception as error:
            raise DatasetError(
                f"{archive}: cannot be unpacked, it is damaged or cut short: {brief(error)}"
            ) from error


def _stated_size(archive: Path) -> int:
    """Return the bytes that an archive says it holds, at least; of a compressed tar its own size."""
    try:
        if not zipfile.is_zipfile(archive):
            return archive.stat().st_size
        with zipfile.ZipFile(archive) as zipped:
            # More is refused in any case.
            return min(sum(info.file_size for info in zipped.infolist()), _MOST_BYTES)
    except Exception:
        # What is damaged is said where it is read.
        return 0


def _unpack(archive: Path, target: Path) -> None:
    left = most = _Bounds(archive.stat().st_size).bytes
    for name, file in _members(archive):
        place = target / _relative(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as out:
            left -= _copy(file, out, left, most)


def _copy(file: IO[bytes], out: IO[bytes], left: int, most: int) -> int:
    """Copy a file and return its size, which the archive's headers need not tell truly."""
    size = 0
    while chunk := file.read(2**20):
        size += len(chunk)
        if size > left:
            raise DatasetError(f"holds more than {most} bytes, the limit for an archive of its size")
        out.write(chunk)
    return size


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and the opened content of each plain file."""
    if _is_tar(archive):
        with _open_tar(archive) as tar:
            while (member := tar.next()) is not None:
                # tarfile keeps all members that it has seen; links to them, which need them, are passed over.
                tar.members = []  # type: ignore[attr-defined]  # documented in no stub
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is not None:
                    with stream:
                        yield member.name, stream
            _read_to_the_end(tar, _Bounds(archive.stat().st_size).bytes)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            bounds = _Bounds(archive.stat().st_size)
            for info in zipped.infolist():
                bounds.take(info.file_size)
            for info in zipped.infolist():
                # The upper half of the attributes is Unix's mode; 0o12 is a link.
                if not info.is_dir() and info.external_attr >> 28 != 0o12:
                    with zipped.open(info) as stream:
                        yield info.filename, stream
    else:
        raise DatasetError("expected a .tar.gz or .zip archive, found something else")


def _read_to_the_end(tar: tarfile.TarFile, most: int) -> None:
    """Read what follows a tar's last file: compressions keep their checksum there, and compare it then."""
    stream, size = tar.fileobj, 0
    while stream is not None and (chunk := stream.read(2**20)):
        size += len(chunk)
        if size > most:
            raise DatasetError(f"holds more than {most} bytes, the limit for an archive of its size")


def _relative(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts:
        raise DatasetError(f"expected files with names, found {shown(name)}")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise DatasetError(f"the file {shown(name)} would land outside the folder")
    return path
