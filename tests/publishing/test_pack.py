"""What ``bnncore pack`` writes into a plugin's package."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import attrs
import numpy as np
import pytest
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from click.testing import CliRunner

from bnncore import ParameterError, Preprocessing, ResourceError
from bnncore.cli import cli
from bnncore.formats.card import Card, Metric, card_bytes, parse_card
from bnncore.formats.golden import parse_golden
from bnncore.formats.manifest import write_manifest
from bnncore.formats.npz import read_npz, write_npz
from bnncore.formats.provenance import Provenance
from bnncore.publishing.pack import (
    find_package,
    golden_inputs,
    pack_network,
    pack_recipe,
)
from bnncore.publishing.random_network import random_network

SMALL = Topology(
    name="small",
    input=Input(height=10, width=8, channels=3),
    layers=(Conv(outputs=8), Pool(), Conv(outputs=8), Dense(outputs=6)),
)
OTHER = attrs.evolve(SMALL, name="other", layers=(Conv(outputs=4), Dense(outputs=6)))
CARD = Card(
    title="Shapes",
    description="Drawn shapes.",
    source="drawn",
    licenses={"weights": "CC0-1.0", "data": "CC0-1.0"},
    metrics=(),
    recipe={"made": "at random"},
)
METRIC = Metric(name="accuracy", value=0.5, samples=10, data="test", method="once", topology="small")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "bnn-shapes" / "bnn_shapes"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "classes.txt").write_text("round\nsquare\nlong\n")
    (folder / "card.json").write_bytes(card_bytes(CARD))
    return folder


def test_manifest_lists_data_files_and_nothing_else(package: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"")
    (package / "py.typed").write_text("")
    (package / ".hidden").write_text("")
    (package / "deeper").mkdir()
    (package / "deeper" / "mean.bin").write_bytes(b"abc")
    write_manifest(package)
    files = json.loads((package / "manifest.json").read_text())["files"]
    assert list(files) == ["card.json", "classes.txt", "deeper/mean.bin"]
    assert files["deeper/mean.bin"] == {"size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_package_gets_everything_or_nothing(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Whichever of its files the disk has no room for."""
    run = tmp_path / "run"
    write_npz(run / "weights.npz", random_network(SMALL), ("round", "square", "long"))
    (run / "recipe.json").write_text('{"small": {"seed": 1, "recipe": {"topology": "small"}}}')
    CliRunner().invoke(cli, ["pack", str(package)], catch_exceptions=False)
    before = {path: path.read_bytes() for path in package.rglob("*")}
    sync, calls = os.fsync, []

    def fail(handle: int) -> None:
        calls.append(handle)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "my.bit").write_bytes(b"bit")
    arguments = ["pack", str(package), str(run), "--bit", str(tmp_path / "my.bit")]
    assert CliRunner().invoke(cli, arguments).exit_code == 1
    assert {path: path.read_bytes() for path in package.rglob("*")} == before
    monkeypatch.undo()
    assert CliRunner().invoke(cli, arguments, catch_exceptions=False).exit_code == 0
    files = json.loads((package / "manifest.json").read_text())["files"]
    assert set(files) == {"card.json", "classes.txt", "design.bit", "golden.npz", "recipe.json", "weights.npz"}
    for name, entry in files.items():
        assert entry["sha256"] == hashlib.sha256((package / name).read_bytes()).hexdigest()


def test_packed_weights_and_golden_vectors_agree(package: Path) -> None:
    network = random_network(SMALL)
    pack_network(package, network)
    packed = read_npz(package / "weights.npz", SMALL)
    inputs, expected = parse_golden((package / "golden.npz").read_bytes(), "golden", SMALL)
    assert packed.classes == ("round", "square", "long")
    np.testing.assert_array_equal(scores(packed.network, inputs), expected)
    np.testing.assert_array_equal(scores(network, inputs), expected)


def test_packing_twice_writes_the_same_bytes(package: Path) -> None:
    pack_network(package, random_network(SMALL))
    first = {path.name: path.read_bytes() for path in package.iterdir()}
    pack_network(package, random_network(SMALL))
    assert {path.name: path.read_bytes() for path in package.iterdir()} == first


def test_card_gets_the_figures_of_every_network(package: Path) -> None:
    pack_network(package, random_network(SMALL))
    pack_network(package, random_network(OTHER), into="other")
    networks = parse_card((package / "card.json").read_bytes(), "card").networks
    assert set(networks) == {"small", "other"}
    assert networks["small"]["parameters"] == SMALL.weights == 27 * 8 + 72 * 8 + 2 * 8 * 6
    assert networks["small"]["operations"] == 27 * 8 * 8 * 6 + 72 * 8 * 2 * 1 + 2 * 8 * 6
    assert networks["small"]["file_bytes"] == (package / "weights.npz").stat().st_size
    assert "other/weights.npz" in json.loads((package / "manifest.json").read_text())["files"]


def test_figures_of_other_weights_are_dropped(package: Path) -> None:
    kept = attrs.evolve(METRIC, topology="other")
    (package / "card.json").write_bytes(card_bytes(attrs.evolve(CARD, metrics=(kept,))))
    pack_network(package, random_network(SMALL), metrics=[METRIC])
    pack_network(package, random_network(SMALL))
    assert parse_card((package / "card.json").read_bytes(), "card").metrics == (kept, METRIC)
    pack_network(package, random_network(SMALL, seed=1))
    assert parse_card((package / "card.json").read_bytes(), "card").metrics == (kept,)


def test_figures_stay_where_only_the_format_of_the_file_changes(package: Path) -> None:
    pack_network(package, random_network(SMALL), metrics=[METRIC])
    known = Provenance(temperature=2.0)
    pack_network(package, random_network(SMALL), provenance=known)
    assert parse_card((package / "card.json").read_bytes(), "card").metrics == (METRIC,)
    assert read_npz(package / "weights.npz").provenance == known


def test_pack_keeps_what_the_weights_record(package: Path, tmp_path: Path) -> None:
    known = Provenance(preprocessing=Preprocessing.default(SMALL.input), recipe_sha256="0" * 64)
    write_npz(tmp_path / "trained.npz", random_network(SMALL), None, known)
    assert CliRunner().invoke(cli, ["pack", str(package.parent), str(tmp_path / "trained.npz")]).exit_code == 0
    assert read_npz(package / "weights.npz").provenance == known


def test_another_topology_needs_a_folder_of_its_own(package: Path) -> None:
    pack_network(package, random_network(SMALL))
    with pytest.raises(ParameterError, match=r"into='other'"):
        pack_network(package, random_network(OTHER))


def test_missing_card_is_named(package: Path) -> None:
    (package / "card.json").unlink()
    with pytest.raises(ResourceError, match=r"card\.json: cannot be read"):
        pack_network(package, random_network(SMALL))


@pytest.mark.parametrize("given", [SMALL.input, Input(height=5, width=3, channels=1, bits=1)])
def test_golden_inputs_differ_and_fit(given: Input) -> None:
    inputs = golden_inputs(given)
    assert inputs.shape == (16, *given.shape)
    assert inputs.dtype == np.uint8
    assert len({picture.tobytes() for picture in inputs}) == 16


def test_random_network_uses_its_outputs() -> None:
    for bits in ((1, 1), (1, 2), (2, 2)):
        topology = attrs.evolve(SMALL, weight_bits=bits[0], activation_bits=bits[1])
        found = scores(random_network(topology), golden_inputs(topology.input))
        assert all(len(set(column)) > 1 for column in found.T.tolist())


def test_find_package_looks_into_src(tmp_path: Path) -> None:
    (tmp_path / "src" / "bnn_x").mkdir(parents=True)
    (tmp_path / "src" / "bnn_x" / "__init__.py").write_text("")
    assert find_package(tmp_path).name == "bnn_x"
    with pytest.raises(ResourceError, match="expected one package"):
        find_package(tmp_path / "src" / "bnn_x" / "nothing")


def test_command_packs_a_file(package: Path, tmp_path: Path) -> None:
    write_npz(tmp_path / "trained.npz", random_network(SMALL), ("round", "square", "long"))
    (tmp_path / "metrics.json").write_text(json.dumps([attrs.asdict(METRIC)]))
    arguments = ["pack", str(package.parent), str(tmp_path / "trained.npz")]
    result = CliRunner().invoke(cli, [*arguments, "--metrics", str(tmp_path / "metrics.json"), "--json"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.output)["files"]) == {"card.json", "classes.txt", "golden.npz", "weights.npz"}
    assert parse_card((package / "card.json").read_bytes(), "card").metrics == (METRIC,)


def test_command_takes_the_figures_of_an_evaluation(package: Path, tmp_path: Path) -> None:
    write_npz(tmp_path / "trained.npz", random_network(SMALL))
    evaluation = {
        "accuracy": 0.75,
        "samples": 40,
        "data": "/home/ada/photos",
        "split": "test",
        "topology": "small",
    }
    (tmp_path / "evaluation.json").write_text(json.dumps({**evaluation, "confusion": [[1]]}))
    arguments = ["pack", str(package.parent), str(tmp_path / "trained.npz")]
    result = CliRunner().invoke(cli, [*arguments, "--metrics", str(tmp_path / "evaluation.json")])
    assert result.exit_code == 0, result.output
    (metric,) = parse_card((package / "card.json").read_bytes(), "card").metrics
    assert (metric.value, metric.samples, metric.data) == (0.75, 40, "photos, test")


def test_command_names_a_file_of_figures_that_is_none(package: Path, tmp_path: Path) -> None:
    write_npz(tmp_path / "trained.npz", random_network(SMALL))
    (tmp_path / "figures.json").write_text("{}")
    arguments = ["pack", str(package.parent), str(tmp_path / "trained.npz")]
    result = CliRunner().invoke(cli, [*arguments, "--metrics", str(tmp_path / "figures.json")])
    assert "expected the evaluation.json" in str(result.exception)


def test_command_refuses_other_classes(package: Path, tmp_path: Path) -> None:
    write_npz(tmp_path / "trained.npz", random_network(SMALL), ("square", "round", "long"))
    result = CliRunner().invoke(cli, ["pack", str(package.parent), str(tmp_path / "trained.npz")])
    assert isinstance(result.exception, ParameterError)
    assert "in the same order" in str(result.exception)


def test_a_recipe_is_kept_beside_those_of_other_topologies(package: Path, tmp_path: Path) -> None:
    for name in ("small", "other"):
        run = tmp_path / name / "recipe.json"
        run.parent.mkdir()
        run.write_text(json.dumps({name: {"seed": 1, "recipe": {"epochs": 2}}}))
        pack_recipe(package, run)
    kept = json.loads((package / "recipe.json").read_text())
    assert set(kept) == {"small", "other"}
    assert parse_card((package / "card.json").read_bytes(), "card").recipe == kept
    assert "recipe.json" in json.loads((package / "manifest.json").read_text())["files"]


def test_a_recipe_that_is_none_is_refused(package: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("[1]")
    with pytest.raises(ResourceError, match="expected a recipe"):
        pack_recipe(package, tmp_path / "recipe.json")
