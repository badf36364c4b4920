"""Weights know what they were trained with: files record it, and whoever opens them goes by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bnnhw.topology import Dense, Input, Topology
from click.testing import CliRunner

import bnncore
from bnncore import ParameterError, PluginWarning, Preprocessing, Step
from bnncore.cli import cli
from bnncore.conformance import CheckError, Subject
from bnncore.conformance.network_checks import check_parameters
from bnncore.formats.npz import read_npz, write_npz
from bnncore.formats.provenance import Provenance
from bnncore.publishing.random_network import random_network

TINY = Topology(name="tiny", input=Input(height=4, width=4, channels=3), layers=(Dense(outputs=2),))
NETWORK = random_network(TINY, 1)
INVERTED = Preprocessing(steps=(Step(operation="fit"), Step(operation="invert")))
MINE = Preprocessing(function="bnn_spectra.pictures:prepare")
PICTURE = np.full((8, 8, 3), 255, np.uint8)

PREPARE = """
import numpy as np

def prepare(image, given):
    return np.full(given.shape, 7, np.uint8)
"""


def saved(path: Path, preprocessing: Preprocessing | None) -> Path:
    write_npz(path, NETWORK, ("no", "yes"), Provenance(preprocessing=preprocessing, temperature=2.0))
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_file_is_opened_with_the_preprocessing_that_it_records(tmp_path: Path) -> None:
    with bnncore.load(saved(tmp_path / "w.npz", INVERTED)) as classifier:
        assert classifier.preprocessing == INVERTED
        assert classifier.provenance.temperature == 2.0
        assert not classifier.preprocess(PICTURE).any()
    assert "fit, invert" in run("info", tmp_path / "w.npz")


def test_one_that_records_none_is_opened_as_always(tmp_path: Path) -> None:
    with bnncore.load(saved(tmp_path / "w.npz", None)) as classifier:
        assert classifier.preprocessing == Preprocessing.unrecorded(TINY.input)


def test_the_caller_may_choose_another(tmp_path: Path) -> None:
    plain = Preprocessing(steps=(Step(operation="stretch"),))
    with bnncore.load(saved(tmp_path / "w.npz", INVERTED), preprocessing=plain) as classifier:
        assert classifier.preprocessing == plain
    with bnncore.load(saved(tmp_path / "w.npz", MINE), preprocessing=plain) as classifier:
        assert classifier.preprocessing == plain


@pytest.mark.parametrize("function", ["bnn_spectra.pictures:prepare", "os:abort", "builtins:exec"])
def test_a_function_of_no_plugin_is_neither_imported_nor_called(tmp_path: Path, function: str) -> None:
    path = saved(tmp_path / "w.npz", Preprocessing(function=function))
    package = function.partition(":")[0].partition(".")[0]
    with pytest.raises(
        ParameterError, match=rf"w\.npz: .* prepared by {function}, .* package '{package}'; install"
    ):
        bnncore.load(path)


def test_a_function_of_an_installed_plugin_is_used(tmp_path: Path, install: Callable[..., Path]) -> None:
    install(
        "bnn-spectra",
        {"bnncore.datasets": {"spectra": "bnn_spectra"}},
        {"bnn_spectra/__init__.py": "", "bnn_spectra/pictures.py": PREPARE},
    )
    with bnncore.load(saved(tmp_path / "w.npz", MINE)) as classifier:
        assert (classifier.preprocess(PICTURE) == 7).all()


def test_convert_keeps_it_and_says_where_it_is_lost(tmp_path: Path) -> None:
    path = saved(tmp_path / "w.npz", INVERTED)
    run("convert", path, tmp_path / "new.npz")
    assert read_npz(tmp_path / "new.npz").provenance == read_npz(path).provenance
    lost = run("convert", "cucumber9", tmp_path / "cucumber9" / "cnvW1A1")
    assert ("does not record" in lost) == (bnncore.get("cucumber9").preprocessing.describe() != "letterbox")
    run("convert", "cifar10", tmp_path / "cifar10.npz")
    assert read_npz(tmp_path / "cifar10.npz").provenance.preprocessing == bnncore.get("cifar10").preprocessing


PLUGIN = """
import bnncore
from bnncore import Dataset, Dense, Input, Parameters, Preprocessing, Step, Topology, hookimpl, packaged

TINY = Topology(name="tiny", input=Input(height=4, width=4, channels=3), layers=(Dense(outputs=2),))

@hookimpl
def bnncore_dataset(name):
    return Dataset(
        name="mine", title="Mine", classes=packaged(__name__, "classes.txt"), topologies=("tiny",),
        card=packaged(__name__, "card.json"),
    )

@hookimpl
def bnncore_topology(name):
    return TINY

@hookimpl
def bnncore_parameters(dataset, topology):
    return Parameters(
        dataset="mine", topology="tiny", topology_digest=TINY.digest, resource=packaged(__name__, "weights.npz")
    )
"""
DECLARED = """
@hookimpl
def bnncore_preprocessing(dataset, topology):
    return Preprocessing(steps=(Step(operation="stretch"),))
"""


def plugin(install: Callable[..., Path], code: str) -> Path:
    from bnncore.formats.manifest import write_manifest

    groups = {"datasets": "mine", "topologies": "tiny", "parameters": "mine.tiny"}
    if DECLARED in code:
        groups["preprocessing"] = "mine"
    site = install(
        "bnn-mine",
        {f"bnncore.{group}": {name: "bnn_mine"} for group, name in groups.items()},
        {"bnn_mine/__init__.py": code, "bnn_mine/classes.txt": "no\nyes\n", "bnn_mine/card.json": "{}"},
    )
    saved(site / "bnn_mine" / "weights.npz", INVERTED)
    write_manifest(site / "bnn_mine")
    return site


def test_a_dataset_that_declares_none_has_that_of_its_weights(install: Callable[..., Path]) -> None:
    plugin(install, PLUGIN)
    with bnncore.get("mine") as classifier:
        assert classifier.preprocessing == INVERTED
        assert not classifier.preprocess(PICTURE).any()


def test_a_dataset_that_declares_another_than_its_weights_had_is_warned_of(
    install: Callable[..., Path],
) -> None:
    plugin(install, PLUGIN + DECLARED)
    with bnncore.get("mine", "numpy") as classifier:
        assert classifier.preprocessing.describe() == "stretch"
        with pytest.warns(
            PluginWarning, match="bnn-mine 1.0 declares the preprocessing stretch .* trained with fit, in"
        ):
            classifier.classify(PICTURE)
    with pytest.raises(CheckError, match=r"declares the preprocessing stretch .* trained with fit, invert"):
        check_parameters(Subject("bnn-mine"))
