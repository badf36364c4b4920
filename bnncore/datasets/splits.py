"""Which part of a data set a name means: for training, for validation, for the test.

The words are those that publishers use: Kaggle (``training_set``, ``test1``), Roboflow (``valid``), Keras and
torchvision (``train``, ``val``), GTSRB (``Final_Training``), Hugging Face, with whose table of words this one agrees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

__all__ = ["SPLITS", "Split", "is_filler", "split_of", "splits_of_siblings"]

Split = Literal["train", "validation", "test"]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""The splits, in the order in which they are shown."""

_WORDS: dict[Split, str] = {
    "train": "train|training|trn|trainval",
    "validation": "val|valid|validation|validate|dev|devel|development|holdout",
    "test": "test|testing|tst|eval|evaluation",
}
# What stands beside such a word and tells nothing.
_FILLER = "set|data|dataset|images?|imgs?|pictures?|pics?|photos?|samples?|split|folder|files?|final|jpe?gs?"
_PATTERNS = {
    split: re.compile(rf"(?:{_FILLER})*(?:{words})(?:{_FILLER})*\d*") for split, words in _WORDS.items()
}
_WORD = {split: re.compile(words) for split, words in _WORDS.items()}


def split_of(name: str) -> Split | None:
    """Return the split that a name means, in any case and with any separators; None if it means none.

    >>> [split_of(name) for name in ("Train", "test_set", "valid", "Final_Training", "train station")]
    ['train', 'test', 'validation', 'train', None]
    """
    word = _bare(name)
    return next((split for split, pattern in _PATTERNS.items() if pattern.fullmatch(word)), None)


def splits_of_siblings(names: Sequence[str]) -> dict[str, Split]:
    """Return the splits that names in one folder mean; those that mean none are left out.

    Beside what ``split_of`` knows, ``seg_train`` and ``seg_test`` mean splits: what else they say is the same in both.

    >>> splits_of_siblings(["seg_train", "seg_test", "cat"])
    {'seg_train': 'train', 'seg_test': 'test'}
    """
    found = {name: split for name in names if (split := split_of(name)) is not None}
    affixed: dict[tuple[str, str], dict[str, Split]] = {}
    for name in names:
        tokens = [token for token in re.split(r"[\W_]+", name.casefold()) if token]
        for word, rest, place in ((tokens[-1:], tokens[:-1], "end"), (tokens[:1], tokens[1:], "begin")):
            for split, pattern in _WORD.items():
                if name not in found and rest and pattern.fullmatch("".join(word)):
                    affixed.setdefault((place, " ".join(rest)), {})[name] = split
    for group in affixed.values():
        if len(set(group.values())) > 1:
            found.update(group)
    return found


def is_filler(name: str) -> bool:
    """Whether a folder's name tells nothing of what is in it, as ``images`` or ``data``."""
    return re.fullmatch(rf"(?:{_FILLER}|all)+", _bare(name)) is not None


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
