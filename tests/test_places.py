"""What cannot be written is refused before there is anything to write."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from bnncore.errors import ResourceError
from bnncore.places import check_place, check_space


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "card.json"
    path.write_bytes(b"old")
    return path


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path, file: Path) -> None:
    check_place(tmp_path / "a" / "b" / "x", ResourceError)
    check_place(file, ResourceError)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_bytes() == b"old"


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
