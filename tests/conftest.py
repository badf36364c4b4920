"""Fixtures that several tests share."""

from __future__ import annotations

import sys
import tarfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from variables import TEST_DATA

import bnncore
from bnncore.discovery.registry import Registry


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return what ``BNNCORE_TEST_DATA`` names: a checkout of BNN-PYNQ, or the folder of all reference data."""
    place = TEST_DATA.value
    if not place or not Path(place).is_dir():
        pytest.skip(f"{TEST_DATA} does not name the folder of reference data")
    return Path(place)


@pytest.fixture(scope="session")
def test_data(data_folder: Path) -> Path:
    """Return the folder of all reference data; skip where there is but a checkout of BNN-PYNQ."""
    if not (data_folder / "bnn-pynq" / "oracle").is_dir():
        pytest.skip(f"{TEST_DATA} names a folder without recorded outputs (bnn-pynq/oracle)")
    return data_folder


@pytest.fixture(scope="session")
def binparams(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with BNN-PYNQ's parameter sets as ``<dataset>/<network>``; tests only read it."""
    checkout = data_folder / "bnn" / "params"
    if checkout.is_dir():
        return checkout
    archives = sorted((data_folder / "bnn-pynq" / "params").glob("*.tar.xz"))
    if not archives:
        pytest.skip(f"{TEST_DATA} names a folder without parameter sets of BNN-PYNQ (bnn/params)")
    target = tmp_path_factory.mktemp("binparams")
    for archive in archives:
        with tarfile.open(archive) as file:
            # Distributions' older releases of Python 3.10 and 3.11 have no filters.
            safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            file.extractall(target, **safely)
    return target


@pytest.fixture(scope="session")
def original_picture(data_folder: Path) -> Callable[[str], Path]:
    """Return a function from the name of a test picture of BNN-PYNQ to its path."""
    # A checkout had them in one of two places in the course of its history.
    folders = [data_folder / place for place in ("bnn-pynq/images", "tests/Test_image", "bnn/Test_image")]

    def find(name: str) -> Path:
        for folder in folders:
            if (folder / name).is_file():
                return folder / name
        pytest.skip(f"{TEST_DATA} names a folder without BNN-PYNQ's test picture {name}")

    return find


@pytest.fixture
def registry() -> Registry:
    """Return a registry that has seen nothing yet."""
    return Registry()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return a function that puts a distribution on ``sys.path``, as pip would leave it, without pip.

    ``install("bnn-x", {"bnncore.datasets": {"x": "bnn_x"}}, {"bnn_x/__init__.py": "…"}, version="1.0")``
    writes a ``.dist-info`` folder and the files, and returns the folder that holds them.
    """
    before = set(sys.modules)

    def put(
        distribution: str,
        entry_points: dict[str, dict[str, str]],
        files: dict[str, str | bytes] | None = None,
        version: str = "1.0",
    ) -> Path:
        site = tmp_path / f"site-{distribution}-{version}"
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = []
        for group, entries in entry_points.items():
            lines.append(f"[{group}]")
            lines += [f"{name} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for path, content in (files or {}).items():
            place = site / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                place.write_bytes(content)
            else:
                place.write_text(textwrap.dedent(content))
        monkeypatch.syspath_prepend(str(site))
        bnncore.registry.refresh()
        return site

    yield put
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and str(tmp_path) in file:
            del sys.modules[name]
    bnncore.registry.refresh()
