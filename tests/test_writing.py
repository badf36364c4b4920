"""Files and folders are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bnncore.unfinished import claimed
from bnncore.writing import new_folder, write_atomically, write_together

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
        from bnncore.writing import write_atomically
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
    program = f"import os, signal\nfrom pathlib import Path\nfrom bnncore.writing import *\n{body}"
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
        "import sys\nfrom pathlib import Path\nfrom bnncore.writing import new_folder\n"
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
