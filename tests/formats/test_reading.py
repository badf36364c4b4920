"""What reads a small file of ours reads no more of it than it can hold, and names the one that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bnncore.errors import BnnError
from bnncore.formats.card import read_card
from bnncore.formats.classes import read_classes, read_classes_bytes
from bnncore.formats.evaluation import read_metrics
from bnncore.formats.manifest import read_manifest
from bnncore.formats.recipe import read_entries, read_recipe


def read_entry(path: Path) -> object:
    return read_recipe(path, "cnvW1A1")


READERS = (read_card, read_classes, read_classes_bytes, read_entries, read_entry, read_manifest, read_metrics)


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(BnnError, match=r"mine: cannot be read: No such file or directory"):
        read(tmp_path / "mine")


@pytest.mark.parametrize("read", READERS)
def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with (tmp_path / "mine").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(BnnError, match=r"mine: larger than \d+ bytes, this is no "):
        read(tmp_path / "mine")
