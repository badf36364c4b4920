"""``bnncore train``, ``evaluate`` and ``import`` as a user types them."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import bnncore
from bnncore.cli import main
from bnncore.discovery.kinds import DATASET, TOPOLOGY
from bnncore.formats.binparam import read_binparam
from bnncore.formats.npz import read_npz

pytestmark = pytest.mark.slow

QUICK = ("--epochs", "2", "--threads", "1")

PLUGIN = """
    from bnncore import Conv, Dataset, Dense, Input, Parameters, Pool, Topology, hookimpl, packaged

    BNNCORE_API = 1
    TINY = Topology(
        name="tiny",
        input=Input(height=8, width=8, channels=3),
        layers=(Conv(outputs=8), Pool(), Dense(outputs=4)),
    )

    @hookimpl
    def bnncore_topology(name):
        return TINY

    @hookimpl
    def bnncore_dataset(name):
        return Dataset(
            name="shades", title="Shades", classes=packaged("bnn_shades", "classes.txt"), topologies=("tiny",),
            card=packaged("bnn_shades", "card.json"),
        )

    @hookimpl
    def bnncore_parameters(dataset, topology):
        return Parameters(
            dataset="shades", topology="tiny", topology_digest=TINY.digest,
            resource=packaged("bnn_shades", "weights.npz"),
        )
"""
RECIPE = {"topology": "tiny", "epochs": 2, "batch_size": 8, "augmentation": {"shift": 1}}


@pytest.fixture
def bnn(capsys):
    """Return a function that runs the command and returns exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of dark and of light pictures."""
    rng = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 150)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(16):
            pixels = rng.integers(low, low + 100, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def plugin(install, tmp_path: Path) -> Path:
    """Install a dataset with a recipe, its own topology, and weights that know nothing."""
    from bnncore.formats.manifest import write_manifest
    from bnncore.publishing.random_network import random_network

    entry = {TOPOLOGY.group: {"tiny": "bnn_shades"}, DATASET.group: {"shades": "bnn_shades"}}
    site = install(
        "bnn-shades",
        entry,
        {
            "bnn_shades/__init__.py": PLUGIN,
            "bnn_shades/classes.txt": "dark\nlight\n",
            "bnn_shades/card.json": "{}",
            "bnn_shades/recipe.json": json.dumps({"tiny": {"seed": 3, "recipe": RECIPE}}),
        },
    )
    package = site / "bnn_shades"
    from bnncore.formats.npz import write_npz

    topology = bnncore.Topology(
        name="tiny",
        input=bnncore.Input(height=8, width=8, channels=3),
        layers=(bnncore.Conv(outputs=8), bnncore.Pool(), bnncore.Dense(outputs=4)),
    )
    write_npz(package / "weights.npz", random_network(topology), ["dark", "light"])
    write_manifest(package)
    return package


def test_a_folder_of_pictures_becomes_a_classifier(bnn, photos, plugin, tmp_path) -> None:
    code, out, _ = bnn("train", "--images", photos, "--topology", "tiny", "--out", tmp_path / "mine", *QUICK)
    assert code == 0
    assert "bnncore classify" in out
    with bnncore.load(tmp_path / "mine" / "weights.npz", backend="numpy") as classifier:
        assert classifier.classes == ("dark", "light")
    assert {path.name for path in (tmp_path / "mine").iterdir()} >= {"metrics.json", "recipe.json", "curve.png"}


def test_the_result_can_be_one_file(bnn, photos, plugin, tmp_path) -> None:
    bnn("train", "--images", photos, "--topology", "tiny", "--out", tmp_path / "mine.npz", *QUICK)
    assert read_npz(tmp_path / "mine.npz").classes == ("dark", "light")


def test_a_plugins_recipe_is_repeated(bnn, photos, plugin, tmp_path) -> None:
    for name in ("one", "two"):
        assert bnn("train", "shades", "--data", photos, "--out", tmp_path / name, "--threads", "1")[0] == 0
    first, second = (tmp_path / name / "weights.npz" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    record = json.loads((tmp_path / "one" / "recipe.json").read_text())
    assert record["tiny"]["seed"] == 3
    assert record["tiny"]["recipe"]["epochs"] == 2


def test_pictures_that_are_not_split_come_once(bnn, photos, plugin, tmp_path) -> None:
    recipe = {"tiny": {"seed": 0, "recipe": {**RECIPE, "splits": ["train", "test"]}}}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    arguments = ("--recipe", tmp_path / "recipe.json", "--folds", "2", "--out", tmp_path / "cv", *QUICK)
    assert "of 32 in 2 folds" in bnn("train", "shades", "--data", photos, *arguments)[1]


def test_a_shorter_run_has_shorter_phases(bnn, photos, plugin, tmp_path) -> None:
    recipe = {**RECIPE, "epochs": 10, "real_weight_epochs": 5, "plateau": 4}
    (tmp_path / "recipe.json").write_text(json.dumps({"tiny": {"seed": 0, "recipe": recipe}}))
    arguments = ("--recipe", tmp_path / "recipe.json", "--out", tmp_path / "run", *QUICK)
    assert bnn("train", "shades", "--data", photos, *arguments)[0] == 0
    done = json.loads((tmp_path / "run" / "recipe.json").read_text())["tiny"]
    assert (done["recipe"]["epochs"], done["recipe"]["real_weight_epochs"], done["recipe"]["plateau"]) == (
        2,
        1,
        0,
    )
    assert done["threads"] == 1


def test_a_recipe_can_start_from_weights_in_a_package(bnn, photos, plugin, tmp_path) -> None:
    from bnncore.formats.npz import npz_bytes, read_npz

    found: dict[str, Any] = {}
    for name in ("shades", "bnn_shades/weights.npz"):
        recipe = {"tiny": {"seed": 0, "recipe": {**RECIPE, "initial": name}}}
        (tmp_path / "recipe.json").write_text(json.dumps(recipe))
        out = tmp_path / f"run-{len(found)}"
        arguments = ("--recipe", tmp_path / "recipe.json", "--out", out, "--threads", "1")
        assert bnn("train", "shades", "--data", photos, *arguments)[0] == 0
        weights = read_npz(out / "weights.npz")
        # Without the digest of the recipe, in which alone they differ.
        found[name] = npz_bytes(weights.network, weights.classes)
    assert found["shades"] == found["bnn_shades/weights.npz"]


def test_a_start_that_is_not_there_is_told(bnn, photos, plugin, tmp_path) -> None:
    recipe = {"tiny": {"seed": 0, "recipe": {**RECIPE, "initial": "bnn_shades/other.npz"}}}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    code, _, err = bnn("train", "shades", "--data", photos, "--recipe", tmp_path / "recipe.json")
    assert code == 1
    assert "other.npz" in err


def test_what_begins_is_said(bnn, photos, plugin, tmp_path) -> None:
    recipe = {**RECIPE, "epochs": 1, "teacher": {**RECIPE, "epochs": 1}}
    (tmp_path / "recipe.json").write_text(json.dumps({"tiny": {"seed": 0, "recipe": recipe}}))
    arguments = (
        "--recipe",
        tmp_path / "recipe.json",
        "--folds",
        "2",
        "--out",
        tmp_path / "cv",
        "--threads",
        "1",
    )
    out = bnn("train", "shades", "--data", photos, *arguments)[1]
    assert [line for line in out.splitlines() if line.startswith(("fold", "training teacher"))] == [
        "fold 1 of 2: 16 images held out",
        "training teacher 1 of 1",
        "fold 2 of 2: 16 images held out",
        "training teacher 1 of 1",
    ]


def test_ctrl_c_leaves_weights_and_the_exit_code_of_an_interruption(
    bnn, photos, plugin, tmp_path, monkeypatch
) -> None:
    from bnncore.training.progress import BarReporter

    def interrupt(self, epoch, epochs, step, steps, loss, accuracy) -> None:
        if epoch == last:
            raise KeyboardInterrupt

    monkeypatch.setattr(BarReporter, "step", interrupt)
    arguments = ("train", "--images", photos, "--topology", "tiny", "--out", tmp_path / "run", *QUICK)
    last = 1
    code, out, _ = bnn(*arguments)
    assert (code, out.splitlines()[-1]) == (
        130,
        "stopped before there were weights; the same command continues",
    )
    last = 2
    code, out, _ = bnn(*arguments)
    assert (code, out.splitlines()[-1]) == (130, "stopped after 1 epochs; the same command continues")
    assert (tmp_path / "run" / "weights.npz").exists()


def test_other_pictures_do_not_continue_a_run(bnn, photos, plugin, tmp_path) -> None:
    arguments = ("train", "--images", photos, "--topology", "tiny", "--out", tmp_path / "run", *QUICK)
    assert bnn(*arguments)[0] == 0
    (photos / "dark").rename(photos / "dim")
    code, _, err = bnn(*arguments)
    assert code == 1
    assert "of another run, with other images, labels or classes; use another --out folder" in err


def test_cross_validation_answers_every_picture(bnn, photos, plugin, tmp_path) -> None:
    code, out, _ = bnn("train", "shades", "--data", photos, "--folds", "2", "--out", tmp_path / "cv", *QUICK)
    assert code == 0
    assert "of 32 in 2 folds" in out


def test_a_run_continues_with_more_epochs(bnn, photos, plugin, tmp_path) -> None:
    arguments = ("train", "shades", "--data", photos, "--out", tmp_path / "run", "--threads", "1")
    bnn(*arguments, "--epochs", "1")
    bnn(*arguments, "--epochs", "2")
    epochs = json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"]
    assert [epoch["number"] for epoch in epochs] == [1, 2]


def test_other_classes_than_the_datasets_are_refused(bnn, photos, plugin) -> None:
    (photos / "dark").rename(photos / "dim")
    code, _, err = bnn("train", "shades", "--data", photos)
    assert code == 1
    assert "'dim' is no class" in err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("cifar10",),
        ("cifar10", "--images", "."),
        ("--images", ".", "--data", "."),
        ("--images", ".", "--folds", "2", "--minutes", "1"),
        ("--images", ".", "--folds", "2", "--out", "x.npz"),
        ("--images", ".", "--minutes", "0"),
        ("--images", ".", "--learning-rate", "-1"),
    ],
)
def test_half_a_command_is_a_usage_error(bnn, arguments) -> None:
    assert bnn("train", *arguments)[0] == 2


def test_without_torch_the_way_out_is_told(bnn, photos, plugin, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = bnn("train", "--images", photos, "--topology", "tiny")
    assert code == 1
    assert "pip install 'bnncore[train]'" in err


def test_evaluate_counts_and_writes_pictures(bnn, photos, plugin, tmp_path) -> None:
    code, out, _ = bnn(
        "evaluate", "shades", "--data", photos, "--backend", "numpy", "--out", tmp_path / "report", "--json"
    )
    report = json.loads(out)
    assert code == 0
    assert report["samples"] == 32
    assert np.sum(report["confusion"]) == 32
    assert report["accuracy"] == report["right"] / 32
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text()) == report
    for name in ("confusion.png", "mistakes.png"):
        with Image.open(tmp_path / "report" / name) as picture:
            assert picture.width > 100


def test_evaluate_replaces_nothing_unasked(bnn, photos, plugin, tmp_path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mistakes.png").write_text("mine")
    command = ("evaluate", "shades", "--data", photos, "--backend", "numpy", "--out", tmp_path / "report")
    code, out, err = bnn(*command)
    assert (code, out) == (1, "")
    assert "mistakes.png: exists already" in err
    assert "--overwrite" in err
    assert (tmp_path / "report" / "mistakes.png").read_text() == "mine"
    assert bnn(*command, "--overwrite")[0] == 0
    assert (tmp_path / "report" / "mistakes.png").read_bytes().startswith(b"\x89PNG")


def test_a_result_that_cannot_be_written_is_printed(bnn, photos, plugin, tmp_path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    code, out, err = bnn(
        "evaluate", "shades", "--data", photos, "--backend", "numpy", "--out", tmp_path / "report"
    )
    assert code == 1
    assert "% right" in out
    assert err.endswith("report/confusion.png: No space left on device\n")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    "recipe", ["5", '"x"', '{"tiny": 3}', '{"tiny": {"recipe": ["a"]}}', '{"tiny": {"recipe": null}}']
)
def test_a_card_that_is_none_costs_no_result(bnn, photos, plugin, recipe) -> None:
    from bnncore.formats.manifest import write_manifest

    (plugin / "card.json").write_text(f'{{"recipe": {recipe}}}')
    write_manifest(plugin)
    code, out, err = bnn("evaluate", "shades", "--data", photos, "--backend", "numpy")
    assert code == 0
    assert "% right" in out
    assert err.index("card.json") < err.index("classifying")


@pytest.mark.parametrize("out", ["kept", "kept.npz"])
def test_weights_of_another_run_are_refused_before_the_first_epoch(bnn, photos, plugin, tmp_path, out) -> None:
    (tmp_path / "kept").mkdir()
    place = tmp_path / "kept.npz" if out == "kept.npz" else tmp_path / "kept" / "weights.npz"
    place.write_bytes(b"mine")
    code, _, err = bnn("train", "--images", photos, "--topology", "tiny", "--out", tmp_path / out, *QUICK)
    assert code == 1
    assert f"{place}: exists already" in err
    assert "epoch" not in err
    assert place.read_bytes() == b"mine"


def test_import_replaces_nothing_unasked(bnn, tmp_path, lfc_checkpoint) -> None:
    target = tmp_path / "lfc.npz"
    target.write_bytes(b"mine")
    command = ("import", lfc_checkpoint, "--precision", "W1A1", "--out", target)
    code, _, err = bnn(*command)
    assert (code, target.read_bytes()) == (1, b"mine")
    assert "--overwrite" in err
    assert bnn(*command, "--overwrite")[0] == 0
    assert read_npz(target).network.topology.outputs == 3


def test_training_goes_on_where_nobody_reads_what_it_says(photos, plugin, tmp_path, monkeypatch) -> None:
    from bnncore.training import BarReporter

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tqdm.tqdm.write", full)
    bar = BarReporter()
    bar.note("training")
    bar.warning("no curve")


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_classified(bnn, photos, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    code, out, err = bnn("evaluate", "shades", "--data", photos, "--out", tmp_path / "file" / "report")
    assert (code, out) == (1, "")
    assert "cannot be made a folder" in err
    assert "classifying" not in err


def test_evaluate_shows_a_table(bnn, photos, plugin) -> None:
    out = bnn("evaluate", "shades", "--data", photos, "--backend", "numpy", "--last", "10")[1]
    assert "of 10 (95 % confidence" in out
    assert "PRECISION" in out


@pytest.mark.parametrize(("split", "told"), [("train", True), ("test", False)])
def test_a_split_that_was_trained_on_is_told(bnn, tmp_path, split, told) -> None:
    """The shipped weights of cifar10, on a few pictures in the publisher's layout."""
    random = np.random.default_rng(0)
    batch = random.integers(0, 256, (4, 3073), np.uint8)
    batch[:, 0] %= 10
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (tmp_path / name).write_bytes(batch.tobytes())
    code, out, _ = bnn("evaluate", "cifar10", "--data", tmp_path, "--split", split, "--backend", "numpy")
    assert code == 0
    assert (f"trained on the {split} split" in out) == told


def test_import_writes_parameters(bnn, tmp_path, lfc_checkpoint) -> None:
    target = tmp_path / "lfc.npz"
    assert bnn("import", lfc_checkpoint, "--precision", "W1A1", "--out", target)[0] == 0
    assert read_npz(target).network.topology.outputs == 3


def test_import_needs_the_precision_of_a_checkpoint(bnn, tmp_path, lfc_checkpoint) -> None:
    assert bnn("import", lfc_checkpoint, "--out", tmp_path / "lfc.npz")[0] == 2


@pytest.fixture
def lfc_checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint of a fully connected network of Brevitas with one hidden layer."""
    state = {"features.2.weight": torch.randn(8, 784)}
    for key, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
        state[f"features.3.{key}"] = torch.full((8,), value)
        state[f"features.7.{key}"] = torch.full((1,), value)
    state["features.6.weight"] = torch.randn(3, 8)
    torch.save(state, tmp_path / "lfc.pth")
    return tmp_path / "lfc.pth"


def test_a_bnn_pynq_folder_can_be_written(bnn, photos, tmp_path) -> None:
    from bnncore.builtin.topologies import FOLDINGS
    from bnncore.builtin.topologies import TOPOLOGIES as BUILT_IN

    arguments = (
        "--binparam",
        tmp_path / "binparam",
        "--out",
        tmp_path / "run.npz",
        "--threads",
        "1",
        "--epochs",
        "1",
    )
    code, out, _ = bnn("train", "--images", photos, "--topology", "lfcW1A1", *arguments)
    assert code == 0
    assert f"BNN-PYNQ      {tmp_path / 'binparam'}" in out
    network = read_npz(tmp_path / "run.npz").network
    again, classes = read_binparam(tmp_path / "binparam", BUILT_IN["lfcW1A1"], FOLDINGS["lfcW1A1"])
    assert classes == ("dark", "light")
    for ours, theirs in zip(network.layers, again.layers):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.thresholds, theirs.thresholds)


def test_a_bnn_pynq_folder_that_is_taken_is_refused_before_training_but_for_the_runs_own(
    bnn, photos, tmp_path
) -> None:
    run = ("train", "--images", photos, "--topology", "lfcW1A1", "--threads", "1", "--epochs", "1")
    taken = tmp_path / "taken"
    taken.mkdir()
    code, _, err = bnn(*run, "--out", tmp_path / "run", "--binparam", taken)
    assert code == 1
    assert f"{taken}: exists already" in err
    assert not (tmp_path / "run").exists()
    for _ in range(2):
        code, _, err = bnn(*run, "--out", tmp_path / "run", "--binparam", tmp_path / "mine")
        assert code == 0, err
    # Weights of another run in its place are not this run's own.
    code, _, err = bnn(*run, "--seed", "1", "--out", tmp_path / "other", "--binparam", tmp_path / "mine")
    assert code == 1
    assert "exists already" in err


def test_a_bnn_pynq_folder_of_another_network_is_refused_before_training(bnn, photos, plugin, tmp_path) -> None:
    arguments = ("--binparam", tmp_path / "params", "--out", tmp_path / "run")
    code, _, err = bnn("train", "--images", photos, "--topology", "tiny", *arguments)
    assert code == 1
    assert "no accelerator for 'tiny'" in err
    assert not (tmp_path / "run").exists()


@pytest.fixture
def split_photos(photos: Path, tmp_path: Path) -> Path:
    """Return the pictures as a training and a validation split, and something beside them."""
    (tmp_path / "all").mkdir()
    photos.rename(tmp_path / "all" / "Training_Set")
    for name, shade in (("dark", 40), ("light", 200)):
        (tmp_path / "all" / "val" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / "all" / "val" / name / "0.png")
    (tmp_path / "all" / "Training_Set" / "dark" / "notes.txt").write_text("words")
    return tmp_path / "all"


def test_what_was_found_is_printed_before_training(bnn, split_photos, plugin, tmp_path) -> None:
    out = bnn("train", "--images", split_photos, "--topology", "tiny", "--out", tmp_path / "mine", *QUICK)[1]
    assert out.splitlines()[:3] == [
        "train: 32 pictures of 2 classes: dark (16), light (16)",
        "validation: 2 pictures of 2 classes: dark (1), light (1)",
        "passed over, no picture: 1 ('Training_Set/dark/notes.txt')",
    ]
    metrics = json.loads((tmp_path / "mine" / "metrics.json").read_text())
    assert metrics["epochs"][0]["validation_accuracy"] is not None


def test_evaluate_finds_the_split_that_training_left_and_says_which(bnn, split_photos, plugin) -> None:
    arguments = ("evaluate", "shades", "--data", split_photos, "--backend", "numpy", "--json")
    code, out, err = bnn(*arguments)
    assert code == 0
    assert (json.loads(out)["split"], json.loads(out)["samples"]) == ("validation", 2)
    assert "there is no test split: the validation split is measured" in err
    assert json.loads(bnn(*arguments, "--split", "train")[1])["samples"] == 32
    code, _, err = bnn(*arguments, "--split", "test")
    assert code == 1
    assert "expected a test split, found train and validation; choose with --split train" in err


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_broken_pictures_are_named_and_can_be_left_out(bnn, photos, plugin, tmp_path, command) -> None:
    for name in ("a.jpg", "b.png"):
        (photos / "dark" / name).write_bytes(b"")
    arguments: tuple[Any, ...] = {
        "train": ("train", "--images", photos, "--topology", "tiny", "--out", tmp_path / "mine", *QUICK),
        "evaluate": ("evaluate", "shades", "--data", photos, "--backend", "numpy"),
    }[command]
    code, _, err = bnn(*arguments)
    assert code == 1
    assert "2 of 34 pictures cannot be read ('dark/a.jpg'" in err
    assert "--skip-broken" in err
    assert not (tmp_path / "mine").exists()
    code, out, err = bnn(*arguments, "--skip-broken")
    assert code == 0
    assert "skipped, cannot be read: 2 ('dark/a.jpg', 'dark/b.png')" in out + err
