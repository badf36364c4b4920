"""Training without the command line, as the documentation shows it."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from PIL import Image
from training.test_loop import RECIPE, TINY, Interrupt, files, stripes

import bnncore
from bnncore import training
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.errors import BnnError
from bnncore.formats.binparam import read_binparam
from bnncore.formats.npz import read_npz
from bnncore.records import Preprocessing
from bnncore.training import Recipe, TrainingData, initial_network, plan

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


def example_of_the_page() -> str:
    """Return the code under "From Python"."""
    section = PAGE.read_text(encoding="utf-8").split("## From Python\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


def example_of_the_docstring() -> str:
    """Return the code in the docstring of the package."""
    assert training.__doc__ is not None
    block = training.__doc__.split("::\n")[1]
    lines = [line for line in block.splitlines() if not line or line.startswith("    ")]
    return "\n".join(line[4:] for line in lines)


@pytest.fixture
def my_photos(tmp_path, monkeypatch) -> Path:
    """Go where a few pictures of two classes are, by the names of the documentation."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, low in (("cat", 0), ("dog", 150)):
        folder = tmp_path / "my_photos" / name
        folder.mkdir(parents=True)
        for number in range(1, 11):
            Image.fromarray(rng.integers(low, low + 100, (40, 30, 3), np.uint8)).save(folder / f"{number}.jpg")
    return tmp_path


@pytest.mark.parametrize("example", [example_of_the_page, example_of_the_docstring])
def test_the_example_trains_resumes_and_exports(my_photos, example) -> None:
    code = example()
    assert ".train(" in code
    exec(compile(code, example.__name__, "exec"), {})
    entry = training.read_recipe(my_photos / "my_params" / "recipe.json", "cnvW1A1")
    assert entry.recipe.epochs == 3
    left = read_npz(my_photos / "my_params" / "weights.npz")
    again, classes = read_binparam(my_photos / "my_binparam", TOPOLOGIES["cnvW1A1"], FOLDINGS["cnvW1A1"])
    assert left.classes == classes == ("cat", "dog")
    for ours, theirs in zip(left.network.layers, again.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)


def tiny() -> TrainingData:
    """Return images in memory for a topology that no plugin offers."""
    return TrainingData.of_images(stripes(), TINY)


def test_a_stopped_run_goes_on_by_the_same_call(tmp_path) -> None:
    run = plan(tiny(), tmp_path / "parts", recipe=RECIPE)
    assert not run.train(threads=1, reporter=Interrupt(2)).finished
    assert run.train(threads=1).finished
    plan(tiny(), tmp_path / "whole", recipe=RECIPE).train(threads=1)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_the_weights_can_be_one_file(tmp_path) -> None:
    run = plan(tiny(), tmp_path / "mine.npz", recipe=RECIPE, epochs=1)
    outcome = run.train(threads=1)
    assert run.weights == tmp_path / "mine.npz"
    assert run.weights.read_bytes() == (tmp_path / "mine" / "weights.npz").read_bytes()
    assert outcome.classes == read_npz(run.weights).classes == stripes().classes


def test_the_weights_record_how_the_pictures_were_prepared(tmp_path) -> None:
    data = tiny()
    assert data.preprocessing is None
    data.preprocessing = Preprocessing.default(data.topology.input)
    run = plan(data, tmp_path / "mine.npz", recipe=RECIPE, epochs=1)
    run.train(threads=1)
    assert read_npz(run.weights).provenance.preprocessing == data.preprocessing


def test_data_know_how_their_pictures_are_prepared(tmp_path) -> None:
    data = TrainingData.of_pictures(tmp_path, "cnvW1A1")
    assert data.preprocessing == Preprocessing.default(data.topology.input)
    assert TrainingData.of_dataset("cifar10", tmp_path).preprocessing == bnncore.get("cifar10").preprocessing


def test_a_plan_says_what_will_be_done() -> None:
    run = plan(tiny(), recipe=RECIPE, seed=9, batch_size=6, validation=0)
    assert run.recipe == attrs.evolve(RECIPE, batch_size=6, validation=0)
    assert (run.seed, run.folder, run.file) == (9, Path("trained") / "images", None)


def test_a_recipe_file_brings_its_seed(tmp_path) -> None:
    plan(tiny(), tmp_path, recipe=RECIPE, seed=9, epochs=1).train(threads=1)
    again = plan(tiny(), recipe=tmp_path / "recipe.json")
    assert (again.recipe, again.seed) == (attrs.evolve(RECIPE, epochs=1), 9)


def test_a_dataset_brings_its_recipe_and_its_start() -> None:
    data = TrainingData.of_dataset("cucumber9", "not-read-yet")
    run = plan(data)
    entry = training.plugin_recipe("cucumber9", "cnvW1A1")
    assert (run.recipe, run.seed) == (entry.recipe, entry.seed)
    start = initial_network(Recipe(topology="cnvW1A1", epochs=1, initial=run.recipe), data.topology)
    assert start is not None
    assert start.topology.digest == data.topology.digest


def test_cross_validation_tells_its_figures(tmp_path) -> None:
    found = plan(tiny(), tmp_path, recipe=RECIPE, epochs=1, validation=0).cross_validate(2, threads=1)
    assert found.scores.shape == (120, 3)
    assert (found.samples, found.folds) == (120, 2)
    assert found.right == (found.predicted == stripes().labels).sum()
    assert found.interval[0] < found.accuracy < found.interval[1]


def test_a_learning_curve_that_cannot_be_drawn_is_told(tmp_path, monkeypatch) -> None:
    def fail(*_):
        raise BnnError("no pencil")

    class Told(training.Reporter):
        def warning(self, text: str) -> None:
            warned.append(text)

    warned: list[str] = []
    monkeypatch.setattr("bnncore.training.curve.write_curve", fail)
    plan(tiny(), tmp_path, recipe=RECIPE, epochs=1).train(threads=1, reporter=Told())
    assert warned == ["no pencil"]
    assert (tmp_path / "weights.npz").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"recipe": attrs.evolve(RECIPE, topology="other")},
            "the recipe is for 'other', the data are for 'tiny'",
        ),
        ({"batch_size": 1}, "not a recipe"),
        ({"binparam": "folder"}, "no accelerator for 'tiny'"),
    ],
)
def test_an_impossible_plan_is_refused(change, message) -> None:
    with pytest.raises(BnnError, match=message):
        plan(tiny(), **{"recipe": RECIPE, **change})


def test_the_public_names_are_there() -> None:
    assert sorted(training.__all__) == training.__all__
    assert all(hasattr(training, name) for name in training.__all__)
    assert bnncore.training is training
