"""From the names of folders and labels to classes in an order: what is written in several ways is one class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bnncore.datasets.labelled import DatasetError
from bnncore.formats.classes import class_name, name_fault
from bnncore.plain_text import shown, some

__all__ = ["ClassIndex", "checked_names"]


class ClassIndex:
    """The classes of a collection, and the position of each name that stands for one.

    Names that differ in spaces around them, no-break spaces or Unicode's forms are one. Names that differ in case are
    two where one part has both, and one where the other is a class of the network, or of a part before.

    Attributes:
        classes: in order: as known, or sorted.
        notes: what a person should know of the names, a sentence each.

    Args:
        path: for messages.
        what: a name is of, for messages: ``folder`` or ``label``.
        given: the names as they are written, of one part (split) after the other, training first.
        known: the classes in the order of a network, or None for those that are given.

    Raises:
        DatasetError: if a name cannot be a class's, or is none of those that are known.
    """

    def __init__(
        self, path: Path, what: str, given: Iterable[Iterable[str]], known: Sequence[str] | None
    ) -> None:
        parts = [sorted(set(names)) for names in given]
        written: dict[str, set[str]] = {}
        for name in sorted({name for names in parts for name in names}):
            if (fault := name_fault(name)) is not None:
                raise DatasetError(
                    f"{path}: the {what} {shown(name)} {fault}; rename it to what a class can be called"
                )
            written.setdefault(class_name(name), set()).add(name)
        self.notes = [f"{some(sorted(names))} are one class" for names in written.values() if len(names) > 1]
        # Names as they are compared, and as the network calls them.
        classes = {class_name(name): name for name in known or ()}
        resolved: dict[str, str] = {}
        for names in parts:
            folded: dict[str, list[str]] = {}
            for form in classes:
                folded.setdefault(form.casefold(), []).append(form)
            for name in names:
                form = class_name(name)
                similar = folded.get(form.casefold(), [])
                if form not in classes and len(similar) == 1:
                    self.notes.append(f"{name!r} is taken for the class {classes[similar[0]]!r}")
                    form = similar[0]
                elif form not in classes and known is not None:
                    expected = ", ".join(known[:12])
                    raise DatasetError(f"{path}: the {what} {name!r} is no class; expected {expected}")
                classes.setdefault(form, form)
                resolved[name] = form
        self.classes = tuple(known) if known is not None else tuple(sorted(classes))
        alike: dict[str, list[str]] = {}
        for name in self.classes if known is None else ():
            alike.setdefault(name.casefold(), []).append(name)
        self.notes += [
            f"{some(names)} differ in case only, and are classes of their own"
            for names in alike.values()
            if len(names) > 1
        ]
        positions = {class_name(name): position for position, name in enumerate(self.classes)}
        self._positions = {name: positions[form] for name, form in resolved.items()}

    def __getitem__(self, name: str) -> int:
        """Return the position of the class that a name, one of those given, stands for."""
        return self._positions[name]


def checked_names(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return the class names of a file in the order of its labels.

    Raises:
        DatasetError: naming the file, if one cannot be a class's, or occurs twice.
    """
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if (fault := name_fault(name)) is not None:
            raise DatasetError(f"{path}: the name of class {number}, {shown(name)}, {fault}")
        if (form := class_name(name)) in first:
            raise DatasetError(
                f"{path}: classes {first[form]} and {number} have one name, {name!r}; give each its own"
            )
        first[form] = number
    return tuple(name.strip() for name in names)
