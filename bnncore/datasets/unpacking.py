"""Unpacking an archive that may be hostile: plain files only, inside the folder, within limits."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from bnncore.datasets.labelled import DatasetError
from bnncore.files import check_space, new_folder

__all__ = ["is_archive", "unpack"]

_MOST_BYTES = 2**31
_MOST_FILES = 200_000


def is_archive(path: Path) -> bool:
    """Say whether a file is a tar archive, compressed or not, or a zip archive."""
    return path.is_file() and (tarfile.is_tarfile(path) or zipfile.is_zipfile(path))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive into a new folder; half of one is never left.

    Links, devices and other things that are no plain files are passed over; tarfile's own filters are
    newer than the Python of some boards.

    Raises:
        DatasetError: if it is no archive, is damaged, encrypted or compressed in an unknown way, has a file
            that would land outside the folder, or holds more than 2 GiB or 200,000 files.
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
                f"{archive}: cannot be unpacked: {error}; unpack it yourself and give the folder"
            ) from error
        except OSError as error:
            if error.errno is not None:
                # The disk's word, not the archive's: no room, no right.
                raise DatasetError(f"{folder}: cannot be written: {error.strerror or error}") from error
            raise DatasetError(f"{archive}: cannot be unpacked, it is damaged or cut short: {error}") from error
        # What archives and compressions raise of damage has no name in common: TarError, zlib.error, LZMAError, …
        except Exception as error:
            raise DatasetError(f"{archive}: cannot be unpacked, it is damaged or cut short: {error}") from error


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
    left = _MOST_BYTES
    for count, (name, file) in enumerate(_members(archive)):
        if count >= _MOST_FILES:
            raise DatasetError(f"holds more than {_MOST_FILES} files")
        place = target / _relative(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as out:
            left -= _copy(file, out, left)


def _copy(file: IO[bytes], out: IO[bytes], most: int) -> int:
    """Copy a file and return its size, which the archive's headers need not tell truly."""
    size = 0
    while chunk := file.read(2**20):
        size += len(chunk)
        if size > most:
            raise DatasetError(f"holds more than {_MOST_BYTES} bytes")
        out.write(chunk)
    return size


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and the opened content of each plain file."""
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is not None:
                    with stream:
                        yield member.name, stream
            _read_to_the_end(tar)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                # The upper half of the attributes is Unix's mode; 0o12 is a link.
                if not info.is_dir() and info.external_attr >> 28 != 0o12:
                    with zipped.open(info) as stream:
                        yield info.filename, stream
    else:
        raise DatasetError("expected a .tar.gz or .zip archive, found something else")


def _read_to_the_end(tar: tarfile.TarFile) -> None:
    """Read what follows a tar's last file: compressions keep their checksum there, and compare it then."""
    stream, size = tar.fileobj, 0
    while stream is not None and (chunk := stream.read(2**20)):
        size += len(chunk)
        if size > _MOST_BYTES:
            raise DatasetError(f"holds more than {_MOST_BYTES} bytes")


def _relative(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts:
        raise DatasetError(f"expected files with names, found {name!r}")
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise DatasetError(f"the file {name!r} would land outside the folder")
    return path
