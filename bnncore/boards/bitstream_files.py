"""Where the files of a bitstream are: the user's folder, an installed package, the cache, the network.

Every file is checked for size and SHA-256 each time before it is used, wherever it comes from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from bnncore import environment
from bnncore.errors import ResourceError
from bnncore.files import read_limited
from bnncore.places import cache_folder
from bnncore.records import Bitstream, Resource, UserFile
from bnncore.resources import resource_path
from bnncore.writing import write_atomically

__all__ = ["BitstreamFiles", "locate_files", "obtain_files"]

_LIMIT = 2**28


@frozen(kw_only=True)
class BitstreamFiles:
    """A bitstream on disk, checked.

    Attributes:
        bit: the bitstream; its hand-off file lies beside it, with the suffix ``.hwh``.
        sha256: of the bitstream.
        source: where it was found, for people.
    """

    bit: Path
    sha256: str
    source: str


def obtain_files(
    bitstream: Bitstream, folder: Path | None = None, accept: Iterable[str] = ()
) -> BitstreamFiles:
    """Return the files of a bitstream, fetched if they are nowhere on this machine.

    Args:
        bitstream: its record.
        folder: where the user keeps bitstreams; None for the variable ``BNNCORE_BITSTREAMS``, if it is set.
        accept: SHA-256 digests of files in that folder that the user trusts though they are not the
            published ones, beside those in the variable ``BNNCORE_BITSTREAMS_ACCEPT``.

    Raises:
        ResourceError: if a file in the user's folder is another one and was not accepted, or if the files are
            nowhere, with every place that was looked at and what was wrong there.
    """
    reasons: list[str] = []
    found = _look(bitstream, folder, accept, reasons)
    if found is None:
        found = _fetched(bitstream, reasons)
    return found


def locate_files(
    bitstream: Bitstream, folder: Path | None = None, accept: Iterable[str] = ()
) -> BitstreamFiles | None:
    """Return the files of a bitstream if they are on this machine; nothing is fetched.

    Raises:
        ResourceError: if a file in the user's folder is another one and was not accepted.
    """
    return _look(bitstream, folder, accept, [])


def _look(
    bitstream: Bitstream, folder: Path | None, accept: Iterable[str], reasons: list[str]
) -> BitstreamFiles | None:
    return (
        _in_folder(bitstream, folder, accept, reasons)
        or _in_package(bitstream, reasons)
        or _in_cache(bitstream, reasons)
    )


def _in_folder(
    bitstream: Bitstream, folder: Path | None, accept: Iterable[str], reasons: list[str]
) -> BitstreamFiles | None:
    if folder is None:
        chosen = environment.BITSTREAMS.value
        if not chosen:
            reasons.append(f"{environment.BITSTREAMS} names no folder")
            return None
        folder = Path(chosen)
    files = [folder / file.filename for file in (bitstream.bit, bitstream.hwh)]
    missing = [path.name for path in files if not path.is_file()]
    if len(missing) == len(files):
        reasons.append(f"{folder} has no {' and no '.join(missing)}")
        return None
    if missing:
        raise ResourceError(
            f"{folder}: expected {files[0].name} and {files[1].name} side by side, found no {missing[0]}"
        )
    trusted = {*accept, *environment.BITSTREAMS_ACCEPT.value.replace(",", " ").lower().split()}
    digests = []
    for file, path in zip((bitstream.bit, bitstream.hwh), files):
        digest = _digest(path)
        if digest not in trusted and not (isinstance(file, Resource) and digest == file.sha256):
            published = file.sha256 if isinstance(file, Resource) else "none is published"
            raise ResourceError(
                f"{path}: expected SHA-256 {published}, found {digest}. If you know this file and trust it, say so "
                f"with {environment.BITSTREAMS_ACCEPT}={digest} (several digests with commas)"
            )
        digests.append(digest)
    return BitstreamFiles(bit=files[0], sha256=digests[0], source=f"the folder {folder}")


def _in_package(bitstream: Bitstream, reasons: list[str]) -> BitstreamFiles | None:
    if isinstance(bitstream.bit, UserFile) or isinstance(bitstream.hwh, UserFile):
        return None
    package = bitstream.bit.package
    try:
        files = [resource_path(bitstream.bit), resource_path(bitstream.hwh)]
    except ResourceError:
        reasons.append(f"no package {package!r} is installed")
        return None
    return _published(bitstream, files, f"the package {package!r}", reasons)


def _in_cache(bitstream: Bitstream, reasons: list[str]) -> BitstreamFiles | None:
    if isinstance(bitstream.bit, UserFile) or isinstance(bitstream.hwh, UserFile):
        return None
    try:
        files = _cached(bitstream.bit, bitstream.hwh)
    except ResourceError as error:
        # A user without a home has no cache, and may need none.
        reasons.append(str(error))
        return None
    return _published(bitstream, files, "the cache", reasons)


def _published(
    bitstream: Bitstream, files: list[Path], source: str, reasons: list[str]
) -> BitstreamFiles | None:
    """Return these files if they are the published ones."""
    for file, path in zip((bitstream.bit, bitstream.hwh), files):
        assert isinstance(file, Resource)
        if not path.is_file():
            reasons.append(f"{source} has no {path}")
            return None
        if path.stat().st_size != file.size or _digest(path) != file.sha256:
            reasons.append(f"{path} is not the published file")
            return None
    assert isinstance(bitstream.bit, Resource)
    return BitstreamFiles(bit=files[0], sha256=bitstream.bit.sha256, source=source)


def _fetched(bitstream: Bitstream, reasons: list[str]) -> BitstreamFiles:
    bit, hwh = bitstream.bit, bitstream.hwh
    names = f"{bit.filename} and {hwh.filename}"
    if isinstance(bit, UserFile) or isinstance(hwh, UserFile) or not bit.url or not hwh.url:
        raise ResourceError(
            f"the bitstream of {bitstream.topology} for {', '.join(bitstream.boards)} cannot be fetched, and is not "
            f"here: {'; '.join(reasons)}. Put {names} into a folder, name it with "
            f"{environment.BITSTREAMS}, and name their SHA-256 digests, which 'sha256sum' prints, with "
            f"{environment.BITSTREAMS_ACCEPT}"
        )
    # It imports a web client, which every start on a machine without a board would pay for.
    from bnncore.boards.fetching import fetch

    files = _cached(bit, hwh)
    try:
        for file, path in zip((hwh, bit), reversed(files)):
            assert file.url
            write_atomically(path, fetch(file.url, file.size, file.sha256))
    except (ResourceError, OSError) as error:
        raise ResourceError(
            f"the bitstream of {bitstream.topology} for {', '.join(bitstream.boards)} is not here "
            f"({'; '.join(reasons)}) and fetching it failed: {error}. Without a network: fetch {bit.url} and "
            f"{hwh.url} elsewhere, put both into a folder here, and name it with {environment.BITSTREAMS}"
        ) from error
    return BitstreamFiles(bit=files[0], sha256=bit.sha256, source=bit.url)


def _cached(bit: Resource, hwh: Resource) -> list[Path]:
    # A folder for each content: two plugins may use one name for different files.
    folder = cache_folder() / "bitstreams" / hashlib.sha256((bit.sha256 + hwh.sha256).encode()).hexdigest()[:16]
    return [folder / bit.filename, folder / hwh.filename]


def _digest(path: Path) -> str:
    data = read_limited(path, _LIMIT, ResourceError, "this is no bitstream")
    return hashlib.sha256(data).hexdigest()
