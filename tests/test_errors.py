"""One base class for all errors, and what their messages say."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import bnnhw
import bnnhw.errors
import numpy as np
import pytest
from bnnhw.topology import Dense, Input, Topology

import bnncore
import bnncore.errors
from bnncore.formats.npz import write_npz
from bnncore.publishing.random_network import random_network

ERRORS = [
    value
    for module in (bnnhw.errors, bnncore.errors, bnncore)
    for value in vars(module).values()
    if inspect.isclass(value) and issubclass(value, Exception) and not issubclass(value, Warning)
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_one_except_catches_every_error(error: type[Exception]) -> None:
    assert issubclass(error, bnncore.BnnError)
    assert bnncore.BnnError is bnnhw.BnnError


@pytest.mark.parametrize("name", bnncore.errors.__all__)
def test_every_error_is_part_of_the_public_face(name: str) -> None:
    assert getattr(bnncore, name) is getattr(bnncore.errors, name)
    assert name in bnncore.__all__


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_message_is_shown_as_it_was_written(error: type[Exception]) -> None:
    # KeyError, for one, would show it in quotes.
    assert str(error("expected 'a', found 'b'")) == "expected 'a', found 'b'"


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (bnncore.InputError, ValueError),
        (bnncore.ParameterError, ValueError),
        (bnncore.TopologyError, ValueError),
        (bnncore.NetworkError, ValueError),
        (bnncore.BackendError, RuntimeError),
        (bnncore.UnknownNameError, KeyError),
    ],
)
def test_errors_are_also_what_python_would_raise(error: type[Exception], standard: type[Exception]) -> None:
    assert issubclass(error, standard)


TOPOLOGY = Topology(name="tiny", input=Input(height=4, width=4), layers=(Dense(outputs=3),))


def _classifier(folder: Path) -> bnncore.Classifier:
    write_npz(folder / "w.npz", random_network(TOPOLOGY, 1))
    return bnncore.load(folder / "w.npz", backend="numpy")


def _misnamed_folder(folder: Path) -> None:
    (folder / "mine").mkdir()
    bnncore.load(folder / "mine")


def _no_archive(folder: Path) -> None:
    (folder / "w.npz").write_bytes(b"text")
    bnncore.load(folder / "w.npz")


# What a user does, and what the message must tell: what was expected, what was found, what to do.
MISTAKES: list[tuple[Callable[[Path], object], str]] = [
    (
        lambda _: bnncore.get("cifar-11"),
        r"no installed distribution offers dataset 'cifar-11'; did you mean 'cifar10'",
    ),
    (lambda _: bnncore.get("a/b"), "a/b"),
    (lambda _: bnncore.get(""), "''"),
    (
        lambda folder: bnncore.load(folder / "nowhere"),
        r"expected an \.npz file or a binparam directory, found nothing",
    ),
    (_no_archive, r"w\.npz: expected a whole \.npz file"),
    (_misnamed_folder, "'mine' is none; choose one with topology=, from cnvW1A1"),
    (
        lambda folder: _classifier(folder).classify(3.5),  # type: ignore[arg-type]  # what is refused, or warned of
        r"expected a path, bytes .* found float",
    ),
    (
        lambda folder: _classifier(folder).classify(np.zeros((4, 4))),  # type: ignore[arg-type]  # what is refused, or warned of
        r"expected a uint8 .* found float64 \[4, 4\]",
    ),
    (
        lambda folder: _classifier(folder).scores(np.zeros((4, 4), np.uint8)),
        r"\[N, 4, 4\], found .*batch\[None\]",
    ),
    (lambda folder: bnncore.load(folder, backend="gpu"), "no installed distribution offers backend 'gpu'"),
    (lambda _: Input(height=0, width=3), r"Input\.height must be a whole number from 1 to 4096, not 0"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_told_with_what_was_expected_and_found(
    tmp_path: Path, mistake: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(bnncore.BnnError, match=message):
        mistake(tmp_path)


@pytest.mark.parametrize(
    "name", [None, 5, b"cifar10", Path("cifar10"), "../cifar10", "cifar10.npz", "x" * 10_000, "\0"]
)
def test_any_name_that_is_none_is_one_of_our_errors(name: object) -> None:
    with pytest.raises(bnncore.BnnError):
        bnncore.get(name)  # type: ignore[arg-type]  # on purpose
