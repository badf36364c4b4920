"""What a path holds, said before a picture is decoded: classes and counts, what is passed over, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from attrs import Factory, field, frozen

from bnncore.datasets.labelled import LabelledImages
from bnncore.datasets.splits import SPLITS, Split
from bnncore.plain_text import some

__all__ = ["PassedOver", "Survey", "lines_of"]

# Classes that are listed by name; of more, the smallest and the largest number are said.
_LISTED = 10


@frozen(kw_only=True)
class PassedOver:
    """Files or folders that are not used, for one reason.

    Attributes:
        reason: of one of them, for example ``hidden``, ``no picture``.
        names: relative to the path that was surveyed.
    """

    reason: str
    names: tuple[str, ...]


@frozen(kw_only=True)
class Survey:
    """What a path holds; ``str`` of it is for people.

    Attributes:
        path: that was surveyed.
        layout: its name, for people.
        splits: those that there are; empty if the images are not split.
        classes: their names in order; empty where the files do not tell them.
        counts: for each split (``None`` if the images are not split) the number of images of each class. Empty where
            only reading tells.
        unlabelled: for each split, images whose class nothing tells; they are not used.
        passed_over: what is there and not used.
        notes: what else a person should know, a sentence each.
    """

    path: Path
    layout: str
    splits: tuple[Split, ...]
    classes: tuple[str, ...] = ()
    counts: Mapping[Split | None, Mapping[str, int]] = field(default=Factory(dict))
    unlabelled: Mapping[Split | None, int] = field(default=Factory(dict))
    passed_over: tuple[PassedOver, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the survey in lines for people; all names in them are quoted, or class names."""
        lines = []
        for split in (None, *SPLITS):
            start = f"{split}: " if split else ""
            if split in self.counts:
                lines.append(f"{start}{_summary(self.counts[split])}")
            if self.unlabelled.get(split):
                lines.append(f"{start}{_pictures(self.unlabelled[split])} that no class is known of, not used")
        lines += [
            f"passed over, {each.reason}: {len(each.names):,} ({some(each.names)})" for each in self.passed_over
        ]
        return [*lines, *(f"note: {note}" for note in self.notes)]

    def __str__(self) -> str:
        return "\n".join([f"{self.path}: {self.layout}", *self.lines()])


def lines_of(images: LabelledImages, what: str, found: Survey | None) -> list[str]:
    """Return in lines for people what only reading tells: counts that the survey does not have, and what was skipped.

    Args:
        images: that were read.
        what: they are called, for example the split.
        found: the survey; None if there was none.
    """
    lines = []
    if found is not None and not found.counts:
        labels = Counter(images.labels.tolist())
        names = images.classes or tuple(str(label) for label in range(max(labels, default=0) + 1))
        lines.append(f"{what}: {_summary({names[label]: labels[label] for label in sorted(labels)})}")
    if images.skipped:
        lines.append(f"skipped, cannot be read: {len(images.skipped):,} ({some(images.skipped)})")
    return lines


def _summary(counts: Mapping[str, int]) -> str:
    total = _pictures(sum(counts.values()))
    if not counts:
        return total
    classes = f"{len(counts)} class{'es' if len(counts) != 1 else ''}"
    if len(counts) > _LISTED:
        low, high = min(counts.values()), max(counts.values())
        return f"{total} of {classes}, {f'{low:,}' if low == high else f'{low:,} to {high:,}'} a class"
    return f"{total} of {classes}: {', '.join(f'{name} ({count:,})' for name, count in counts.items())}"


def _pictures(count: int) -> str:
    return f"{count:,} picture{'s' if count != 1 else ''}"
