"""What ``bnncore new`` writes passes its own checks as it is."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hatchling.builders.wheel import WheelBuilder
from metadata import bounds
from PIL import Image

import bnncore
from bnncore import InputError, UnknownNameError
from bnncore.cli import cli
from bnncore.conformance import CHECKS, check_distribution
from bnncore.datasets.labelled import DatasetError
from bnncore.formats.card import parse_card

pytestmark = pytest.mark.slow

KINDS = {
    "dataset": ("flowers", "--classes", "rose,tulip", "--topology", "tinynet"),
    "topology": ("wide", "--kind", "topology"),
    "bitstream": ("card", "--kind", "bitstream", "--topology", "tinynet", "--board", "My_Board"),
    "backend": ("engine", "--kind", "backend"),
}


def outcomes(distribution):
    return {each.subject: each for each in check_distribution(distribution)}


def problems(distribution):
    return {check: each.text for check, each in outcomes(distribution).items() if each.state == "problem"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_project_passes_every_check(kind, net, new, install_wheel):
    name, *options = KINDS[kind]
    install_wheel(new(name, *options))
    assert problems(f"bnn-{name}") == {}


def test_a_backends_name_may_have_a_dash(net, new, install_wheel):
    install_wheel(new("demo-engine", "--kind", "backend"))
    assert problems("bnn-demo-engine") == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_project_passes_its_own_tests(kind, net, new, install_wheel):
    name, *options = KINDS[kind]
    project = new(name, *options)
    install_wheel(project)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_parameters_for_somebody_elses_dataset(net, new, install_wheel, shapes):
    install_wheel(shapes)
    install_wheel(new("better", "--kind", "parameters", "--dataset", "shapes", "--topology", "tinynet"))
    assert problems("bnn-better") == {}
    with bnncore.get("shapes", distribution="bnn-better") as classifier:
        assert classifier.classes == ("round", "square", "long")
        classifier.selftest()


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, *options in KINDS.values()],
    ids=list(KINDS),
)
def test_a_new_project_is_complete_and_tidy(name, options, net, new):
    project = new(name, *options)
    files = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    expected = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml"}
    assert expected <= files
    assert f"bnn_{name}/__init__.py" in files
    assert "tests/test_contract.py" in files
    texts = [path.read_text() for path in project.rglob("*") if path.suffix in (".py", ".toml", ".md", ".yml")]
    assert not [text for text in texts if "$distribution" in text or "$name" in text or "$package" in text]
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,UP", "--line-length", "120", "."],
        cwd=project, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def test_classes_come_from_a_folder_of_pictures(tmp_path, net, new, install_wheel):
    for label, count in (("tulip", 2), ("rose", 1)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (10, 10)).save(tmp_path / "pictures" / label / f"{number}.png")
    (tmp_path / "pictures" / "empty").mkdir()
    project = new("flowers", "--images", str(tmp_path / "pictures"), "--topology", "tinynet")
    assert (project / "bnn_flowers" / "classes.txt").read_text() == "rose\ntulip\n"
    card = parse_card((project / "bnn_flowers" / "card.json").read_bytes(), "card")
    assert card.source == "3 pictures in 2 folders of pictures"


def test_classes_come_from_a_table_of_pictures(tmp_path, net, new):
    (tmp_path / "signs.csv").write_text("path,label\n1.png,stop\n2.png,parking\n3.png,stop\n")
    for number in (1, 2, 3):
        Image.new("RGB", (10, 10)).save(tmp_path / f"{number}.png")
    project = new("signs", "--images", str(tmp_path / "signs.csv"), "--topology", "tinynet")
    assert (project / "bnn_signs" / "classes.txt").read_text() == "parking\nstop\n"
    card = parse_card((project / "bnn_signs" / "card.json").read_bytes(), "card")
    assert card.source == "3 pictures of 2 classes in signs.csv"


def test_dependencies_have_both_bounds_also_on_the_network_used(shapes):
    text = (shapes / "pyproject.toml").read_text()
    assert f'dependencies = ["bnncore{bounds(bnncore.__version__)}", "bnn-tinynet>=0.1,<0.2"]' in text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["a/b", "--classes", "x"], UnknownNameError, "is not a name"),
        (["a.b", "--classes", "x"], UnknownNameError, "letters, digits"),
        (["pets", "--classes", "x", "--topology", "nothing"], UnknownNameError, "topology 'nothing'"),
        (["pets", "--images", "/no/such/folder"], DatasetError, "one folder of pictures a class"),
        (["pets", "--classes", "x", "--title", 'say "cheese"'], InputError, "without quotes"),
        (["pets", "--kind", "parameters", "--dataset", "nothing"], UnknownNameError, "dataset 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(arguments, error, message, tmp_path):
    result = CliRunner().invoke(cli, ["new", *arguments, "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["pets"], ["pets", "--kind", "parameters"]])
def test_missing_options_are_wrong_usage(arguments, tmp_path):
    result = CliRunner().invoke(cli, ["new", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2


def test_a_folder_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("precious")
    result = CliRunner().invoke(cli, ["new", "pets", "--classes", "x", "--out", str(tmp_path)])
    assert "is there already" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_check_reports_json_and_notes_fail_only_when_strict(shapes, install_wheel):
    install_wheel(shapes)
    run = CliRunner()
    result = run.invoke(cli, ["check", "bnn-shapes", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert report["passed"]
    assert all(list(each) == ["check", "state", "text"] for each in report["outcomes"])
    names = [check.__name__.partition("_")[2] for check in CHECKS]
    assert [each["check"] for each in report["outcomes"]] == names
    assert run.invoke(cli, ["check", "bnn-shapes", "--strict"]).exit_code == 1


def test_what_is_not_installed_or_no_plugin_is_said():
    run = CliRunner()
    assert "installed plugins: " in str(run.invoke(cli, ["check", "bnn-nothing"]).exception)
    assert "offers nothing to bnncore" in str(run.invoke(cli, ["check", "numpy"]).exception)


def test_the_wheel_of_bnncore_has_every_template(tmp_path):
    root = Path(bnncore.__file__).parent
    wheel = next(iter(WheelBuilder(str(root.parent)).build(directory=str(tmp_path))))
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".template")}
    assert packed == {path.relative_to(root.parent).as_posix() for path in root.rglob("*.template")}
    assert len(packed) > 15
