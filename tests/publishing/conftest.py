"""Plugin projects as outsiders have them: made by ``bnncore new``, built to wheels, installed without pip."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hatchling.builders.wheel import WheelBuilder

import bnncore
from bnncore.cli import cli


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[tuple[str, ...]]]:
    """Return a folder of projects that were made already, and with which arguments: most tests want the same."""
    return tmp_path_factory.mktemp("made"), set()


@pytest.fixture
def new(tmp_path: Path, made: tuple[Path, set[tuple[str, ...]]]) -> Callable[..., Path]:
    """Return a function that runs ``bnncore new`` and returns the project's folder."""
    store, known = made

    def make(name: str, *options: str) -> Path:
        target = tmp_path / "projects" / name
        folder = store / "-".join((name, *options)).replace("/", "_")
        if (name, *options) not in known:
            run(name, folder, options)
            known.add((name, *options))
        shutil.copytree(folder, target)
        return target

    def run(name: str, folder: Path, options: tuple[str, ...]) -> None:
        result = CliRunner().invoke(cli, ["new", name, "--out", str(folder), *options])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output

    return make


@pytest.fixture
def install_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Path]]:
    """Return a function that builds a project's wheel and unpacks it where this and other processes look."""
    before = set(sys.modules)

    def put(project: Path) -> Path:
        wheel = next(iter(WheelBuilder(str(project)).build(directory=str(project / "dist"))))
        site = tmp_path / "sites" / project.name
        shutil.rmtree(site, ignore_errors=True)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        monkeypatch.syspath_prepend(str(site))
        places = [str(site), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, places)))
        bnncore.registry.refresh()
        return site

    yield put
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
    bnncore.registry.refresh()


@pytest.fixture
def net(new: Callable[..., Path], install_wheel: Callable[[Path], Path]) -> Path:
    """Install a topology plugin with a small network, ``tinynet``, and return its project."""
    project = new("tinynet", "--kind", "topology")
    source = project / "bnn_tinynet" / "__init__.py"
    text = source.read_text()
    start, end = text.index("    input="), text.index("    weight_bits=")
    layers = "(Conv(outputs=8), Pool(), Dense(outputs=12), Dense(outputs=5))"
    text = f"{text[:start]}    input=Input(height=8, width=9, channels=3),\n    layers={layers},\n{text[end:]}"
    source.write_text(text)
    install_wheel(project)
    return project


@pytest.fixture
def shapes(new: Callable[..., Path], net: Path) -> Path:
    """Return the project of a dataset on ``tinynet``, not installed."""
    return new("shapes", "--topology", "tinynet", "--classes", "round,square,long")
