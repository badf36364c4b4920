"""From a publisher's archive to a folder that ``read`` reads: given by path, or fetched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from bnncore.datasets import cifar, idx
from bnncore.datasets.downloads import Progress, fetch, part_of
from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.publishers import PublishedFile, PublishedSet
from bnncore.datasets.unpacking import is_archive, unpack
from bnncore.files import fingerprint
from bnncore.places import cache_folder, check_folder, check_space
from bnncore.spelling import argument

__all__ = ["Obtained", "from_network", "from_path"]

_DEEPEST = 4

# Of a file's name, so that something may be added to it.
_LONGEST_NAME = 100

StartProgress = Callable[[PublishedFile], Progress]
"""Called with each file before it is fetched."""


@frozen(kw_only=True)
class Obtained:
    """Where a data set is now.

    Attributes:
        folder: for ``bnncore.datasets.read`` and ``--data``.
        checked: in words, how its files were verified.
    """

    folder: Path
    checked: str


def from_path(known: PublishedSet, path: Path, sha256: str | None = None) -> Obtained:
    """Find a data set in a folder or an archive that the user has.

    An archive is unpacked once, into the cache. One with a checksum that nobody published is taken all the
    same, since it is the user's own choice: reading runs nothing that is in it.

    Args:
        known: what it should be.
        path: a folder that holds the layout at any depth, or an archive of one.
        sha256: what the archive must have, or None.

    Raises:
        DatasetError: if there is nothing, it is damaged, has another checksum, or holds no known layout.
    """
    if path.is_dir():
        if sha256 is not None:
            raise DatasetError(
                f"{path}: a folder has no SHA-256; give the archive, or leave {argument('sha256')} out"
            )
        return Obtained(folder=_locate(known, path), checked="a folder, taken as it is")
    if not path.is_file():
        raise DatasetError(f"{path}: expected an archive or a folder of {known.title}, found nothing there")
    digest = fingerprint(path, DatasetError).sha256
    if sha256 is not None and digest != sha256.lower():
        raise DatasetError(f"{path}: expected SHA-256 {sha256.lower()}, found {digest}; it is another file")
    return Obtained(folder=_unpacked(known, path, digest), checked=_verdict(known, digest, sha256))


def from_network(
    known: PublishedSet,
    url: str | None = None,
    sha256: str | None = None,
    start_progress: StartProgress | None = None,
) -> Obtained:
    """Fetch a data set, or find it in the cache.

    Args:
        known: what to fetch.
        url: where, if not from the publisher; needs ``sha256``.
        sha256: of the file at ``url``.
        start_progress: called with each file, returns what is told of its bytes.

    Raises:
        DatasetError: if no checksum is known, or it cannot be fetched or verified.
    """
    if url is not None or not known.fetched:
        return _from_url(known, url, sha256, start_progress)
    if sha256 is not None:
        raise DatasetError(
            f"the checksums of {known.name} are known; {argument('sha256')} is for {argument('url')} and "
            f"{argument('path', option='from')}"
        )
    folder = cache_folder() / "data" / known.name
    missing = [file for file in known.fetched if not (folder / file.name).is_file()]
    _check_room(folder, missing)
    paths = []
    for file in known.fetched:
        paths.append(fetch(file, folder, start_progress(file) if start_progress else None))
    checked = "SHA-256 as published"
    if len(paths) == 1 and is_archive(paths[0]):
        return Obtained(folder=_unpacked(known, paths[0], known.fetched[0].sha256), checked=checked)
    # Beside them may be what archives of the same data set were unpacked to.
    return Obtained(folder=folder if _holds(known, folder) else _locate(known, folder), checked=checked)


def _from_url(
    known: PublishedSet, url: str | None, sha256: str | None, start_progress: StartProgress | None
) -> Obtained:
    if url is None or sha256 is None:
        reason = "" if known.fetched else f"{known.name}'s publisher names no checksum. "
        raise DatasetError(
            f"{reason}To fetch it, give both {argument('url')} and {argument('sha256')}; or download it from "
            f"{known.page} yourself and give it with {argument('path', option='from')}"
        )
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DatasetError(f"expected a SHA-256 of 64 hex digits, found {sha256!r}")
    file = PublishedFile(name=_name_in(url), size=None, sha256=sha256.lower(), urls=(url,))
    _check_room(cache_folder() / "data" / known.name, [file])
    path = fetch(file, cache_folder() / "data" / known.name, start_progress(file) if start_progress else None)
    return Obtained(folder=_unpacked(known, path, file.sha256), checked=_verdict(known, file.sha256, sha256))


def _name_in(url: str) -> str:
    """Return the name that a file gets which is fetched from an address: its last part, if a disk can take that."""
    name = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    usual = re.sub(r"[^\w.+-]", "_", name)[-_LONGEST_NAME:].lstrip(".")
    return usual or "archive"


def _check_room(folder: Path, files: Sequence[PublishedFile]) -> None:
    """Refuse to fetch what cannot be kept, before the first byte; what has arrived already is not counted."""
    if files:
        check_folder(folder, DatasetError)
        check_space(folder, sum(_missing_bytes(file, folder) for file in files), DatasetError)


def _missing_bytes(file: PublishedFile, folder: Path) -> int:
    try:
        arrived = part_of(file, folder).stat().st_size
    except OSError:
        # None yet, or another process has just moved it to its place.
        arrived = 0
    return max(0, (file.size or 0) - arrived)


def _verdict(known: PublishedSet, digest: str, asked: str | None) -> str:
    if asked is not None:
        return "SHA-256 as you gave it"
    if any(digest == file.sha256 for file in known.files):
        return "SHA-256 as published"
    which = "none of those that are published" if known.files else "its publisher names none"
    return f"SHA-256 {digest}, {which}"


def _unpacked(known: PublishedSet, archive: Path, digest: str, nested: bool = False) -> Path:
    """Unpack an archive into the cache, unless it is there, and return the folder of the layout."""
    folder = cache_folder() / "data" / known.name / digest[:16]
    if not folder.is_dir():
        check_folder(folder.parent, DatasetError)
        try:
            unpack(archive, folder)
        except OSError:
            # Another process was quicker; it is the same archive.
            if not folder.is_dir():
                raise
    return _locate(known, folder, nested)


def _locate(known: PublishedSet, folder: Path, nested: bool = False) -> Path:
    """Return the one folder below a folder, or itself, that holds the layout.

    A repository may hold it as an archive; that is unpacked into the cache, one level deep.
    """
    places = _meant(known, folder, [place for place in _folders(folder) if _holds(known, place)])
    if len(places) == 1:
        return places[0]
    if not places and not nested:
        archives = [path for place in _folders(folder) for path in sorted(place.iterdir()) if is_archive(path)]
        archives = _meant(known, folder, archives)
        if len(archives) == 1:
            return _unpacked(known, archives[0], fingerprint(archives[0], DatasetError).sha256, nested=True)
        places = archives
    found = ", ".join(str(place.relative_to(folder)) for place in places[:5]) or "none"
    example = "data_batch_1 or data_batch_1.bin" if known.layout == "cifar" else "train-images-idx3-ubyte.gz"
    raise DatasetError(
        f"{folder}: expected one folder with files such as {example}, found {found}; give the path of the folder "
        "itself"
    )


def _meant(known: PublishedSet, folder: Path, places: list[Path]) -> list[Path]:
    """Of several places keep those that the data set's pattern names, if it does any."""
    if len(places) < 2 or known.part is None:
        return places
    pattern = re.compile(known.part, re.IGNORECASE)
    return [place for place in places if pattern.search(place.relative_to(folder).as_posix())] or places


def _folders(folder: Path, depth: int = 0) -> Iterator[Path]:
    yield folder
    if depth < _DEEPEST:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.is_symlink() and not child.name.startswith("."):
                yield from _folders(child, depth + 1)


def _holds(known: PublishedSet, folder: Path) -> bool:
    layouts = (idx.LAYOUT,) if known.layout == "idx" else (cifar.BINARY, cifar.PYTHON)
    return any(layout.recognises(folder) for layout in layouts)
