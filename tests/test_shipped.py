"""The three plugins of this repository: complete, exact, and their figures can be recomputed."""

from __future__ import annotations

import pytest

import bnncore
from bnncore.backends import choose

SHIPPED = ("cifar10", "cucumber9", "mnist_lfc")
CUCUMBER_GRADES = ("2L", "L", "M", "S", "2S", "BL", "BM", "BS", "C")


def networks():
    return [(name, topology) for name in SHIPPED for topology in bnncore.registry.dataset(name).topologies]


def test_all_are_installed():
    assert set(SHIPPED) <= set(bnncore.names())


@pytest.mark.parametrize(("name", "topology"), networks())
def test_golden_vectors_agree_on_every_backend_that_runs_here(name, topology):
    classifier = bnncore.get(name, topology=topology)

    usable = [each.backend.name for each in choose(bnncore.registry, classifier.job) if not each.obstacle]
    assert "numpy" in usable
    for backend in usable:
        with bnncore.get(name, backend, topology=topology) as each:
            assert each.selftest().vectors >= 4


@pytest.mark.parametrize(("name", "topology"), networks())
def test_the_cards_figures_can_be_recomputed(name, topology):
    classifier = bnncore.get(name, topology=topology)
    parameters = classifier.resolution.parameters
    assert dict(classifier.card.networks[topology]) == {
        "parameters": classifier.topology.weights,
        "operations": classifier.topology.operations,
        "file_bytes": parameters.resource.size,
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_licences_source_and_how_figures_were_measured(name):
    card = bnncore.get(name).card
    assert card.licenses["weights"] == "BSD-3-Clause"
    assert card.licenses["data"]
    assert card.source
    assert card.recipe
    assert card.metrics
    for metric in card.metrics:
        assert metric.samples > 0
        assert metric.method


def test_the_classes_of_cucumber9_are_in_the_order_of_its_data():
    assert bnncore.get("cucumber9").classes == CUCUMBER_GRADES
