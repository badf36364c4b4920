"""The block list means what its writer meant, however it is spelt, for every kind of offer."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bnncore
from bnncore import AmbiguousError, BlockedError
from bnncore.diagnosis.metadata import examine_lists
from bnncore.discovery.blocklist import blocks, same_distribution
from bnncore.discovery.index import Index
from bnncore.discovery.kinds import BITSTREAM, TOPOLOGY, offered_kinds

RUNS = st.text("-_.", min_size=1, max_size=3)
WORDS = st.lists(st.text("abcxyzABC019", min_size=1, max_size=4), min_size=1, max_size=4)


@st.composite
def two_spellings(draw):
    """Return one name in two spellings that PEP 503 holds for the same."""
    words = draw(WORDS)

    def spell():
        text = words[0]
        for word in words[1:]:
            text += draw(RUNS) + word
        return "".join(each.upper() if draw(st.booleans()) else each.lower() for each in text)

    return spell(), spell()


@given(two_spellings())
@example(("bnn--evil", "Bnn.Evil"))
@example(("bnn_evil", "bnn-._-evil"))
def test_every_spelling_of_a_distribution_is_that_distribution(spellings):
    one, other = spellings
    assert same_distribution(one, other)
    with patch.dict(os.environ, {"BNNCORE_DISABLE": f"x, {one} ,y", "BNNCORE_ALLOW": ""}):
        assert blocks(other, "pets")
        assert blocks("bnn-other", other)
    with patch.dict(os.environ, {"BNNCORE_DISABLE": "", "BNNCORE_ALLOW": one}):
        assert blocks(other, "pets") is None
        assert blocks("bnn-" + other, "pets")


@pytest.mark.parametrize("kind", offered_kinds(), ids=lambda kind: kind.word)
@pytest.mark.parametrize(
    "spell", [str, str.upper, lambda name: name.replace("-", "_"), lambda name: name.replace("-", "--")]
)
def test_an_offer_of_every_kind_is_blocked_by_its_name(install, monkeypatch, kind, spell):
    name = ".".join(f"my-{part}" for part in kind.parts)
    install("bnn-evil", {kind.group: {name: "bnn_evil"}})
    monkeypatch.setenv("BNNCORE_DISABLE", spell(name))
    index = Index.scan()
    (claim,) = (each for each in index.claims if each.distribution == "bnn-evil")
    assert claim.blocked
    assert claim.name not in index.names(kind)
    with pytest.raises(BlockedError, match="BNNCORE_DISABLE"):
        index.owner(kind, name)


@pytest.mark.parametrize("listed", [",", " ", " , ,"])
def test_an_allow_list_that_names_nothing_allows_nothing(install, monkeypatch, listed):
    install("bnn-pets", {"bnncore.datasets": {"pets": "bnn_pets"}})
    monkeypatch.setenv("BNNCORE_ALLOW", listed)
    index = Index.scan()
    assert {claim.distribution for claim in index.claims if not claim.blocked} == {"bnncore"}
    assert index.names(TOPOLOGY)
    assert index.names(BITSTREAM)
    monkeypatch.setenv("BNNCORE_ALLOW", "")
    assert "pets" in index.names(offered_kinds()[0])


def test_a_datasets_own_parameters_are_blocked_by_the_name_that_anothers_would_have(
    offer, monkeypatch, first, second
):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    monkeypatch.setenv("BNNCORE_DISABLE", "Shapes.First")
    with pytest.raises(
        BlockedError, match=r"'first' are blocked: 'shapes\.first' is listed in BNNCORE_DISABLE$"
    ):
        bnncore.get("shapes")
    offer("bnn-better", [second], seed=1)
    with pytest.raises(BlockedError, match=r"BNNCORE_DISABLE; choose another with topology=, from second"):
        bnncore.get("shapes")
    with pytest.raises(BlockedError):
        bnncore.get("shapes", topology="first", distribution="bnn-shapes")
    assert bnncore.get("shapes", topology="second").topology.name == "second"
    monkeypatch.setenv("BNNCORE_DISABLE", "shapes.first,shapes.second")
    with pytest.raises(BlockedError):
        bnncore.get("shapes")
    with pytest.raises(AmbiguousError, match=r"installed: first is blocked \('shapes.first' is listed"):
        bnncore.get("shapes", distribution="bnn-other")


def test_parameters_of_others_are_blocked_by_name(offer, monkeypatch, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [second], seed=1)
    monkeypatch.setenv("BNNCORE_DISABLE", "shapes.SECOND")
    assert bnncore.get("shapes").topology.name == "first"
    with pytest.raises(AmbiguousError, match="choose from first"):
        bnncore.get("shapes", topology="second")


def test_words_that_match_nothing_are_noted(offer, monkeypatch, first):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-shape,shapes.first,cnvW1A1.pynq-z1,bnn-shapes==1.0")
    monkeypatch.setenv("BNNCORE_ALLOW", "shapes;qq,BNN--shapes")
    found = [(finding.state, finding.subject, finding.text) for finding in examine_lists(bnncore.registry)]
    assert [(state, subject) for state, subject, _ in found] == [
        ("note", "BNNCORE_DISABLE"),
        ("note", "BNNCORE_DISABLE"),
        ("note", "BNNCORE_ALLOW"),
    ]
    texts = [text for _, _, text in found]
    assert texts[0].startswith("'bnn-shape' matches nothing that is installed; did you mean bnn-shapes")
    assert texts[1].startswith("'bnn-shapes==1.0' matches nothing")
    assert texts[2].startswith("'shapes;qq' matches nothing")
