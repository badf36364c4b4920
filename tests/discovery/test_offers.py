"""Choosing parameters: several topologies of a dataset, several distributions for one dataset."""

from __future__ import annotations

import attrs
import pytest

import bnncore
from bnncore import AmbiguousError, ParameterError


def weights(classifier):
    return classifier.job.parameters_id


def test_installing_further_parameters_changes_no_answer(offer, first):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    before = weights(bnncore.get("shapes"))
    offer("bnn-aaa", [first], seed=1)
    assert weights(bnncore.get("shapes")) == before
    assert weights(bnncore.get("shapes", distribution="bnn-shapes")) == before


def test_source_takes_the_parameters_of_another_distribution(offer, first):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [first], seed=1)
    own, other = bnncore.get("shapes"), bnncore.get("shapes", distribution="BNN_better")
    assert weights(own) != weights(other)
    assert other.selftest().vectors == 16
    assert other.classes == own.classes


def test_a_topology_may_come_from_one_other_distribution(offer, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [second], seed=1)
    assert bnncore.get("shapes").topology.name == "first"
    assert bnncore.get("shapes", topology="Second").topology.name == "second"
    assert bnncore.get("shapes", distribution="bnn-better").topology.name == "second"


def test_two_others_are_an_error_that_names_both(offer, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [second], seed=1)
    offer("bnn-best", [second], seed=2)
    with pytest.raises(
        AmbiguousError, match=r"bnn-best 1\.0 and bnn-better 1\.0; choose one with distribution="
    ):
        bnncore.get("shapes", topology="second")
    bnncore.get("shapes", topology="second", distribution="bnn-best").selftest()


def test_a_source_with_several_topologies_asks_which(offer, first, second):
    third = attrs.evolve(second, name="third")
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [second, third], seed=1)
    with pytest.raises(AmbiguousError, match="choose one with topology=, from second, third"):
        bnncore.get("shapes", distribution="bnn-better")


def test_a_source_that_offers_nothing_names_those_that_do(offer, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [second], seed=1)
    with pytest.raises(AmbiguousError, match="installed: first from bnn-shapes; second from bnn-better"):
        bnncore.get("shapes", distribution="bnn-none")
    with pytest.raises(AmbiguousError, match="not offered on topology 'first' of 'bnn-better'"):
        bnncore.get("shapes", topology="first", distribution="bnn-better")


def test_a_blocked_source_is_not_offered(offer, monkeypatch, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [second], seed=1)
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-better")
    bnncore.registry.refresh()
    with pytest.raises(AmbiguousError, match="not offered on topology 'second'; choose from first"):
        bnncore.get("shapes", topology="second")


def test_parameters_for_other_classes_are_refused(offer, first):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [first], seed=1, classes="long\nround\n")
    classifier = bnncore.get("shapes", distribution="bnn-better")
    with pytest.raises(ParameterError, match="trained for the classes long, round"):
        classifier.selftest()


def test_pictures_are_prepared_as_the_chosen_parameters_want_it(offer, first):
    offer("bnn-shapes", [first], seed=0, dataset=True, operation="letterbox")
    offer("bnn-better", [first], seed=1, operation="stretch")
    own, other = bnncore.get("shapes"), bnncore.get("shapes", distribution="bnn-better")
    assert (own.preprocessing.describe(), other.preprocessing.describe()) == ("letterbox", "stretch")


def test_a_source_installed_meanwhile_is_seen(offer, first):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    bnncore.names()
    index = bnncore.registry.index
    offer("bnn-better", [first], seed=1)
    bnncore.registry._index = index
    assert bnncore.get("shapes", distribution="bnn-better").name == "shapes"
