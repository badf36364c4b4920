"""Names come from metadata alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bnncore.discovery.index import Index
from bnncore.discovery.kinds import DATASET, TOPOLOGY
from bnncore.discovery.names import canonical
from bnncore.errors import UnknownNameError

POISON = {"bnn_pets/__init__.py": "raise RuntimeError('a plugin was imported')"}


@pytest.mark.parametrize("given", ["mnist_lfc", "MNIST-LFC", " Mnist_Lfc "])
def test_a_name_is_compared_without_case_and_dashes(given):
    assert canonical(given) == "mnist_lfc"


@pytest.mark.parametrize("given", ["", "../cifar10", "a/b", "a b", "é", "a.b.c", None, 3])
def test_a_name_is_never_a_path_or_anything_else(given):
    with pytest.raises(UnknownNameError, match=r"bnncore\.load|expected a name"):
        canonical(given)


def test_listing_imports_no_plugin(install):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}}, POISON)
    assert "pets" in Index.scan().names(DATASET)


def test_a_claim_names_distribution_and_version(install):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}}, version="1.2.3")
    (claim,) = Index.scan().of(DATASET, "pets")
    assert claim.owner == "bnn-pets 1.2.3"


def test_a_distribution_that_is_found_twice_counts_once(install):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}}, version="1.0")
    install("bnn_pets", {DATASET.group: {"pets": "bnn_pets"}}, version="1.1")
    assert len(Index.scan().of(DATASET, "pets")) == 1


def test_two_distributions_of_one_name_are_two_claims(install):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    install("bnn-animals", {DATASET.group: {"Pets": "bnn_animals"}})
    assert [claim.distribution for claim in Index.scan().of(DATASET, "pets")] == [
        "bnn-animals",
        "bnn-pets",
    ]


def test_an_impossible_name_is_a_fault_and_harms_no_other(install):
    install("bnn-odd", {DATASET.group: {"../etc/passwd": "bnn_odd", "fine": "bnn_odd"}})
    index = Index.scan()
    assert "fine" in index.names(DATASET)
    assert any("../etc/passwd" in fault and "bnn-odd 1.0" in fault for fault in index.faults)


def test_topologies_of_bnncore_are_entry_points_like_anybodys():
    assert {"cnvw1a1", "cnvw1a2", "cnvw2a2", "lfcw1a1", "lfcw1a2"} <= set(Index.scan().names(TOPOLOGY))


@pytest.mark.parametrize("listed", ["bnn-pets", "BNN_Pets", "pets", "x, bnn-pets ,y"])
def test_disable_blocks_a_distribution_or_a_name(install, monkeypatch, listed):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}}, POISON)
    monkeypatch.setenv("BNNCORE_DISABLE", listed)
    index = Index.scan()
    assert "pets" not in index.names(DATASET)
    assert "BNNCORE_DISABLE" in (index.of(DATASET, "pets")[0].blocked or "")


def test_allow_leaves_only_what_it_lists_and_bnncore(install, monkeypatch):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    install("bnn-cars", {DATASET.group: {"cars": "bnn_cars"}})
    monkeypatch.setenv("BNNCORE_ALLOW", "bnn-cars")
    index = Index.scan()
    assert index.names(DATASET) == ("cars",)
    assert "cnvw1a1" in index.names(TOPOLOGY)


def test_importing_and_describing_import_nothing_heavy():
    script = """
import sys
import bnncore
heavy = ("numpy", "PIL", "cffi", "pynq", "torch")
assert not [name for name in heavy if name in sys.modules], "import bnncore"
names = bnncore.names()
assert not [name for name in sys.modules if name.startswith("bnn_")], "names() imported a plugin"
for name in names:
    clf = bnncore.get(name)
    clf.topology, repr(clf), clf.card, clf.classes
assert not [name for name in heavy if name in sys.modules], "get, card and classes"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_first_answer_imports_nothing_that_it_does_not_need():
    script = """
import sys
import bnncore
import numpy
clf = bnncore.get("mnist_lfc")
clf.classify(numpy.zeros((28, 28), numpy.uint8))
unneeded = ("http.client", "ssl", "multiprocessing", "PIL.PngImagePlugin", "PIL.ImageOps")
assert [name for name in unneeded if name in sys.modules] == []
"""
    subprocess.run([sys.executable, "-c", script], check=True)
