"""manifest.json: what is written is read back, by ``packaged`` as well."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bnncore
from bnncore.errors import ResourceError
from bnncore.formats.manifest import manifest_bytes, parse_manifest, write_manifest
from bnncore.resources import read_resource

paths = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
entries = st.fixed_dictionaries(
    {"size": st.integers(0), "sha256": st.binary(min_size=32, max_size=32).map(bytes.hex)}
)


@given(st.dictionaries(paths, entries, max_size=4))
def test_a_manifest_is_read_back_as_it_was_written(files: dict[str, dict[str, int | str]]) -> None:
    assert parse_manifest(manifest_bytes(files), "manifest") == files


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bnn_listed"
    (folder / "second").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "Gewürz.bin").write_bytes(b"abc")
    (folder / "second" / "weights.npz").write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return folder


def test_packaged_finds_every_file_that_was_listed(package: Path) -> None:
    listed = write_manifest(package)
    assert list(listed) == ["Gewürz.bin", "second/weights.npz"]
    for path in listed:
        resource = bnncore.packaged("bnn_listed", path)
        assert read_resource(resource) == (package / path).read_bytes()


def test_a_file_that_cannot_be_read_is_named(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(ResourceError, match=r"Gewürz\.bin: cannot be read: Permission denied"):
        write_manifest(package)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"abcdef",
            "larger than 5 bytes, its declared size; declared by bnn_listed, so .* damaged: reinstall it",
        ),
        (b"abcd", "expected 5 bytes, found 4; reinstall bnn_listed"),
        (None, "cannot be read: No such file or directory; declared by bnn_listed, so .*: reinstall it"),
    ],
)
def test_a_file_that_is_not_as_declared_is_refused(package: Path, data: bytes | None, message: str) -> None:
    path = package / "second" / "x.bin"
    path.write_bytes(b"abcde")
    write_manifest(package)
    resource = bnncore.packaged("bnn_listed", "second/x.bin")
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(ResourceError, match=rf"x\.bin: {message}$"):
        read_resource(resource)


def test_a_manifest_that_is_not_there_is_told_with_the_way_out(package: Path) -> None:
    with pytest.raises(ResourceError, match=r"cannot be read: No such file or directory; run bnncore pack$"):
        bnncore.packaged("bnn_listed", "x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected JSON with 'files'"),
        (b"[" * 100_000, "expected JSON with 'files'"),
        (b"{}", "expected JSON with 'files': 'files'"),
        (b'{"files": []}', "expected a mapping in 'files'"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_way_out(package: Path, data: bytes, message: str) -> None:
    (package / "manifest.json").write_bytes(data)
    reads: list[Callable[[], object]] = [
        lambda: parse_manifest(data, "bnn_listed/manifest.json"),
        lambda: bnncore.packaged("bnn_listed", "x"),
    ]
    for read in reads:
        with pytest.raises(ResourceError, match=rf"manifest\.json: {message}.*; run bnncore pack$"):
            read()


def test_an_entry_that_is_wrong_harms_no_other(package: Path) -> None:
    listed = write_manifest(package)
    (package / "manifest.json").write_text(json.dumps({"files": {**listed, "x": {"size": 1}, "y": 5}}))
    assert bnncore.packaged("bnn_listed", "Gewürz.bin").size == 3
    with pytest.raises(ResourceError, match="'x': expected size and sha256"):
        bnncore.packaged("bnn_listed", "x")
    with pytest.raises(ResourceError, match="does not list 'y'"):
        bnncore.packaged("bnn_listed", "y")
