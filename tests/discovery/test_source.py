"""Listing plugins runs no plugin code; blocking works before import."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

import bnncore
from bnncore import BlockedError
from bnncore.cli import cli
from bnncore.discovery.index import Index
from bnncore.discovery.kinds import DATASET, PARAMETERS, TOPOLOGY
from bnncore.discovery.source import read_plugin
from bnncore.hookspecs import API_LEVEL

# Leaves a mark where it can be seen, then fails.
POISON = """
import sys
sys.bnncore_test_poison = True
raise SystemExit("a plugin was imported")

def bnncore_parameters(dataset, topology): ...
def bnncore_dataset(name): ...
def something_else(): ...
"""


@pytest.fixture
def poison(install, monkeypatch):
    monkeypatch.delattr(sys, "bnncore_test_poison", raising=False)
    install("bnn-poison", {DATASET.group: {"poison": "bnn_poison.deep.plugin"}}, {
        "bnn_poison/__init__.py": POISON,
        "bnn_poison/deep/__init__.py": POISON,
        "bnn_poison/deep/plugin.py": POISON,
    })  # fmt: skip
    yield
    monkeypatch.delattr(sys, "bnncore_test_poison", raising=False)


def was_run():
    return hasattr(sys, "bnncore_test_poison")


def claim(name, kind=DATASET):
    (found,) = Index.scan().of(kind, name)
    return found


@pytest.mark.parametrize("command", [["list"], ["list", "--topologies"], ["plugins"], ["plugins", "--json"]])
def test_listing_runs_no_plugin_code(poison, command):
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert not was_run()


def test_names_and_hooks_are_read_without_running_plugin_code(poison):
    assert "poison" in bnncore.names()
    assert read_plugin(claim("poison")).hooks == ("bnncore_dataset", "bnncore_parameters")
    assert not was_run()


def test_describing_one_plugin_runs_no_other(poison):
    bnncore.registry.topology("cnvW1A1")
    with pytest.raises(bnncore.UnknownNameError):
        bnncore.get("no_such_dataset")
    assert not was_run()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BNNCORE_DISABLE", "bnn-poison"),
        ("BNNCORE_DISABLE", "poison"),
        ("BNNCORE_DISABLE", "other, BNN_Poison"),
        ("BNNCORE_ALLOW", "bnn-cifar10,bnn-other"),
    ],
)
def test_what_is_blocked_is_never_imported(poison, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    bnncore.registry.refresh()
    assert "poison" not in bnncore.names()
    with pytest.raises(BlockedError, match=variable):
        bnncore.get("poison")
    assert not was_run()


def test_an_allowed_distribution_is_used_and_bnncore_always_is(poison, monkeypatch):
    monkeypatch.setenv("BNNCORE_ALLOW", "bnn-poison")
    bnncore.registry.refresh()
    assert bnncore.registry.topology("cnvW1A1").name == "cnvW1A1"
    with pytest.raises(bnncore.PluginError, match="a plugin was imported"):
        bnncore.get("poison")


def test_a_newer_api_level_shows_without_an_import(install):
    source = f"BNNCORE_API = {API_LEVEL + 1}\nraise SystemExit\n"
    install("bnn-new", {DATASET.group: {"newer": "bnn_new"}}, {"bnn_new.py": source})
    assert read_plugin(claim("newer")).problem == (
        f"needs API level {API_LEVEL + 1}, this bnncore has {API_LEVEL}: update bnncore"
    )


def test_a_module_that_is_not_there_shows_without_an_import(install):
    install("bnn-gone", {DATASET.group: {"gone": "bnn_gone.plugin"}})
    assert "reinstall bnn-gone" in (read_plugin(claim("gone")).problem or "")


def test_source_that_cannot_be_parsed_is_a_problem(install):
    install(
        "bnn-typo", {DATASET.group: {"typo": "bnn_typo"}}, {"bnn_typo.py": "def bnncore_dataset(name) return"}
    )
    reading = read_plugin(claim("typo"))
    assert reading.hooks == ()
    assert "bnn_typo.py" in (reading.problem or "")


def test_hooks_of_an_object_in_a_module_are_unknown(install):
    install("bnn-object", {DATASET.group: {"object": "bnn_object:plugin"}}, {"bnn_object.py": POISON})
    assert read_plugin(claim("object")).hooks is None


def test_plugins_tells_conflicts_from_choices(install):
    for distribution in ("bnn-one", "bnn-two"):
        package = distribution.replace("-", "_")
        install(
            distribution,
            {TOPOLOGY.group: {"net": package}, PARAMETERS.group: {"cifar10.net": package}},
            {f"{package}.py": "BNNCORE_API = 1\n"},
        )
    found = json.loads(CliRunner().invoke(cli, ["plugins", "--json"]).output)["plugins"]
    states = {(each["distribution"], each["group"]): each["state"] for each in found}
    assert states["bnn-one", PARAMETERS.group] == states["bnn-two", PARAMETERS.group] == "ok"
    assert "conflict" in states["bnn-one", TOPOLOGY.group]
    with pytest.raises(bnncore.ConflictError, match="bnn-one"):
        bnncore.registry.topology("net")
