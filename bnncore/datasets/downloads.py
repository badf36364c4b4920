"""Fetching a publisher's file through pooch: resumed where it stopped, verified, kept.

Nothing is fetched at import or installation, only by the user's command. The checksum is given beforehand;
a file that does not have it is not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.publishers import PublishedFile
from bnncore.extras import missing_extra
from bnncore.spelling import argument

__all__ = ["Progress", "fetch"]

Progress = Callable[[int], None]
"""Told how many bytes there are so far."""

_ATTEMPTS = 4
_TIMEOUT = 30.0
_MOST_BYTES = 2**31


def fetch(file: PublishedFile, folder: Path, progress: Progress | None = None) -> Path:
    """Return a publisher's file in a folder, fetched if it is not there already.

    An interrupted transfer is continued by the next attempt or the next call, where the server can.

    Raises:
        DatasetError: if no address gives the file, with each one's reason, or pooch is missing.
    """
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
    for url in file.urls:
        keeper = pooch.create(
            path=folder,
            base_url="",
            registry={file.name: f"sha256:{file.sha256}"},
            urls={file.name: url},
            retry_if_failed=_ATTEMPTS - 1,
        )
        downloader = _Resuming(folder / f"{file.name}.part", file.size, progress)
        try:
            return Path(keeper.fetch(file.name, downloader=downloader))
        except (OSError, ValueError, requests.exceptions.RequestException) as error:
            reasons.append(f"{url}: {error}")
    raise DatasetError(
        f"{file.name} could not be fetched. {'; '.join(reasons)}. Try again later (what has arrived is kept), or "
        f"download it yourself and give it with {argument('path', option='from')}"
    )


class _Resuming:
    """Download for pooch, by way of a ``.part`` file that survives a broken transfer."""

    def __init__(self, part: Path, size: int | None, progress: Progress | None) -> None:
        self._part = part
        self._size = size
        self._progress = progress or (lambda count: None)

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        have = self._part.stat().st_size if self._part.is_file() else 0
        if self._size is None or have < self._size:
            self._download(url, have)
        # Whether it is right, pooch decides; a wrong one is gone then, and the next attempt starts anew.
        self._part.replace(output_file)

    def _download(self, url: str, have: int) -> None:
        import requests

        # A server must not compress what is compressed already: sizes and ranges would be of other bytes.
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()
            response.raise_for_status()
            resumed = have and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            self._receive(response, have if resumed else 0)

    def _receive(self, response: Any, have: int) -> None:
        most = self._size or _MOST_BYTES
        with self._part.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(2**16):
                have += len(chunk)
                if have > most:
                    file.truncate(0)
                    raise ValueError(f"the server sends more than the {most} bytes that were expected")
                file.write(chunk)
                self._progress(have)
        if self._size is not None and have < self._size:
            raise OSError(f"{have} of {self._size} bytes arrived")
