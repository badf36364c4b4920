"""Fetching a file whose size and SHA-256 are known beforehand.

The standard library does it in a page, and a board need not install a client first. Nothing is used, or
takes its place in the cache, before all of it is there and is what it should be.
"""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.request

from bnncore.errors import ResourceError

__all__ = ["fetch"]

_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 30.0
_CHUNK = 2**16


class _Interrupted(Exception):  # never leaves this module
    """A transfer that broke off and may work the next time."""


def fetch(url: str, size: int, sha256: str) -> bytes:
    """Return the bytes of a file on the network.

    A transfer that breaks off is started anew, a few times. An answer that is whole but wrong is not asked
    for again.

    Args:
        url: ``http`` or ``https``.
        size: exact number of bytes; no more are read.
        sha256: hex digest of the content.

    Raises:
        ResourceError: if it cannot be reached, breaks off each time, or is not the file that was expected.
    """
    if not url.startswith(("https://", "http://")):
        raise ResourceError(f"{url}: expected an address with https:// or http://")
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        try:
            data = _transfer(url, size)
        except _Interrupted as error:
            reason = str(error)
        except UnicodeError as error:
            raise ResourceError(f"{url}: no address that can be asked: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            # URLError is an OSError; its reason says more than itself.
            reason = str(getattr(error, "reason", "") or error)
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise ResourceError(f"{url}: the server answered {error.code} {reason}") from error
        else:
            return _checked(url, data, size, sha256)
    raise ResourceError(f"{url}: could not be fetched in {_ATTEMPTS} attempts, at last: {reason}")


def _transfer(url: str, size: int) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "bnncore"})  # noqa: S310  # scheme checked
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  # scheme checked
        # None, too, where the header holds no number.
        announced: int | None = answer.length
        data = bytearray()
        # One byte more than expected is enough to know that it is another file.
        while len(data) <= size:
            chunk = answer.read(min(_CHUNK, size + 1 - len(data)))
            if not chunk:
                break
            data += chunk
    if announced is not None and len(data) < min(announced, size + 1):
        raise _Interrupted(f"the connection broke off after {len(data)} of {announced} bytes")
    return bytes(data)


def _checked(url: str, data: bytes, size: int, sha256: str) -> bytes:
    if len(data) != size:
        found = f"{len(data)} bytes" if len(data) < size else "more"
        raise ResourceError(f"{url}: expected {size} bytes, found {found}; it is not the published file")
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ResourceError(f"{url}: expected SHA-256 {sha256}, found {digest}; it is not the published file")
    return data
