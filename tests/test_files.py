"""Files are read within bounds."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnncore.errors import InputError, ParameterError, ResourceError
from bnncore.files import fingerprint, read_limited, reading

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_a_file_within_the_limit_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "x").write_bytes(bytes(range(100))[:size])
    assert read_limited(tmp_path / "x", 100, InputError, "no") == bytes(range(100))[:size]


def test_a_larger_file_is_refused_in_the_given_words(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(101))
    with pytest.raises(InputError, match=r"x: larger than 100 bytes, this is no list$"):
        read_limited(tmp_path / "x", 100, InputError, "this is no list")


@pytest.mark.parametrize("error", [InputError, ParameterError, ResourceError])
def test_a_file_that_is_not_there_is_an_error_of_the_given_class(
    tmp_path: Path, error: type[InputError]
) -> None:
    for read in (
        lambda: read_limited(tmp_path / "x", 9, error, ""),
        lambda: fingerprint(tmp_path / "x", error),
    ):
        with pytest.raises(error, match=r"x: cannot be read: No such file or directory$") as caught:
            read()
        assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_advice_ends_the_message(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(101))
    with pytest.raises(InputError, match=r"x: larger than 100 bytes, this is no list; make another$"):
        read_limited(tmp_path / "x", 100, InputError, "this is no list", "make another")
    with pytest.raises(InputError, match=r"y: cannot be read: No such file or directory; make another$"):
        read_limited(tmp_path / "y", 100, InputError, "this is no list", "make another")


def test_other_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), reading(tmp_path, InputError):
        raise ZeroDivisionError


@posix
def test_a_pipe_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever began to write to it between two openings would be told that nobody reads."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    opened = []
    real = os.open

    def counted(path: object, *others: Any, **options: Any) -> int:
        opened.append(path)
        return real(path, *others, **options)  # type: ignore[arg-type]

    # Held open, so that no writer has to be in time.
    end = real(pipe, os.O_RDWR)
    try:
        os.write(end, bytes(11))
        monkeypatch.setattr(os, "open", counted)
        with pytest.raises(InputError, match="larger than 10 bytes"):
            read_limited(pipe, 10, InputError, "no")
    finally:
        os.close(end)
    assert opened == [pipe]


@posix
@pytest.mark.parametrize(("sent", "taken"), [(300_000, True), (300_001, False)])
def test_a_pipe_whose_size_nobody_knows_is_read_up_to_the_limit(tmp_path: Path, sent: int, taken: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(bytes(sent)))
    writer.start()
    try:
        if taken:
            assert read_limited(pipe, 300_000, InputError, "no") == bytes(sent)
        else:
            with pytest.raises(InputError, match="larger than 300000 bytes"):
                read_limited(pipe, 300_000, InputError, "no")
    finally:
        writer.join()


@posix
@pytest.mark.parametrize(
    "read",
    [lambda path: read_limited(path, 2**40, InputError, "no"), lambda path: fingerprint(path, InputError)],
)
def test_what_would_never_end_or_never_begin_is_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, found in ((Path("/dev/zero"), "device"), (tmp_path / "pipe", "pipe with nothing in it")):
        with pytest.raises(InputError, match=rf"{path}: cannot be read: expected a file, found a {found}$"):
            read(path)


@posix
def test_a_pipe_whose_writer_takes_its_time_is_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb") as file:
            time.sleep(1.5)
            file.write(b"late")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert read_limited(pipe, 10, InputError, "no") == b"late"
    finally:
        writer.join()


def test_what_a_fingerprint_is(tmp_path: Path) -> None:
    data = os.urandom(2**21 + 5)
    (tmp_path / "x").write_bytes(data)
    assert fingerprint(tmp_path / "x", InputError) == (len(data), hashlib.sha256(data).hexdigest())
