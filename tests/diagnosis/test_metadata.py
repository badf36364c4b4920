"""``doctor`` and ``plugins`` name what is wrong with metadata, and call nothing well that is not."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import bnncore
from bnncore.cli import cli
from bnncore.diagnosis.doctor import _libraries
from bnncore.diagnosis.metadata import examine_metadata
from bnncore.discovery.kinds import DATASET


@pytest.fixture
def found():
    """Return a function that gives state and text of what is found now."""

    def look() -> list[tuple[str, str]]:
        bnncore.registry.refresh()
        return [(finding.state, finding.text) for finding in examine_metadata(bnncore.registry.index)]

    return look


def test_a_strangers_fault_is_a_note_with_folder_and_reason(install, found):
    site = install("foo", {})
    (site / "foo-1.0.dist-info" / "entry_points.txt").write_bytes(b"# J\xf6rg\n")
    ((state, text),) = found()
    assert state == "note"
    assert text == (
        f"{site}/foo-1.0.dist-info/entry_points.txt: byte 3 is not UTF-8; reinstall foo, or leave it: "
        "it offers nothing to bnncore"
    )


@pytest.mark.parametrize(
    "folder", ["bnn_pets-0.0.9.dist-info", "~nn_pets-1.0.dist-info", "bnn_other-1.dist-info"]
)
def test_what_touches_plugins_is_a_problem(install, found, folder):
    site = install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    place = site / folder
    place.mkdir()
    if folder.startswith("~"):
        (place / "METADATA").write_text("Name: bnn-pets\nVersion: 1.0\n")
    ((state, text),) = found()
    assert state == "problem"
    assert str(place) in text
    assert "BNNCORE_DISABLE" not in text
    assert "None" not in text


def test_plugins_shows_them_all(install):
    site = install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    (site / "bnn_pets-0.9.dist-info").mkdir()
    (site / "foo-2.dist-info").mkdir()
    bnncore.registry.refresh()
    shown = CliRunner().invoke(cli, ["plugins"]).output
    assert f"metadata: {site}/bnn_pets-0.9.dist-info: left over" in shown
    assert f"metadata: {site}/foo-2.dist-info: METADATA is missing" in shown
    faults = json.loads(CliRunner().invoke(cli, ["plugins", "--json"]).output)["faults"]
    assert len(faults) == 2


def test_a_library_whose_metadata_are_broken_has_no_version_none(install):
    site = install("numpy", {}, version="0.0")
    (site / "numpy-0.0.dist-info" / "METADATA").write_text("")
    texts = {finding.subject: finding.text for finding in _libraries()}
    assert "None" not in texts.values()
    assert texts["numpy"] != "0.0"
