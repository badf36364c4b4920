"""The table of kinds: in step with the contract, and all that it takes to offer something new."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import get_args, get_type_hints

import attrs
import pytest

import bnncore
from bnncore import PluginError, hookspecs
from bnncore.conformance import CheckError, Subject
from bnncore.conformance.hook_checks import (
    check_foreign_names,
    check_results,
    check_signatures,
    check_stable_results,
)
from bnncore.conformance.metadata_checks import check_conflicts, check_names
from bnncore.diagnosis.explain import explain
from bnncore.discovery import kinds
from bnncore.discovery.kinds import Kind, hook_names
from bnncore.discovery.source import read_plugin
from bnncore.publishing import templates
from bnncore.publishing.scaffold import NewProject, write_project


def test_each_hook_of_the_contract_has_one_row_with_its_arguments_and_its_record():
    hooks = {name for name in vars(hookspecs.Hooks) if name.startswith("bnncore_")}
    assert sorted(kind.hook for kind in kinds.kinds()) == sorted(hooks)
    for kind in kinds.kinds():
        hook = getattr(hookspecs.Hooks, kind.hook)
        assert tuple(inspect.signature(hook).parameters)[1:] == kind.parts
        assert get_args(get_type_hints(hook, vars(hookspecs))["return"]) == (kind.record, type(None))
        assert set(kind.spelt) <= set(kind.parts)


def test_each_kind_that_is_offered_has_templates():
    folder = Path(templates.__file__).parent
    found = {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "_"}
    assert found == {"common", *(kind.word for kind in kinds.offered_kinds())}


# -- a seventh kind ----------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Calibration:
    """What a seventh hook returns."""

    dataset: str
    topology: str
    temperature: float


class MoreHooks(hookspecs.Hooks):
    """The contract with a seventh hook."""

    @hookspecs._hookspec(firstresult=True)
    def bnncore_calibration(self, dataset, topology):
        """Return how sure the scores of a network are."""


CALIBRATION = Kind(
    word="calibration",
    group="bnncore.calibrations",
    hook="bnncore_calibration",
    record=Calibration,
    parts=("dataset", "topology"),
    spelt=("topology",),
)

PLUGIN = """
from bnncore import hookimpl
from discovery_test_kinds import Calibration

BNNCORE_API = 1

@hookimpl
def bnncore_calibration(dataset, topology):
    if (dataset, topology) == ("shapes", "first"):
        return Calibration(dataset=dataset, topology=topology, temperature=2.0)
"""


@pytest.fixture
def seventh(monkeypatch):
    """Build the table with one more row, and nothing else."""
    import sys

    monkeypatch.setattr(kinds, "_TABLE", (*kinds._TABLE, CALIBRATION))
    monkeypatch.setattr(hookspecs, "Hooks", MoreHooks)
    monkeypatch.setitem(sys.modules, "discovery_test_kinds", sys.modules[__name__])
    bnncore.registry.refresh()
    yield
    monkeypatch.undo()
    bnncore.registry.refresh()


@pytest.fixture
def offered(seventh, offer, first, install):
    """Install a dataset, and a distribution that offers something of the seventh kind for it."""

    def put(source=PLUGIN, entry="shapes.first"):
        offer("bnn-shapes", [first], seed=0, dataset=True)
        install("bnn-sure", {"bnncore.calibrations": {entry: "bnn_sure"}}, {"bnn_sure.py": source})

    return put


def test_the_index_lists_it_and_names_a_malformed_name(offered):
    offered()
    (claim,) = bnncore.registry.index.of(CALIBRATION)
    assert claim.parts == {"dataset": "shapes", "topology": "first"}
    assert claim.owner == "bnn-sure 1.0"


def test_a_malformed_name_is_a_fault(offered):
    offered(entry="shapes")
    assert "'shapes' in bnncore.calibrations must be <dataset>.<topology>" in str(bnncore.registry.faults)


def test_the_registry_describes_it(offered):
    offered()
    claim = bnncore.registry.owner(CALIBRATION, "Shapes.First")
    assert bnncore.registry.describe(claim).temperature == 2.0
    assert "bnncore_calibration" in hook_names()
    assert read_plugin(claim).hooks == ("bnncore_calibration",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("return Calibration(", "return dict("), "returned dict, expected Calibration or None"),
        (("dataset=dataset", "dataset='pets'"), "returned that of dataset 'pets'"),
        (("== (", "!= ("), "returned None for it"),
    ],
)
def test_the_registry_refuses_what_is_not_it(offered, change, said):
    offered(PLUGIN.replace(*change))
    with pytest.raises(PluginError, match=said):
        bnncore.registry.describe(bnncore.registry.owner(CALIBRATION, "shapes.first"))


def test_the_checks_take_it(offered):
    offered()
    subject = Subject("bnn-sure")
    assert check_names(subject).text == "offers shapes.first"
    assert check_signatures(subject).text == "bnncore_calibration"
    assert check_results(subject).text == "calibration shapes.first"
    assert "1 questions" in check_stable_results(subject).text
    assert "None for 3 foreign names" in check_foreign_names(subject).text
    check_conflicts(subject)


def test_the_checks_find_what_is_wrong_with_it(offered):
    offered(PLUGIN.replace("(dataset, topology) == ", "dataset == 'shapes' or (dataset, topology) == "))
    with pytest.raises(CheckError, match="expected None for a name that is not its own"):
        check_foreign_names(Subject("bnn-sure"))


def test_explain_shows_it(offered):
    offered()
    choices = explain(bnncore.registry, bnncore.get("shapes"))
    (found,) = [each for each in choices if each.part == "calibration"]
    assert (found.what, found.owner, found.chosen) == ("shapes.first", "bnn-sure 1.0", True)


def test_a_new_project_offers_it(offered, tmp_path, monkeypatch):
    offered()
    folder = tmp_path / "templates"
    shutil.copytree(Path(templates.__file__).parent, folder)
    (folder / "calibration" / "package").mkdir(parents=True)
    text = "$hook is for $dataset on $topology\n"
    (folder / "calibration" / "package" / "__init__.py.template").write_text(text)
    monkeypatch.setattr(templates, "__file__", str(folder / "__init__.py"))
    project = NewProject(
        name="sure", kind="calibration", title="Sure", author="me", dataset="Shapes", topology="FIRST"
    )
    package = write_project(tmp_path / "bnn-sure", project, bnncore.registry)
    assert (package / "__init__.py").read_text() == "bnncore_calibration is for shapes on first\n"
    metadata = (tmp_path / "bnn-sure" / "pyproject.toml").read_text()
    assert '[project.entry-points."bnncore.calibrations"]\n"shapes.first" = "bnn_sure"' in metadata
