"""A folder and all that is below it: which files are pictures, and what is no picture, by the reason."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.surveys import PassedOver
from bnncore.files import reading
from bnncore.pictures.signatures import SUFFIXES, is_picture

__all__ = ["Folder", "PassedOverNames", "has_pictures_below", "look_through"]

# What systems and programs leave in folders, in lower case. What begins with a dot is hidden anyway.
_SYSTEM = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "__macosx",
        "__pycache__",
        "@eadir",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    }
)
_DEEPEST = 16
_MOST_FILES = 2_000_000
# As much as it takes to say that a path is no folder of pictures.
_MOST_FOLDERS = 10_000
_LOOKED_INTO = 100


@frozen(kw_only=True)
class Folder:
    """A folder with pictures in it or below.

    Attributes:
        path: of the folder.
        pictures: those in it, sorted.
        folders: those in it that have pictures in or below them, sorted.
    """

    path: Path
    pictures: tuple[Path, ...]
    folders: tuple[Folder, ...]

    @property
    def name(self) -> str:
        """Of the folder, without those that it is in."""
        return self.path.name

    def all_pictures(self) -> Iterator[Path]:
        """Yield the pictures in the folder, then those below."""
        yield from self.pictures
        for folder in self.folders:
            yield from folder.all_pictures()


class PassedOverNames:
    """Collect what is passed over, by the reason."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, path: Path) -> None:
        """Pass a file or a folder over."""
        self._names.setdefault(reason, []).append(path.relative_to(self._root).as_posix())

    def add_pictures(self, reason: str, folder: Folder) -> None:
        """Pass all pictures of a folder over."""
        for path in folder.all_pictures():
            self.add(reason, path)

    def result(self) -> tuple[PassedOver, ...]:
        """Return all of it, the reasons in the order in which they came up."""
        return tuple(PassedOver(reason=reason, names=tuple(names)) for reason, names in self._names.items())


def look_through(root: Path, passed: PassedOverNames) -> Folder:
    """Return a folder with all pictures in and below it. Links to folders are followed, circles are not.

    Args:
        root: the folder.
        passed: is told what is no picture.

    Raises:
        DatasetError: if a folder cannot be read, or there are more files than a data set has.
    """
    if not root.is_dir():
        raise DatasetError(f"{root}: expected a folder with one folder of pictures a class, found none there")
    left = [_MOST_FILES]

    def look(folder: Path, above: tuple[tuple[int, int], ...]) -> Folder:
        with reading(folder, DatasetError):
            status = folder.stat()
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        own = (status.st_dev, status.st_ino)
        if own in above or len(above) >= _DEEPEST:
            passed.add("folder that leads back to itself, or too deep", folder)
            return Folder(path=folder, pictures=(), folders=())
        left[0] -= len(entries)
        if left[0] < 0:
            raise DatasetError(
                f"{root}: more than {_MOST_FILES:,} files; give the folder of the pictures itself"
            )
        pictures, folders = [], []
        for entry in entries:
            path = folder / entry.name
            is_folder = _asked(entry.is_dir)
            reason = _left_over(entry.name) or (
                None if is_folder else _why_no_picture(path, _asked(entry.is_file))
            )
            if reason is not None:
                passed.add(reason, path)
            elif is_folder:
                below = look(path, (*above, own))
                if below.pictures or below.folders:
                    folders.append(below)
                else:
                    passed.add("folder without pictures", path)
            else:
                pictures.append(path)
        return Folder(path=folder, pictures=tuple(pictures), folders=tuple(folders))

    return look(root, ())


def has_pictures_below(root: Path) -> bool:
    """Whether there is a picture in or below a folder: quickly, so not in the depths of a disk.

    Of files whose names say nothing the first of each folder are looked into: there may be a million of other things.
    """
    for folder, folders, files in itertools.islice(os.walk(root), _MOST_FOLDERS):
        folders[:] = sorted(name for name in folders if _left_over(name) is None)
        names = sorted(name for name in files if _left_over(name) is None)
        telling = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
        for name in itertools.chain(telling, names[:_LOOKED_INTO]):
            path = Path(folder, name)
            if _why_no_picture(path, _asked(path.is_file)) is None:
                return True
    return False


def _asked(question: Callable[[], bool]) -> bool:
    try:
        return question()
    # A link in a folder that cannot be entered.
    except OSError:
        return False


def _left_over(name: str) -> str | None:
    if name.lower() in _SYSTEM:
        return "of the system"
    return "hidden" if name.startswith(".") else None


def _why_no_picture(path: Path, is_file: bool) -> str | None:
    # A pipe would be waited for, and a device never ends.
    if not is_file:
        return "link to nothing" if path.is_symlink() else "no file on a disk"
    try:
        return None if is_picture(path) else "no picture"
    except OSError as error:
        return f"not readable: {error.strerror or error}"
