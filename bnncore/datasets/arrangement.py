"""How people arrange pictures in folders: which folder is a split, which a class, and which is neither.

Only what is certain is recognised. Whatever could be read in two ways is refused with a line that says what to do, as a
network that learns to tell ``Meta`` from ``Test`` looks as good as any while it is trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from bnncore.datasets.labelled import DatasetError
from bnncore.datasets.picture_tree import Folder, PassedOverNames
from bnncore.datasets.splits import SPLITS, Split, is_filler, split_of, splits_of_siblings
from bnncore.formats.classes import class_name
from bnncore.plain_text import some

__all__ = ["Part", "arrange"]

# Kaggle's form, cat.0.jpg. With "-" or "_" it could as well be a camera's, IMG_0001.jpg, or a film's.
_NUMBERED = re.compile(r"(?P<name>[^\W\d_][^.]*)\.\d+\.[^.]+")
# What people call the one folder in a split whose classes are not told.
_UNKNOWN = frozenset({"unknown", "unlabeled", "unlabelled", "unclassified", "allclasses", "noclass"})
# What holds the pictures where something that belongs to them, as masks, lies beside it.
_HOLDER = re.compile(r"(?:jpeg)?im(?:age|g)s?|data(?:set)?")
_BESIDE_PICTURES = re.compile(r"(?:segmentation)?(?:masks?|labels?|annotations?|trimaps?|groundtruths?|gt)")
_YEAR = re.compile(r"(?:19|20)\d\d")
_STRAY = "in no folder of a class"


@frozen(kw_only=True)
class Part:
    """One split, or all pictures where they are not split.

    Attributes:
        split: None if they are not split.
        name: of its folder, for messages.
        path: of its folder.
        classes: the pictures of each class, by its folder's name, sorted.
        unlabelled: pictures that lie in no folder of a class; only where there are no classes.
        numbered: whether the classes are those of names such as cat.0.jpg.
        within_all: folders that all classes hold, and nothing else: which might be the classes.
    """

    split: Split | None
    name: str
    path: Path
    classes: Mapping[str, Sequence[Path]]
    unlabelled: Sequence[Path] = ()
    numbered: bool = False
    within_all: Sequence[str] = ()


def arrange(root: Folder, known: Sequence[str] | None, passed: PassedOverNames) -> list[Part]:
    """Return the parts of a folder of pictures, training first; what belongs to none is passed over.

    Args:
        root: the folder.
        known: the classes of a network, if there is one: a folder of such a name is a class where it can be one.
        passed: is told which pictures are in no part.

    Raises:
        DatasetError: if the folders can be understood in several ways, or in none.
    """
    names = {class_name(name) for name in known or ()}
    root = _inner(root, names)
    splits = _splits(root, names)
    if not splits:
        return _unsplit(root, names, passed)
    for folder in root.folders:
        if folder.name not in splits:
            passed.add_pictures(f"in {folder.name!r}, beside the splits", folder)
    for path in root.pictures:
        passed.add(_STRAY, path)
    parts = [
        _part(folder, splits[folder.name], names, passed) for folder in root.folders if folder.name in splits
    ]
    return sorted(parts, key=lambda part: SPLITS.index(part.split or "train"))


def _inner(folder: Folder, known: set[str]) -> Folder:
    """Return the folder below that is meant: the only one, if its name or content shows that it is no class."""
    while not folder.pictures and len(folder.folders) == 1:
        (only,) = folder.folders
        repeats = _plain(only.name) == _plain(folder.name)
        wraps = _wraps_splits(only)
        wraps = wraps or (
            len(only.folders) == 1 and is_filler(only.folders[0].name) and bool(only.folders[0].folders)
        )
        if class_name(only.name) in known or not (repeats or wraps or is_filler(only.name)):
            break
        folder = only
    return folder


def _wraps_splits(folder: Folder) -> bool:
    """Whether several splits are in a folder, or one with folders in it, or so in the one folder below it."""
    while not folder.pictures and len(folder.folders) == 1:
        above, (folder,) = folder, folder.folders
        if split_of(folder.name) is not None and split_of(above.name) is None:
            return bool(folder.folders)
    return len(set(splits_of_siblings([each.name for each in folder.folders]).values())) > 1


def _splits(root: Folder, known: set[str]) -> dict[str, Split]:
    """Return the split of each folder that is one; none if all folders are classes.

    Raises:
        DatasetError: if that cannot be told, or two folders are the same split.
    """
    found = {
        name: split
        for name, split in splits_of_siblings([folder.name for folder in root.folders]).items()
        # A network may tell trains from buses.
        if class_name(name) not in known or not _is_class(root, name)
    }
    if not found:
        return {}
    others = [folder.name for folder in root.folders if folder.name not in found]
    labelled = any(_holds_classes(folder) for folder in root.folders if folder.name in found)
    if others and not (labelled and len(set(found.values())) > 1):
        raise DatasetError(
            f"{root.path}: found {some(list(found))}, called like a split of the data, beside {some(others)}, which is "
            "not; put all classes into a folder a split (train/, val/, test/), or rename what is a class"
        )
    if not labelled:
        raise DatasetError(
            f"{root.path}: the pictures in {some(list(found))} are in no folder of a class; make one folder a class, "
            f"for example {next(iter(found))}/cat/1.jpg, or give a .csv with the columns path and label"
        )
    first: dict[Split, str] = {}
    for name, split in found.items():
        if split in first:
            raise DatasetError(
                f"{root.path}: {first[split]!r} and {name!r} are both the {split} split, and pictures that are in "
                "both would count twice; leave one"
            )
        first[split] = name
    return found


def _is_class(root: Folder, name: str) -> bool:
    return any(folder.name == name and folder.pictures for folder in root.folders)


def _holds_classes(folder: Folder) -> bool:
    inner = _inner(folder, set())
    return bool(inner.folders) or bool(_numbered(inner.pictures))


def _unsplit(root: Folder, known: set[str], passed: PassedOverNames) -> list[Part]:
    if not root.folders:
        classes = _numbered(root.pictures)
        if classes:
            return [Part(split=None, name=root.name, path=root.path, classes=classes, numbered=True)]
        raise DatasetError(
            f"{root.path}: the pictures are in no folder of a class; expected one folder of pictures a class, for "
            f"example {root.name}/cat/1.jpg, or a .csv with the columns path and label"
        )
    # The splits may be in the classes instead: cat/train, cat/test.
    within = {
        folder.name: splits
        for folder in root.folders
        if (
            splits := {
                each.name: split for each in folder.folders if (split := split_of(each.name)) is not None
            }
        )
    }
    if within:
        return _split_classes(root, within)
    fillers = [folder.name for folder in root.folders if _HOLDER.fullmatch(class_name(folder.name).casefold())]
    if fillers and len(root.folders) > 1 and not {class_name(name) for name in fillers} <= known:
        others = [folder.name for folder in root.folders if folder.name not in fillers]
        raise DatasetError(
            f"{root.path}: is {fillers[0]!r} a class, as {some(others or fillers[1:])}? Give the folder that holds "
            "one folder a class, or rename it"
        )
    if len(root.folders) == 1 and len(root.folders[0].folders) > 1 and not root.folders[0].pictures:
        (only,) = root.folders
        if class_name(only.name) not in known:
            raise DatasetError(
                f"{root.path}: all pictures are below {only.name!r}, which would be the only class; if the folders "
                f"in it are the classes, give {only.path}"
            )
    _check_copies(root)
    _check_numbered_folders(root)
    for path in root.pictures:
        passed.add(_STRAY, path)
    return [
        Part(
            split=None,
            name=root.name,
            path=root.path,
            classes=_classes(root),
            within_all=_within_all(root, known),
        )
    ]


def _check_copies(folder: Folder) -> None:
    """Refuse a class whose folders are called as the classes beside it: it is all of the data once more."""
    for each in folder.folders:
        beside = {class_name(other.name) for other in folder.folders if other is not each}
        inner = [below.name for below in each.folders]
        if len(inner) > 1 and not each.pictures and beside >= {class_name(name) for name in inner}:
            raise DatasetError(
                f"{folder.path}: {each.name!r} holds {some(inner)}, which are beside it as well; if it is a copy of "
                "them, take it out, and if it is a class, rename the folders in it"
            )


def _check_numbered_folders(root: Folder) -> None:
    """Refuse folders that are numbered and all hold the same folders: folds, or people, of the classes in them."""
    names = [folder.name for folder in root.folders]
    within = {tuple(below.name for below in folder.folders) for folder in root.folders}
    stems = {name.rstrip("0123456789").casefold() for name in names}
    numbered = len(stems) == 1 and all(name[-1].isdigit() for name in names)
    if len(names) < 2 or len(within) > 1 or not numbered or any(folder.pictures for folder in root.folders):
        return
    (inner,) = within
    # Years of pictures, though, are no classes of numbered things.
    if len(inner) > 1 and not all(_YEAR.fullmatch(name) for name in inner):
        raise DatasetError(
            f"{root.path}: each of {some(names)} holds {some(inner)}: which are the classes? Put the pictures of a "
            "class into one folder, and parts of the data, if they are, into train/, val/ and test/"
        )


def _split_classes(root: Folder, within: Mapping[str, Mapping[str, Split]]) -> list[Part]:
    """Return the parts of folders of classes that have a folder a split in them."""
    for folder in root.folders:
        outside = [each.name for each in folder.folders if each.name not in within.get(folder.name, {})]
        if outside or folder.pictures:
            holder = folder if folder.name in within else next(f for f in root.folders if f.name in within)
            raise DatasetError(
                f"{root.path}: {holder.name}/{next(iter(within[holder.name]))} is called like a split of the data, "
                f"but {folder.name!r} has pictures that are in no such folder; put all of them into splits, best as "
                "train/CLASS and test/CLASS, or rename the folder"
            )
    _check_classes_within(root, within)
    found: dict[Split, dict[str, list[Path]]] = {split: {} for split in SPLITS}
    for folder in root.folders:
        for each in folder.folders:
            found[within[folder.name][each.name]].setdefault(folder.name, []).extend(each.all_pictures())
    return [
        Part(split=split, name=split, path=root.path, classes=classes)
        for split, classes in found.items()
        if classes
    ]


def _check_classes_within(root: Folder, within: Mapping[str, Mapping[str, Split]]) -> None:
    """Refuse folds, or sites, of which each has its splits and the same classes in them: fold1/train/cat."""
    classes = {
        folder.name: {
            class_name(below.name)
            for each in folder.folders
            for below in each.folders
            if not _YEAR.fullmatch(below.name) and not is_filler(below.name)
        }
        for folder in root.folders
    }
    shared = sorted(set.intersection(*classes.values()))
    if shared and not any(each.pictures for folder in root.folders for each in folder.folders):
        first = root.folders[0]
        raise DatasetError(
            f"{root.path}: each of {some(list(classes))} has splits, and {some(shared)} in them: which are the "
            f"classes? Give the folder of one of them, for example {first.path}, or leave no folder in "
            f"{first.name}/{next(iter(within[first.name]))}"
        )


def _part(folder: Folder, split: Split, known: set[str], passed: PassedOverNames) -> Part:
    inner = _inner(folder, known)
    only = inner.folders[0].name if len(inner.folders) == 1 else ""
    unknown = split != "train" and _plain(only) in _UNKNOWN and not inner.pictures
    if not inner.folders or unknown:
        classes = _numbered(inner.pictures)
        return Part(
            split=split,
            name=folder.name,
            path=folder.path,
            classes=classes,
            unlabelled=() if classes else tuple(inner.all_pictures()),
            numbered=bool(classes),
        )
    _check_copies(inner)
    for path in inner.pictures:
        passed.add(_STRAY, path)
    nested = [
        f"{each.name}/{below.name}"
        for each in inner.folders
        for below in each.folders
        if split_of(below.name) is not None
    ]
    if nested:
        raise DatasetError(
            f"{folder.path}: {nested[0]} is called like a split of the data, and is in the {split} split already; "
            "rename it, or take it out"
        )
    return Part(
        split=split,
        name=folder.name,
        path=folder.path,
        classes=_classes(inner),
        within_all=_within_all(inner, known),
    )


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _classes(folder: Folder) -> dict[str, list[Path]]:
    """Return the pictures of each class: all that are in its folder, or below.

    Raises:
        DatasetError: if masks are beside them, which are pictures, too.
    """
    for each in folder.folders:
        below = [inner.name for inner in each.folders]
        masks = [name for name in below if _BESIDE_PICTURES.fullmatch(_plain(name))]
        if masks and any(_HOLDER.fullmatch(_plain(name)) for name in below):
            raise DatasetError(
                f"{each.path}: holds {some(below)}: take what is no picture of the class, as {masks[0]!r}, out of its "
                "folder, here and in the others"
            )
    return {each.name: list(each.all_pictures()) for each in folder.folders}


def _within_all(folder: Folder, known: set[str]) -> tuple[str, ...]:
    """Return the several folders that each class holds, if it is the same ones, no years, and no pictures."""
    within = {tuple(below.name for below in each.folders) for each in folder.folders}
    inner = next(iter(within), ()) if len(within) == 1 and len(folder.folders) > 1 else ()
    plain = any(each.pictures for each in folder.folders) or all(_YEAR.fullmatch(name) for name in inner)
    return () if known or plain or len(inner) < 2 else inner


def _numbered(pictures: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the pictures of each class by names such as cat.0.jpg; nothing unless all of them are of this form."""
    found: dict[str, list[Path]] = {}
    for path in pictures:
        match = _NUMBERED.fullmatch(path.name)
        if match is None:
            return {}
        found.setdefault(match["name"], []).append(path)
    return dict(sorted(found.items())) if len(found) > 1 else {}
