"""Fetching a publisher's file through pooch: resumed where it stopped, verified, kept.

Nothing is fetched at import or installation, only by the user's command. The checksum is given beforehand;
a file that does not have it is not kept.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.publishers import PublishedFile
from bnncore.extras import missing_extra
from bnncore.files import fingerprint
from bnncore.places import check_folder
from bnncore.spelling import argument
from bnncore.unfinished import claimed, scratch_folder

__all__ = ["Progress", "fetch", "part_of"]

Progress = Callable[[int], None]
"""Told how many bytes there are so far."""

_ATTEMPTS = 4
_TIMEOUT = 30.0
_MOST_BYTES = 2**31


def fetch(file: PublishedFile, folder: Path, progress: Progress | None = None) -> Path:
    """Return a publisher's file in a folder, fetched if it is not there already.

    An interrupted transfer is continued by the next attempt or the next call, where the server can.

    Processes that fetch it at once do not wait for each other: one of them continues, the others fetch it anew.

    Raises:
        DatasetError: if no address gives the file, with each one's reason, or pooch is missing.
    """
    place = folder / file.name
    if place.is_file() and fingerprint(place, DatasetError).sha256 == file.sha256:
        return place
    try:
        import pooch
        import requests
    except ImportError as error:
        otherwise = f"Or download {file.name} yourself and give it with {argument('path', option='from')}"
        raise missing_extra(
            "fetching data sets", "pooch", "data", error=DatasetError, otherwise=otherwise
        ) from error
    # It reports each step; the command line has its own words.
    pooch.get_logger().setLevel("WARNING")
    reasons = []
    check_folder(folder, DatasetError)
    # pooch gets a folder of this process's own, since it would leave its file where it is killed.
    with scratch_folder(folder, file.name) as scratch:
        for url in file.urls:
            keeper = pooch.create(
                path=scratch,
                base_url="",
                registry={file.name: f"sha256:{file.sha256}"},
                urls={file.name: url},
                retry_if_failed=_ATTEMPTS - 1,
            )
            downloader = _Resuming(part_of(file, folder), file.size, progress)
            try:
                Path(keeper.fetch(file.name, downloader=downloader)).replace(place)
                return place
            except (OSError, ValueError, requests.exceptions.RequestException) as error:
                reasons.append(f"{url}: {error}")
    raise DatasetError(
        f"{file.name} could not be fetched. {'; '.join(reasons)}. Try again later (what has arrived is kept), or "
        f"download it yourself and give it with {argument('path', option='from')}"
    )


def part_of(file: PublishedFile, folder: Path) -> Path:
    """Return where the bytes of a file are that have arrived so far."""
    return folder / f"{file.name}.part"


class _Resuming:
    """Download for pooch, by way of a ``.part`` file that survives a broken transfer."""

    def __init__(self, part: Path, size: int | None, progress: Progress | None) -> None:
        self._part = part
        self._size = size
        self._progress = progress or (lambda count: None)

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        with claimed(self._part) as mine:
            # Another process that is at it continues it; both in one file would be neither's.
            part = self._part if mine else Path(output_file)
            have = part.stat().st_size
            if self._size is None or have < self._size:
                self._download(url, part, have)
            # Whether it is right, pooch decides; a wrong one is gone then, and the next attempt starts anew.
            part.replace(output_file)

    def _download(self, url: str, part: Path, have: int) -> None:
        import requests

        # A server must not compress what is compressed already: sizes and ranges would be of other bytes.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                os.truncate(part, 0)
            response.raise_for_status()
            resumed = have and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            self._receive(response, part, have if resumed else 0)

    def _receive(self, response: Any, part: Path, have: int) -> None:
        most = self._size or _MOST_BYTES
        with part.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(2**16):
                have += len(chunk)
                if have > most:
                    file.truncate(0)
                    raise ValueError(f"the server sends more than the {most} bytes that were expected")
                file.write(chunk)
                self._progress(have)
        if self._size is not None and have < self._size:
            raise OSError(f"{have} of {self._size} bytes arrived")
