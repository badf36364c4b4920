"""Files are read within bounds, and written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bnncore.errors import InputError, ParameterError, ResourceError
from bnncore.files import fingerprint, read_limited, reading, write_atomically

posix = pytest.mark.skipif(os.name != "posix", reason="permissions and signals of POSIX")

OLD, NEW = b"old" * 10, b"new" * 50_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "card.json"
    path.write_bytes(OLD)
    return path


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- reading -----------------------------------------------------------------------------------------


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


# -- writing -----------------------------------------------------------------------------------------


def test_missing_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "x", NEW)
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["x"]
    assert (tmp_path / "a" / "b" / "x").read_bytes() == NEW


@posix
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        write_atomically(tmp_path / "x", NEW)
    assert mode(tmp_path / "x") == 0o666 & ~mask


@posix
@pytest.mark.parametrize("kept", [0o600, 0o640, 0o444, 0o775])
def test_a_file_that_is_replaced_keeps_its_permissions(file: Path, kept: int) -> None:
    file.chmod(kept)
    write_atomically(file, NEW)
    assert mode(file) == kept
    assert file.read_bytes() == NEW


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    """A full disk often shows no earlier than at fsync."""

    def fail(*arguments: object, **options: object) -> None:
        raise failure

    # Path.replace calls os.replace.
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(failure)):
        write_atomically(file, NEW)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == OLD


@posix
def test_a_disk_that_fills_up_leaves_the_old_file_alone(file: Path) -> None:
    """The system refuses to let the file grow, as it does on a full disk."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) // 2, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(file, NEW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(file.parent.iterdir()) == [file]
    assert file.read_bytes() == OLD


@posix
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file_alone(file: Path) -> None:
    program = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from bnncore.files import write_atomically
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        write_atomically(Path({str(file)!r}), {NEW[:9]!r} * 9999)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert file.read_bytes() == OLD


def test_content_and_folder_are_brought_to_the_disk_in_that_order(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    sync = os.fsync

    def watch(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content"
        seen.append((kind, file.read_bytes()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    write_atomically(file, NEW)
    # Windows cannot open a folder.
    assert seen[:1] == [("content", OLD)]
    assert seen[1:] in ([("folder", NEW)], [])


def test_a_folder_that_cannot_be_brought_to_the_disk_is_no_error(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def fail(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    write_atomically(file, NEW)
    assert file.read_bytes() == NEW
