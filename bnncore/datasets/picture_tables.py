"""Pictures named by a table: a CSV with a path and a label a line, and perhaps the split."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from bnncore.datasets.class_index import ClassIndex
from bnncore.datasets.collection import Layout, Prepare, missing_split
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.picture_reading import read_pictures
from bnncore.datasets.splits import SPLITS, Split, split_of
from bnncore.datasets.surveys import Survey
from bnncore.files import reading
from bnncore.plain_text import some

__all__ = ["LAYOUT", "PictureTable"]

_TABLE_LIMIT = 2**26
_SUFFIXES = frozenset({".csv", ".tsv"})
_DELIMITERS = ",;\t"

# What columns are called elsewhere, without case, spaces and "_"; the first is ours.
_COLUMNS = {
    "path": ("path", "filepath", "filename", "imagepath", "imagename", "imagefile", "imagefilename", "image"),
    "label": ("label", "labels", "labelname", "class", "classname", "classid", "category", "target"),
    "split": ("split", "set", "subset", "partition", "datasplit"),
    "isvalid": ("isvalid", "isval", "isvalidation"),
    "istest": ("istest",),
}
# Columns that say yes or no of a split, as fastai's tables have one; what is in none of these is for training.
_FLAGS: dict[str, Split] = {"isvalid": "validation", "istest": "test"}
_YES_AND_NO = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "y", "t"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "n", "f", ""), False),
}


@frozen(kw_only=True)
class _Row:
    number: int
    path: str
    label: str
    split: Split | None


class PictureTable:
    """The pictures that a CSV names: a header ``path,label`` or ``path,label,split``, then one picture a line.

    Paths are relative to the table's folder, and stay inside it. Labels are names of classes.

    Args:
        path: the table, UTF-8.
        known: the classes in the order of a network; None for the labels, sorted by name.

    Raises:
        DatasetError: naming the line that is wrong.
    """

    def __init__(self, path: Path, known: Sequence[str] | None = None) -> None:
        rows = _rows(path)
        self._path, self._root = path, path.parent.resolve()
        splits = [split for split in (*SPLITS, None) if any(row.split == split for row in rows)]
        by_split = {split: [row for row in rows if row.split == split] for split in splits}
        lines = {row.label: row.number for row in reversed(rows)}
        try:
            index = ClassIndex(
                path, "label", [[row.label for row in by_split[split]] for split in splits], known
            )
        except DatasetError as error:
            wrong = next((number for label, number in lines.items() if repr(label) in str(error)), None)
            raise DatasetError(str(error).replace(f"{path}:", f"{path}, line {wrong}:", 1)) from error
        self._classes = index.classes
        pictures = [self._picture(row) for row in rows]
        again = _named_again(path, rows, pictures, index)
        places = dict(zip((row.number for row in rows), pictures))
        self._items: dict[Split | None, list[tuple[Path, int]]] = {
            split: [(places[row.number], index[row.label]) for row in by_split[split]] for split in splits
        }
        counts: dict[Split | None, Mapping[str, int]] = {}
        for split, items in self._items.items():
            found = Counter(label for _, label in items)
            counts[split] = {index.classes[label]: found[label] for label in sorted(found)}
        self.survey = Survey(
            path=path,
            layout=LAYOUT.name,
            splits=tuple(split for split in splits if split is not None),
            classes=index.classes,
            counts=counts,
            notes=(*index.notes, *again),
        )

    def read(self, split: Split, prepare: Prepare | None = None, skip_broken: bool = False) -> LabelledImages:
        """Read the pictures of a split; all of them, if the table has no such column."""
        chosen: Split | None = None if None in self._items else split
        if chosen not in self._items:
            raise missing_split(self._path, split, self.survey.splits)
        return read_pictures(self._items[chosen], self._classes, self._root, prepare, skip_broken)

    def _picture(self, row: _Row) -> Path:
        try:
            return _picture(self._root, row.path)
        except DatasetError as error:
            raise DatasetError(f"{self._path}, line {row.number}: {error}") from error


def _picture(root: Path, given: str) -> Path:
    """Return the picture that a line of a table names, in the table's folder."""
    # As it stands, without what a spreadsheet leaves around it, and as Windows writes it.
    for name in dict.fromkeys((given, given.strip(), given.strip().replace("\\", "/"))):
        try:
            picture = (root / name).resolve()
            inside, found = root in picture.parents, picture.is_file()
        # A NUL byte is a ValueError, a path too long an OSError, a link to itself a RuntimeError before Python 3.13.
        except (ValueError, OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise DatasetError(f"expected the path of a picture, found {given[:60]!r}: {reason}") from error
        if not inside:
            raise DatasetError(f"{given!r} is outside the table's folder")
        if found:
            return picture
    raise DatasetError(f"there is no file {given!r} in {root}")


def _named_again(path: Path, rows: Sequence[_Row], pictures: Sequence[Path], index: ClassIndex) -> list[str]:
    """Return what to say of pictures that several lines name.

    Raises:
        DatasetError: if they name two classes.
    """
    first: dict[Path, _Row] = {}
    twice, splits = [], []
    for row, picture in zip(rows, pictures):
        before = first.setdefault(picture, row)
        if index[before.label] != index[row.label]:
            raise DatasetError(
                f"{path}, line {row.number}: {row.path!r} is {row.label!r}, and in line {before.number} it is "
                f"{before.label!r}; leave the line that is right"
            )
        if before.split != row.split:
            splits.append(row.path)
        elif before is not row:
            twice.append(row.path)
    return [
        f"{some(names)} {'is' if len(names) == 1 else 'are'} {what}"
        for names, what in (
            (splits, "in several splits, so what is measured was learned from"),
            (list(dict.fromkeys(twice)), "named more than once, and counted as often"),
        )
        if names
    ]


def _rows(path: Path) -> list[_Row]:
    with reading(path, DatasetError):
        size = path.stat().st_size
    if size > _TABLE_LIMIT:
        raise DatasetError(f"{path}: larger than {_TABLE_LIMIT} bytes, this is no table of pictures")
    try:
        with reading(path, DatasetError), path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, strict=True, delimiter=delimiter)
            columns = _columns(path, list(reader.fieldnames or []))
            found = [
                (reader.line_num, {kind: row[column] for kind, column in columns.items()}) for row in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: expected a CSV in UTF-8: {error}") from error
    if not found:
        raise DatasetError(f"{path}: no line after the first, so no pictures")
    # Another word than ours may stand over something else, as the number of a set; then it says nothing of splits.
    called = columns.get("split", "split")
    if called != "split" and not any(split_of(row["split"] or "") for _, row in found):
        del columns["split"]
    rows = []
    for number, row in found:
        if not (row["path"] or "").strip() or not (row["label"] or "").strip():
            raise DatasetError(f"{path}, line {number}: expected a path and a label")
        split = _split(row, columns, f"{path}, line {number}")
        rows.append(_Row(number=number, path=row["path"], label=row["label"], split=split))
    return rows


def _split(row: Mapping[str, str | None], columns: Mapping[str, str], where: str) -> Split | None:
    """Return the split that a line says, None if the table has no column for it.

    Raises:
        DatasetError: if it says none that there is.
    """
    if "split" in columns:
        split = split_of(row["split"] or "")
        if split is None:
            raise DatasetError(
                f"{where}: expected train, validation or test in the column {columns['split']!r}, found "
                f"{(row['split'] or '')[:60]!r}"
            )
        return split
    flags = {kind: (row[kind] or "").strip() for kind in _FLAGS if kind in columns}
    for kind, value in flags.items():
        if value.casefold() not in _YES_AND_NO:
            raise DatasetError(
                f"{where}: expected true or false in the column {columns[kind]!r}, found {value[:60]!r}"
            )
    chosen = [_FLAGS[kind] for kind, value in flags.items() if _YES_AND_NO[value.casefold()]]
    if len(chosen) > 1:
        raise DatasetError(f"{where}: is in the splits {some(chosen)}; choose one")
    return chosen[0] if chosen else ("train" if flags else None)


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count) if header.strip() else ","


def _columns(path: Path, fields: Sequence[str]) -> dict[str, str]:
    """Return the column of each kind, by what it is called here or elsewhere.

    Raises:
        DatasetError: if there is no path or label, or two columns of one kind.
    """
    found: dict[str, str] = {}
    for kind, names in _COLUMNS.items():
        plain = {field: "".join(field.casefold().replace("_", " ").split()) for field in fields}
        columns = [field for field in fields if plain[field] == kind]
        columns = columns or [field for field in fields if plain[field] in names]
        if len(columns) > 1:
            raise DatasetError(
                f"{path}: which column is the {kind}, {some(columns)}? Call one of them {kind!r}"
            )
        if columns:
            found[kind] = columns[0]
    if "path" not in found or "label" not in found:
        pixels = sum(field.casefold().startswith("pixel") for field in fields) > 1
        advice = "; a table of pixels is not read: save them as pictures" if pixels else ""
        raise DatasetError(
            f"{path}: expected a first line with the columns 'path' and 'label', found {some(fields)}{advice}"
        )
    return found


LAYOUT = Layout(
    name="a table of pictures",
    example="labels.csv",
    recognises=lambda path: path.is_file() and path.suffix.lower() in _SUFFIXES,
    open=PictureTable,
)
