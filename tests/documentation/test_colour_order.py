"""No array says whether red or blue comes first, so everything that takes arrays does."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bnncore.classifier import Classifier
from bnncore.compat.bnn import CnvClassifier
from bnncore.compat.oldfiles import cifar_record
from bnncore.datasets import LabelledImages
from bnncore.pictures.decoding import open_image
from bnncore.pictures.preprocessing import Pipeline

ROOT = Path(__file__).resolve().parents[2]


def takes_arrays(function: Callable[..., Any]) -> bool:
    annotations = (str(each.annotation) for each in inspect.signature(function).parameters.values())
    return any(re.search(r"\bSource\b|uint8", each) for each in annotations)


METHODS = [
    function
    for owner in (Classifier, Pipeline)
    for name, function in inspect.getmembers(owner, inspect.isfunction)
    if (name == "__call__" or not name.startswith("_")) and takes_arrays(function)
]


def test_methods_that_take_arrays_are_found() -> None:
    names = {"classify", "classify_batch", "classify_stream", "preprocess", "scores", "__call__"}
    assert names <= {function.__name__ for function in METHODS}


@pytest.mark.parametrize(
    "taking",
    [*METHODS, open_image, cifar_record, CnvClassifier, LabelledImages],
    ids=lambda each: each.__qualname__,
)
def test_a_docstring_of_what_takes_arrays_says_that_they_are_rgb(taking: Any) -> None:
    assert "RGB" in taking.__doc__


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/pictures.md", "notebooks/1-cifar10.ipynb"])
def test_a_page_says_how_a_picture_of_opencv_is_turned_around(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert "RGB" in text
    assert "OpenCV" in text
    assert "[..., ::-1]" in text
