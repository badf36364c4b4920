"""``bnncore benchmark``: every backend that can run, and why the others cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import bnncore
from bnncore.boards import detection
from bnncore.cli import cli
from bnncore.diagnosis.benchmark import Measurement, Skipped, measure, sample_picture
from bnncore.errors import InputError


@pytest.fixture(autouse=True)
def no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "_ROOT", tmp_path)


def test_backends_are_measured_and_the_others_say_why() -> None:
    with bnncore.get("mnist_lfc") as classifier:
        results = list(measure(bnncore.registry, classifier, sample_picture(), batch=2, seconds=0))
    by_name = {result.backend: result for result in results}
    assert set(by_name) >= {"numpy", "fpga"}
    assert isinstance(by_name["fpga"], Skipped)
    assert "this is no PYNQ board" in by_name["fpga"].reason
    found = by_name["numpy"]
    assert isinstance(found, Measurement)
    assert min(found.ready, found.decode, found.preprocess, found.compute, found.batch) > 0
    assert found.single == pytest.approx(found.decode + found.preprocess + found.compute)
    assert found.pack is None


def test_json_holds_the_same_for_programs() -> None:
    result = CliRunner().invoke(cli, ["benchmark", "mnist_lfc", "--batch", "2", "--seconds", "0", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found["topology"] == "lfcW1A1"
    assert "numpy" in [each["backend"] for each in found["seconds"]]
    assert found["images_per_second"]["numpy"]["single"] > 0
    assert "fpga" in found["skipped"]


def test_people_get_a_table() -> None:
    result = CliRunner().invoke(cli, ["benchmark", "mnist_lfc", "--batch", "2", "--seconds", "0"])
    assert result.output.startswith("mnist_lfc on lfcW1A1, one image in milliseconds, batch of 2:\nbackend")
    assert "\nnot here: fpga: this is no PYNQ board" in result.output


def test_a_picture_that_is_not_there_is_reported(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["benchmark", "mnist_lfc", "--image", str(tmp_path / "gone.jpg")])
    assert isinstance(result.exception, InputError)
