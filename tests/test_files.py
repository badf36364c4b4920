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
from bnncore.files import (
    check_place,
    check_space,
    claimed,
    fingerprint,
    new_folder,
    read_limited,
    reading,
    write_atomically,
    write_together,
)

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


# -- several files, and folders ----------------------------------------------------------------------


def test_several_files_are_written_or_none(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {tmp_path / name: NEW for name in ("weights.npz", "sub/golden.npz")}
    replaced: list[Path] = []
    replace = os.replace

    def fail_at_the_third(source: Path, target: Path) -> None:
        if len(replaced) == 2:
            raise OSError(errno.EIO, "Input/output error")
        replaced.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_the_third)
    with pytest.raises(OSError, match="Input/output"):
        write_together({file: NEW, **others})
    assert len(replaced) == 2
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == OLD
    monkeypatch.undo()
    write_together({file: NEW, **others})
    assert all(path.read_bytes() == NEW for path in (file, *others))


@posix
def test_a_device_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, NEW)
    reader.join()
    assert found == [NEW]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(Path("/dev/full"), NEW)
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_names_as_long_as_a_disk_takes_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "猫" * 85):
        write_atomically(tmp_path / name, NEW)
        assert (tmp_path / name).read_bytes() == NEW


def _killed(tmp_path: Path, body: str) -> None:
    program = f"import os, signal\nfrom pathlib import Path\nfrom bnncore.files import *\n{body}"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL


KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@posix
def test_what_a_killed_process_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    _killed(tmp_path, f"os.fsync = lambda handle: {KILL}\nwrite_atomically(Path('x'), b'half')")
    _killed(tmp_path, f"with new_folder(Path('y')) as place:\n    (place / 'z').write_text('half')\n    {KILL}")
    assert len(list(tmp_path.iterdir())) == 2
    write_atomically(tmp_path / "x", NEW)
    with new_folder(tmp_path / "y") as place:
        (place / "z").write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


@posix
def test_of_two_that_go_on_writing_one_file_one_has_it(tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    with claimed(part) as first, claimed(part) as second:
        assert (first, second) == (True, False)
        part.replace(tmp_path / "x")
        with claimed(part) as third:
            assert third
            part.write_bytes(NEW)
        (tmp_path / "x").unlink()
    with claimed(part) as again:
        assert again
    assert part.read_bytes() == NEW
    part.write_bytes(b"")
    with claimed(part):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_another_process_takes_away_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = Path.mkdir
    gone: list[Path] = []

    def take_away(path: Path, *args: object, **options: object) -> None:
        mkdir(path, *args, **options)  # type: ignore[arg-type]  # passed on
        if path == tmp_path / "new" and not gone:
            gone.append(path)
            path.rmdir()

    monkeypatch.setattr(Path, "mkdir", take_away)
    write_atomically(tmp_path / "new" / "x", NEW)
    assert gone
    assert (tmp_path / "new" / "x").read_bytes() == NEW


@posix
def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom bnncore.files import new_folder\n"
        "with new_folder(Path('y')) as place:\n    print(place, flush=True)\n    sys.stdin.read()\n"
        "    (place / 'z').write_text('theirs')"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdin is not None
    assert other.stdout is not None
    place = tmp_path / other.stdout.readline().decode().strip()
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "y"):  # noqa: PT012
        assert place.is_dir()
        raise ZeroDivisionError
    other.communicate()
    assert (tmp_path / "y" / "z").read_text() == "theirs"


@pytest.mark.parametrize("present", [False, True])
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_no_half_of_a_folder_is_left(tmp_path: Path, present: bool, fault: BaseException) -> None:
    target = tmp_path / "above" / "folder"
    if present:
        target.mkdir(parents=True)
        (target / "mine").write_text("mine")
    with pytest.raises(type(fault)), new_folder(target) as place:  # noqa: PT012
        (place / "half").write_text("half")
        raise fault
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == (["above", "above/folder", "above/folder/mine"] if present else [])


def test_a_folder_that_is_there_keeps_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with new_folder(tmp_path) as place:
        (place / "sub").mkdir()
        (place / "sub" / "new").write_text("new")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "new", "sub"]
    with pytest.raises(FileExistsError), new_folder(tmp_path) as place:  # noqa: PT012  # raised at the end
        (place / "another").write_text("new")
        (place / "mine").write_text("theirs")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "new", "sub"]
    assert (tmp_path / "mine").read_text() == "mine"


# -- refusing before there is anything to write ------------------------------------------------------


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path, file: Path) -> None:
    check_place(tmp_path / "a" / "b" / "x", ResourceError)
    check_place(file, ResourceError)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == OLD


def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ResourceError, match="cannot be made a folder: Not a directory"):
        check_place(file / "x", ResourceError)
    with pytest.raises(ResourceError, match=r"card\.json: exists already.*overwrite="):
        check_place(file, ResourceError, overwrite=False)
    with pytest.raises(ResourceError, match="Is a directory"):
        check_place(tmp_path, ResourceError)

    def read_only(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "open", read_only)
    with pytest.raises(
        ResourceError, match="cannot be written to: Read-only file system; choose another place"
    ):
        check_place(tmp_path / "x", ResourceError)


def test_a_disk_without_room_is_refused(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there", 1, ResourceError)
    with pytest.raises(ResourceError, match="MB are needed; make room"):
        check_space(tmp_path / "not" / "there", 2**62, ResourceError)
