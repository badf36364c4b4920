"""``bnncore.get(…, backend="fpga")`` on the real pynq package and a virtual board."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from batches import random_batch

import bnncore
from bnncore.boards import detection
from bnncore.diagnosis.benchmark import Measurement, measure, sample_picture

DATASETS = ("cifar10", "cucumber9", "mnist_lfc")


@pytest.fixture
def folder(boards: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of bitstreams, on a Pynq-Z2."""
    rig = boards()
    monkeypatch.setattr(detection, "_ROOT", tmp_path / "root")
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(tmp_path))
    monkeypatch.setenv("BNNCORE_BITSTREAMS_ACCEPT", ",".join(each.sha256 for each in rig.overlays.values()))
    return tmp_path


@pytest.fixture
def classifiers(folder: Path) -> Iterator[dict[str, bnncore.Classifier]]:
    """Return the three datasets on the FPGA."""
    opened = {name: bnncore.get(name, backend="fpga", board="pynq-z2") for name in DATASETS}
    yield opened
    for classifier in opened.values():
        classifier.close()


def right(classifier: bnncore.Classifier, seed: int) -> bool:
    """Say whether a classifier on the FPGA gives numpy's integers."""
    with bnncore.get(classifier.name, backend="numpy") as reference:
        batch = random_batch(classifier.topology, 2, seed=seed)
        return np.array_equal(classifier.scores(batch), reference.scores(batch))


def loaded(classifier: bnncore.Classifier) -> tuple[int, int]:
    counters = classifier._ready().executor.counters  # type: ignore[attr-defined]  # the FPGA's own
    return counters.downloads, counters.parameter_loads


def other_process(folder: Path, test_data: Path, dataset: str, turns: int) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("other_process.py")
    overlays = test_data / "bnn-pynq" / "overlays"
    command = [sys.executable, str(script), str(folder), str(overlays), dataset, str(turns)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> list[object]:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    result: list[object] = json.loads(output)
    return result


def test_three_datasets_in_turn_cost_what_differs(classifiers: dict[str, bnncore.Classifier]) -> None:
    counted = []
    for turn, name in enumerate(("cifar10", "cucumber9", "cucumber9", "cifar10", "mnist_lfc", "mnist_lfc")):
        assert right(classifiers[name], turn)
        counted.append(loaded(classifiers[name]))
    # cifar10 and cucumber9 share a network: only their parameters are loaded.
    assert counted == [(1, 1), (1, 2), (1, 2), (1, 3), (2, 4), (2, 4)]


def test_three_datasets_in_three_threads(classifiers: dict[str, bnncore.Classifier]) -> None:
    with ThreadPoolExecutor(3) as pool:
        turns = list(pool.map(lambda turn: right(classifiers[DATASETS[turn % 3]], turn), range(6)))
    assert all(turns)


def test_the_selftests_pass(classifiers: dict[str, bnncore.Classifier]) -> None:
    assert {name: classifiers[name].selftest().backend for name in DATASETS} == dict.fromkeys(DATASETS, "fpga")


def test_a_prediction_says_that_it_is_the_fpgas(classifiers: dict[str, bnncore.Classifier]) -> None:
    picture = Path(__file__).parents[2] / "examples" / "digit.png"
    prediction = classifiers["mnist_lfc"].classify(picture)
    with bnncore.get("mnist_lfc", backend="numpy") as reference:
        assert prediction.label == reference.classify(picture).label
    assert prediction.backend == "fpga"


def test_a_second_process_needs_no_second_download(
    classifiers: dict[str, bnncore.Classifier], folder: Path, test_data: Path
) -> None:
    assert right(classifiers["cifar10"], 1)
    assert answer(other_process(folder, test_data, "cucumber9", 1)) == [True, 0, 1]
    assert right(classifiers["cifar10"], 2)
    assert loaded(classifiers["cifar10"]) == (1, 2)


def test_a_second_process_that_downloads_is_noticed(
    classifiers: dict[str, bnncore.Classifier], folder: Path, test_data: Path
) -> None:
    assert right(classifiers["cifar10"], 1)
    assert answer(other_process(folder, test_data, "mnist_lfc", 1)) == [True, 1, 1]
    assert right(classifiers["cifar10"], 2)
    assert loaded(classifiers["cifar10"]) == (2, 2)


def test_two_processes_at_once(
    classifiers: dict[str, bnncore.Classifier], folder: Path, test_data: Path
) -> None:
    process = other_process(folder, test_data, "mnist_lfc", 4)
    turn = 0
    while process.poll() is None:
        assert right(classifiers["cifar10"], turn)
        turn += 1
    assert answer(process)[0] is True


def test_auto_takes_the_board(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = tmp_path / "root" / "proc/device-tree/chosen/pynq_board"
    name.parent.mkdir(parents=True)
    name.write_text("Pynq-Z1\0")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("XILINX_XRT", "/usr")
    with bnncore.get("mnist_lfc") as classifier:
        assert classifier.backend == "fpga"
        assert right(classifier, 1)


def test_the_benchmark_shows_where_the_fpgas_time_goes(folder: Path) -> None:
    with bnncore.get("mnist_lfc", board="pynq-z2") as classifier:
        results = list(measure(bnncore.registry, classifier, sample_picture(), batch=2, seconds=0))
    found = next(result for result in results if result.backend == "fpga")
    assert isinstance(found, Measurement), found
    assert found.pack
    assert found.transfer
    assert found.compute > 0
    assert found.single > found.decode + found.preprocess


def test_bitstreams_can_be_named_in_the_call(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BNNCORE_BITSTREAMS")
    monkeypatch.setenv("BNNCORE_CACHE", str(tmp_path / "cache"))
    with bnncore.get("mnist_lfc", backend="fpga", board="pynq-z1", bitstreams=folder) as classifier:
        assert right(classifier, 1)


def test_bitstreams_of_unknown_content_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BNNCORE_BITSTREAMS_ACCEPT")
    unused = hashlib.sha256((folder / "lfcW1A1-pynqZ1-Z2.bit").read_bytes()).hexdigest()
    with (
        bnncore.get("mnist_lfc", backend="fpga", board="pynq-z1") as classifier,
        pytest.raises(bnncore.BackendError, match=f"BNNCORE_BITSTREAMS_ACCEPT={unused}"),
    ):
        classifier.backend  # noqa: B018  # the access raises
