"""Pictures in folders, one a class; perhaps below a folder a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bnncore.datasets.arrangement import Part, arrange
from bnncore.datasets.class_index import ClassIndex
from bnncore.datasets.collection import Layout, Prepare, missing_split
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.picture_reading import read_pictures
from bnncore.datasets.picture_tree import PassedOverNames, has_pictures_below, look_through
from bnncore.datasets.splits import Split, split_of
from bnncore.datasets.surveys import Survey
from bnncore.plain_text import some

__all__ = ["LAYOUT", "PictureFolders"]


class PictureFolders:
    """The pictures of a folder, sorted by split and class.

    Pictures are known by their content. A class is a folder, with all that is below it.

    Args:
        path: of the folder.
        known: the classes in the order of a network; None for those of the training pictures, sorted by name.

    Raises:
        DatasetError: naming the folder that is wrong.
    """

    def __init__(self, path: Path, known: Sequence[str] | None = None) -> None:
        passed = PassedOverNames(path)
        tree = look_through(path, passed)
        if not tree.pictures and not tree.folders:
            raise DatasetError(f"{path}: expected one folder of pictures a class, found no picture")
        self._path = path
        # Which may tell the classes of a split whose pictures lie in no folders, as GTSRB's Test.csv.
        self._tables = {split_of(table.stem): table for table in sorted(path.glob("*.[cC][sS][vV]"))}
        parts = arrange(tree, known, passed)
        index = ClassIndex(path, "folder", [part.classes for part in parts], known)
        self._classes = index.classes
        self._parts: dict[Split | None, Part] = {part.split: part for part in parts}
        self._items = {part.split: _items(part, index) for part in parts}
        self.survey = Survey(
            path=path,
            layout=LAYOUT.name,
            splits=tuple(part.split for part in parts if part.split is not None and part.classes),
            classes=index.classes,
            counts={
                part.split: _counts(self._items[part.split], index.classes) for part in parts if part.classes
            },
            unlabelled={part.split: len(part.unlabelled) for part in parts if part.unlabelled},
            passed_over=passed.result(),
            notes=(*_by_name(parts), *_within_all(parts), *index.notes, *_absent(self._items, index.classes)),
        )

    def read(self, split: Split, prepare: Prepare | None = None, skip_broken: bool = False) -> LabelledImages:
        """Read the pictures of a split; all of them, if they are not split."""
        chosen: Split | None = None if None in self._parts else split
        part = self._parts.get(chosen)
        if part is None:
            raise missing_split(self._path, split, self.survey.splits)
        if not part.classes:
            table = self._tables.get(split)
            raise DatasetError(
                f"{self._path}: the pictures of {part.name!r} ({len(part.unlabelled):,}) are in no folder of a class; "
                f"make one folder a class, for example {part.name}/cat/1.jpg, or give "
                f"{f'{table}, if it tells them' if table else 'a .csv with the columns path and label'}"
            )
        root = self._path if chosen is None else part.path
        return read_pictures(self._items[chosen], self._classes, root, prepare, skip_broken)


def _items(part: Part, index: ClassIndex) -> list[tuple[Path, int]]:
    by_class: dict[int, list[Path]] = {}
    for name, pictures in part.classes.items():
        by_class.setdefault(index[name], []).extend(pictures)
    return [(path, label) for label in sorted(by_class) for path in by_class[label]]


def _counts(items: Sequence[tuple[Path, int]], classes: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, label in items:
        counts[classes[label]] = counts.get(classes[label], 0) + 1
    return counts


def _by_name(parts: Sequence[Part]) -> list[str]:
    return [
        f"the classes{f' of {part.name!r}' if part.split else ''} are what the pictures' names begin with"
        for part in parts
        if part.numbered
    ]


def _within_all(parts: Sequence[Part]) -> list[str]:
    """Say where it may be the folders below those of the classes that are meant, as of several sites, or colourings."""
    return [
        f"each class{f' of {part.name!r}' if part.split else ''} holds {some(part.within_all)}; if those are the "
        "classes, put the pictures of each into one folder"
        for part in parts
        if part.within_all
    ]


def _absent(items: Mapping[Split | None, Sequence[tuple[Path, int]]], classes: Sequence[str]) -> list[str]:
    """Say which splits have no picture of a class."""
    notes = []
    for split, found in items.items():
        missing = [name for k, name in enumerate(classes) if k not in {label for _, label in found}]
        if found and split is not None and missing:
            notes.append(f"{split} has no pictures of {', '.join(map(repr, missing[:3]))}")
            if len(missing) > 3:
                notes[-1] += f" and {len(missing) - 3} more classes"
    return notes


LAYOUT = Layout(
    name="folders of pictures",
    example="cat/1.jpg",
    recognises=lambda path: path.is_dir() and has_pictures_below(path),
    open=PictureFolders,
)
