"""The command line: what a newcomer and a script see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bnnhw.network import LayerParameters, Network
from click.testing import CliRunner
from PIL import Image

import bnncore
from bnncore.cli import cli, main
from bnncore.discovery.kinds import DATASET, TOPOLOGY
from bnncore.errors import InputError
from bnncore.formats.npz import write_npz

COMMANDS = ("list", "info", "classify", "explain", "plugins", "doctor")


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
def weights(tmp_path: Path) -> Path:
    """Return a parameter file that calls light pictures "light" and dark ones "dark"."""
    topology = bnncore.Topology(
        name="shade", input=bnncore.Input(height=4, width=4), layers=(bnncore.Dense(outputs=2),)
    )
    rows = np.stack([np.ones(16, np.int8), -np.ones(16, np.int8)])
    layer = LayerParameters(weights=rows, thresholds=np.zeros((2, 0), np.int32))
    path = tmp_path / "shade.npz"
    write_npz(path, Network(topology=topology, layers=(layer,)), classes=("light", "dark"))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "night.png"
    Image.new("L", (8, 8), 10).save(path)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed_and_helps(bnn, command):
    assert f"  {command} " in bnn("--help")[1]
    code, out, _ = bnn(command, "--help")
    assert code == 0
    assert out.startswith("Usage: ")


def test_help_says_where_to_start_a_line_each(bnn):
    lines = [line.strip() for line in bnn("--help")[1].splitlines()]
    assert "bnncore doctor                        if something does not work" in lines


def test_classify_prints_label_bar_and_backend(bnn, weights, picture):
    code, out, _ = bnn("classify", weights, picture, "--backend", "numpy")
    assert code == 0
    assert out.startswith(f"{picture}: dark ")
    assert "numpy" in out
    assert "100%" in out


def test_classify_names_the_picture_whatever_is_wrong_in_it(bnn, weights, tmp_path, monkeypatch):
    def several(*_):
        raise InputError("expected one digit, found 2 in a row")

    Image.new("L", (200, 100), 255).save(tmp_path / "two.png")
    monkeypatch.setattr("bnncore.classifier.Classifier.classify", several)
    code, _, err = bnn("classify", weights, tmp_path / "two.png")
    assert (code, err) == (1, f"bnncore: {tmp_path / 'two.png'}: expected one digit, found 2 in a row\n")


def test_classify_json_carries_the_exact_scores(bnn, weights, picture):
    code, out, _ = bnn("classify", weights, picture, "--json")
    (answer,) = json.loads(out)
    # q(10) = -118, sixteen pixels, scores in units of 1/256.
    assert answer["scores"] == [2 * 16 * -118, 2 * 16 * 118]
    assert (code, answer["label"], answer["index"]) == (0, "dark", 1)


def test_classify_top_shows_more_classes(bnn, weights, picture):
    _, out, _ = bnn("classify", weights, picture, "--top", 2)
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["dark", "light"]


def test_one_bad_picture_is_reported_and_the_others_classified(bnn, weights, picture, tmp_path):
    code, out, err = bnn("classify", weights, tmp_path / "missing.png", picture)
    assert code == 1
    assert "missing.png: cannot be read" in err
    assert f"{picture}: dark" in out


def test_an_unknown_dataset_is_one_line_and_exit_code_1(bnn, picture):
    code, out, err = bnn("classify", "no-such", picture)
    assert (code, out) == (1, "")
    assert err.startswith("bnncore: no installed distribution offers dataset 'no-such'")
    assert len(err.splitlines()) == 1


def test_wrong_usage_is_exit_code_2(bnn):
    assert bnn("classify")[0] == 2
    assert bnn("no-such-command")[0] == 2


def test_a_misspelt_command_gets_a_suggestion(bnn):
    assert "No such command 'clasify'. Did you mean classify?" in bnn("clasify", "x")[2]
    assert "Did you mean" not in bnn("photograph")[2]
    assert "\x1b" not in bnn("a\x1b[31mb")[2]


@pytest.mark.parametrize("pictures", [["photo.png"], ["a.JPG", "b.png"]])
def test_a_forgotten_name_is_said_to_be_forgotten(bnn, pictures):
    code, _, err = bnn("classify", *pictures)
    assert code == 2
    assert f"'{pictures[0]}' is a picture, and the network's NAME goes before it" in err
    assert "cifar10" in err


def test_a_forgotten_picture_is_said_to_be_forgotten(bnn):
    code, _, err = bnn("classify", "cifar10")
    assert code == 2
    assert "Missing argument 'IMAGE...'" in err


@pytest.mark.parametrize("name", ["q" * 300, "q" * 3000, "a b", "a\x1b[31mb", "a\nb", "é" * 70])
def test_what_can_be_no_distribution_is_never_advised_to_be_installed(bnn, picture, name):
    code, _, err = bnn("classify", name, picture)
    assert code == 1
    assert "pip install" not in err
    assert err.rstrip("\n").isprintable()
    assert len(err) < 300


def test_what_is_near_is_no_reason_to_install(bnn, picture):
    assert "pip install" not in bnn("classify", "cifar11", picture)[2]
    assert "is a guess" in bnn("classify", "flowers", picture)[2]


def test_list_says_that_everything_is_blocked(bnn, monkeypatch):
    monkeypatch.setenv("BNNCORE_ALLOW", ",")
    bnncore.registry.refresh()
    out = bnn("list")[1]
    assert out.startswith("Every dataset that is installed is blocked: ")
    assert "BNNCORE_ALLOW" in out
    assert "pip" not in out


@pytest.fixture
def pets(install, weights):
    """Install a dataset plugin with all its files, on a topology of its own."""
    golden = weights.parent / "golden.npz"
    card = {
        "title": "Light and dark",
        "description": "Tells light from dark.",
        "source": "made up",
        "licenses": {"weights": "BSD-3-Clause", "data": "none"},
        "metrics": [
            {
                "name": "accuracy",
                "value": 1.0,
                "samples": 2,
                "data": "two",
                "method": "once",
                "topology": "shade",
            }
        ],
        "recipe": {},
        "networks": {},
    }
    with bnncore.load(weights, backend="numpy") as classifier:
        inputs = np.zeros((2, 4, 4), np.uint8)
        np.savez(golden, inputs=inputs, scores=classifier.scores(inputs))
        topology = classifier.topology
    files = {
        "weights.npz": weights.read_bytes(),
        "golden.npz": golden.read_bytes(),
        "classes.txt": b"light\ndark\n",
        "card.json": json.dumps(card).encode(),
    }
    import hashlib

    manifest = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }
    source = f'''
from bnncore import Dataset, Dense, Input, Parameters, Topology, hookimpl, packaged

@hookimpl
def bnncore_topology(name):
    return Topology(name="shade", input=Input(height=4, width=4), layers=(Dense(outputs=2),))

@hookimpl
def bnncore_dataset(name):
    return Dataset(name="pets", title="Light and dark", classes=packaged(__name__, "classes.txt"),
                   card=packaged(__name__, "card.json"), topologies=("shade",))

@hookimpl
def bnncore_parameters(dataset, topology):
    return Parameters(dataset=dataset, topology=topology, topology_digest="{topology.digest}",
                      resource=packaged(__name__, "weights.npz"), golden=packaged(__name__, "golden.npz"))
'''
    site = install(
        "bnn-pets",
        {DATASET.group: {"pets": "bnn_pets"}, TOPOLOGY.group: {"shade": "bnn_pets"}},
        {
            "bnn_pets/__init__.py": source,
            "bnn_pets/manifest.json": json.dumps({"files": manifest}),
            **{f"bnn_pets/{name}": data for name, data in files.items()},
        },
    )
    return site / "bnn_pets"


def test_list_names_what_is_installed(bnn, pets):
    code, out, _ = bnn("list")
    assert code == 0
    assert "pets" in out
    assert {"name": "pets", "distribution": "bnn-pets", "version": "1.0"} in json.loads(
        bnn("list", "--json")[1]
    )


def test_info_shows_classes_figures_and_licences(bnn, pets):
    code, out, _ = bnn("info", "pets")
    assert code == 0
    for text in ("Light and dark", "bnn-pets 1.0", "2: light, dark", "weights: BSD-3-Clause", "on 2 of two"):
        assert text in out
    assert json.loads(bnn("info", "pets", "--json")[1])["parameters"] == 32


def test_explain_names_the_owner_of_each_part_and_the_backend(bnn, pets):
    code, out, _ = bnn("explain", "pets", "--json")
    owners = {each["part"]: each["owner"] for each in json.loads(out)["choices"] if each["chosen"]}
    assert code == 0
    assert owners["topology"] == "bnn-pets 1.0"
    assert "backend" in owners
    assert "the first that can run here" in bnn("explain", "pets")[1]


def test_plugins_shows_conflicts_and_blocks(bnn, pets, install, monkeypatch):
    install("bnn-pets-too", {DATASET.group: {"pets": "bnn_pets_too"}})
    _, out, _ = bnn("plugins", "--json")
    states = {row["distribution"]: row["state"] for row in json.loads(out)["plugins"] if row["name"] == "pets"}
    assert set(states) == {"bnn-pets", "bnn-pets-too"}
    assert all("conflict" in state for state in states.values())
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-pets-too")
    bnncore.registry.refresh()
    assert "blocked" in bnn("plugins")[1]


def test_doctor_replays_golden_vectors_and_finds_nothing_wrong(bnn, pets):
    code, out, _ = bnn("doctor")
    assert code == 0
    assert "dataset pets: shade: 2 golden vectors agree" in out
    assert "All is well." in out


def test_doctor_names_an_altered_file_and_exits_with_1(bnn, pets):
    data = bytearray((pets / "weights.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (pets / "weights.npz").write_bytes(data)
    code, out, _ = bnn("doctor", "--json")
    assert all(list(each) == ["state", "subject", "text"] for each in json.loads(out)["findings"])
    problems = [finding for finding in json.loads(out)["findings"] if finding["state"] == "problem"]
    assert code == 1
    assert ["the file was altered" in problem["text"] for problem in problems] == [True]


def test_doctor_shows_a_broken_plugin_in_full(bnn, pets, install):
    install("bnn-bad", {DATASET.group: {"bad": "bnn_bad"}}, {"bnn_bad.py": "raise RuntimeError('kaputt')"})
    code, out, _ = bnn("doctor")
    assert code == 1
    assert "bnn-bad 1.0" in out
    assert "kaputt" in out


@pytest.mark.parametrize("name", cli.list_commands(None))  # type: ignore[arg-type]  # no context is needed
def test_help_shows_no_marks_of_its_own(name) -> None:
    text = CliRunner().invoke(cli, [name, "--help"]).output
    assert "\\b" not in text
    assert "\b" not in text


def test_a_folder_of_the_name_that_is_missing_is_pointed_at(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outdir").mkdir()
    found = CliRunner().invoke(cli, ["info", "outdir"])
    assert "To use the folder of that name, write ./outdir" in str(found.exception)


def test_what_training_leaves_can_be_loaded_by_its_folder(tmp_path) -> None:
    from bnncore.builtin.topologies import TOPOLOGIES
    from bnncore.formats.npz import WEIGHTS, write_npz
    from bnncore.publishing.random_network import random_network

    write_npz(tmp_path / "run" / WEIGHTS, random_network(TOPOLOGIES["lfcW1A1"]))
    assert bnncore.load(tmp_path / "run").topology.name == "lfcW1A1"


@pytest.mark.parametrize("given", ["0", "two"])
def test_a_wrong_number_of_threads_in_the_environment_is_said_at_once(given, monkeypatch) -> None:
    monkeypatch.setenv("BNNCORE_THREADS", given)
    with pytest.raises(bnncore.BackendError, match="BNNCORE_THREADS must be a whole number"):
        bnncore.get("cifar10")


def test_what_the_disk_refuses_is_one_line(bnn, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, _, err = bnn("new", "pets", "--classes", "cat,dog", "--out", tmp_path / "file" / "bnn-pets")
    assert code == 1
    assert err.startswith("bnncore: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("seed", ["-1", str(2**70)])
def test_a_seed_that_no_library_takes_is_one_line(bnn, seed, tmp_path) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch: pip install bnncore[train]")
    (tmp_path / "p").mkdir()
    code, _, err = bnn("train", "--images", tmp_path / "p", "--seed", seed)
    assert code == 1
    assert "seed must be a whole number" in err
