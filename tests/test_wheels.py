"""The wheels: built from their sdists, installed in an empty environment, they classify."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

import bnncore

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = {
    "bnncore_hw": "hw",
    "bnncore": ".",
    "bnn_cifar10": "plugins/cifar10",
    "bnn_cucumber9": "plugins/cucumber9",
    "bnn_mnist_lfc": "plugins/mnist_lfc",
}
# Each dataset's picture in examples/, and what it shows.
DATASETS = {
    "cifar10": ("ship.png", "ship"),
    "cucumber9": ("cucumber.png", "M"),
    "mnist_lfc": ("digit.png", "7"),
}


def run(*command: str | Path, **options: Any) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build every distribution the way an index gets it: checkout to sdist, sdist to wheel."""
    target = tmp_path_factory.mktemp("dist")
    for project in PROJECTS.values():
        run(sys.executable, "-m", "build", "--installer", "uv", "--outdir", target, ROOT / project)
    built = {path.name.split("-")[0]: path for path in target.glob("*.whl")}
    assert set(built) == set(PROJECTS)
    return built


@pytest.fixture(scope="module")
def clean(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment that holds the wheels and their dependencies."""
    place = tmp_path_factory.mktemp("clean") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", place)
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        place / "bin" / "python",
        *wheels.values(),
    )
    return place / "bin"


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return options for a process that sees nothing of the checkout."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BNNCORE", "PYTHON"))}
    return {"cwd": tmp_path_factory.mktemp("outside"), "env": environment}


@pytest.mark.parametrize("name", PROJECTS)
def test_a_wheel_is_typed_and_licensed(wheels, name):
    files = zipfile.ZipFile(wheels[name]).namelist()
    package = "bnnhw" if name == "bnncore_hw" else name
    assert f"{package}/py.typed" in files
    assert any(file.endswith("LICENSE") for file in files)
    assert not [file for file in files if not file.startswith((f"{package}/", f"{name}-", "bnnhw."))]


@pytest.mark.parametrize("name", PROJECTS)
def test_a_wheel_says_whose_it_is_and_which(wheels, name):
    archive = zipfile.ZipFile(wheels[name])
    (path,) = [file for file in archive.namelist() if file.endswith(".dist-info/METADATA")]
    about = message_from_bytes(archive.read(path))
    assert about["Name"].replace("-", "_") == name
    assert about["Version"] == bnncore.__version__
    assert about["Author"] == "bnncore contributors"


@pytest.mark.parametrize("name", ["bnn_cifar10", "bnn_cucumber9", "bnn_mnist_lfc"])
def test_a_plugins_wheel_holds_every_file_of_its_manifest(wheels, name):
    archive = zipfile.ZipFile(wheels[name])
    manifest = json.loads(archive.read(f"{name}/manifest.json"))
    assert {"weights.npz", "classes.txt", "card.json", "golden.npz"} <= set(manifest["files"])
    for file, expected in manifest["files"].items():
        assert archive.getinfo(f"{name}/{file}").file_size == expected["size"]


def test_the_wheels_classify_in_a_clean_environment(clean, outside):
    for dataset, (image, label) in DATASETS.items():
        out = run(clean / "bnncore", "classify", dataset, ROOT / "examples" / image, "--json", **outside)
        (answer,) = json.loads(out)
        assert answer["label"] == label
        assert answer["backend"] in ("cpu", "numpy")


def test_the_notebooks_come_out_of_the_wheel(clean, outside):
    listed = run(clean / "bnncore", "notebooks", "copied", **outside).split()
    assert [Path(path).name for path in listed] == sorted(
        path.name for path in (ROOT / "notebooks").glob("*.ipynb")
    )
    for path in (ROOT / "notebooks").glob("*/*.png"):
        copied = Path(str(outside["cwd"]), "copied", path.relative_to(ROOT / "notebooks"))
        assert copied.read_bytes() == path.read_bytes()


def test_the_wheels_are_healthy(clean, outside):
    report = json.loads(run(clean / "bnncore", "doctor", "--json", **outside))
    assert report["healthy"]
    tested = {finding["subject"] for finding in report["findings"] if "golden vectors agree" in finding["text"]}
    assert tested == {f"dataset {name}" for name in DATASETS}


def test_nothing_of_the_checkout_is_used(clean, outside):
    script = "import bnncore, bnnhw; print(bnncore.__file__, bnnhw.__file__)"
    assert str(ROOT) not in run(clean / "python", "-c", script, **outside)


def test_uninstalling_a_plugin_takes_its_name_away(clean, outside):
    run(
        sys.executable, "-m", "uv", "pip", "uninstall", "--quiet", "--python", clean / "python", "bnn-mnist-lfc"
    )
    names = run(clean / "python", "-c", "import bnncore; print(*bnncore.names())", **outside).split()
    assert names == ["cifar10", "cucumber9"]
