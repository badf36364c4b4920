"""A file is fetched whole and right, or not at all."""

from __future__ import annotations

import hashlib
import socket
from typing import Any

import pytest

from bnncore.boards import fetching
from bnncore.boards.fetching import fetch
from bnncore.errors import ResourceError

CONTENT = bytes(range(256)) * 700
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PAUSE_SECONDS", 0.0)


def test_a_file_is_fetched(server: Any) -> None:
    server.files["/x.bit"] = CONTENT
    assert fetch(f"{server.address}/x.bit", len(CONTENT), SHA256) == CONTENT


@pytest.mark.parametrize("trouble", ["cut", "failures"])
def test_a_transfer_that_breaks_off_is_started_anew(server: Any, trouble: str) -> None:
    server.files["/x.bit"] = CONTENT
    setattr(server, trouble, 2)
    assert fetch(f"{server.address}/x.bit", len(CONTENT), SHA256) == CONTENT
    assert len(server.asked) == 3


def test_a_transfer_that_always_breaks_off_is_reported(server: Any) -> None:
    server.files["/x.bit"] = CONTENT
    server.cut = 9
    half, whole = len(CONTENT) // 2, len(CONTENT)
    with pytest.raises(ResourceError, match=f"in 3 attempts, .* broke off after {half} of {whole} bytes"):
        fetch(f"{server.address}/x.bit", len(CONTENT), SHA256)


@pytest.mark.parametrize("announced", ["many", "-1", "", "1e3"])
def test_a_length_that_is_no_number_is_as_good_as_none(server: Any, announced: str) -> None:
    server.files["/x.bit"] = CONTENT
    server.announced = announced
    assert fetch(f"{server.address}/x.bit", len(CONTENT), SHA256) == CONTENT


@pytest.mark.parametrize("path", ["/caf\xe9.bit", "/\u0441.bit"])
def test_an_address_that_cannot_be_asked_is_an_error_that_names_it(server: Any, path: str) -> None:
    with pytest.raises(ResourceError, match=rf"{path}: no address that can be asked"):
        fetch(f"{server.address}{path}", 1, SHA256)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:-1], f"expected {len(CONTENT)} bytes, found {len(CONTENT) - 1} bytes"),
        (CONTENT + b"!", f"expected {len(CONTENT)} bytes, found more"),
        (CONTENT[:-1] + b"!", f"expected SHA-256 {SHA256}, found"),
    ],
    ids=["truncated", "too long", "altered"],
)
def test_another_file_is_refused_and_not_asked_for_again(server: Any, content: bytes, message: str) -> None:
    server.files["/x.bit"] = content
    with pytest.raises(ResourceError, match=message):
        fetch(f"{server.address}/x.bit", len(CONTENT), SHA256)
    assert len(server.asked) == 1


def test_a_file_that_is_not_there_is_reported(server: Any) -> None:
    with pytest.raises(ResourceError, match="the server answered 404"):
        fetch(f"{server.address}/gone.bit", len(CONTENT), SHA256)
    assert len(server.asked) == 1


def test_no_network_is_reported() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ResourceError, match=r"could not be fetched in 3 attempts, .*refused"):
            fetch(f"http://127.0.0.1:{port}/x.bit", len(CONTENT), SHA256)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "x.bit"])
def test_only_the_web_is_asked(url: str) -> None:
    with pytest.raises(ResourceError, match="expected an address with https"):
        fetch(url, 1, SHA256)
