"""Where each part of a classifier comes from, and why the others lost."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import bnncore
from bnncore import AmbiguousError
from bnncore.cli import cli
from bnncore.diagnosis.explain import explain
from bnncore.discovery.index import BACKENDS, BITSTREAMS, DATASETS

BACKEND = """
from bnncore import Backend, hookimpl

@hookimpl
def bnncore_backend(name):
    return Backend(
        name=name, executor="bnn_runner:nothing", obstacle="bnn_runner:obstacle", priority=PRIORITY,
    )

def obstacle(job):
    return OBSTACLE
"""


def chosen(choices, part):
    (found,) = [each for each in choices if each.part == part and each.chosen]
    return found


def losers(choices, part):
    return {each.what: each.reason for each in choices if each.part == part and not each.chosen}


@pytest.fixture
def shapes(offer, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True, operation="stretch")
    offer("bnn-better", [first, second], seed=1)


def test_every_part_names_its_distribution_and_version(shapes):
    choices = explain(bnncore.registry, "Shapes")
    owners = {each.part: each.owner for each in choices if each.chosen}
    assert owners.pop("backend") == f"bnncore {bnncore.__version__}"
    assert owners == {
        "dataset": "bnn-shapes 1.0",
        "parameters": "bnn-shapes 1.0",
        "topology": "bnn-nets 1.0",
        "preprocessing": "bnn-shapes 1.0",
    }
    assert chosen(choices, "preprocessing").what == "stretch"


def test_other_parameters_say_how_to_get_them(shapes):
    choices = explain(bnncore.registry, "shapes")
    assert losers(choices, "parameters") == {
        "first": "taken with source='bnn-better'",
        "second": "taken with topology='second'",
    }


def test_a_source_changes_who_supplies_parameters_and_preprocessing(shapes):
    choices = explain(bnncore.registry, "shapes", source="bnn-better")
    assert chosen(choices, "parameters").owner == "bnn-better 1.0"
    assert chosen(choices, "preprocessing").owner == "bnn-better 1.0"
    assert losers(choices, "parameters")["first"] == "taken with source='bnn-shapes'"


def test_a_board_shows_its_bitstream_and_why_others_lose(shapes, install):
    entries = {"first.my-board": "bnn_bits", "first.other": "bnn_bits", "second.my_board": "bnn_bits"}
    install("bnn-bits", {BITSTREAMS: entries}, {"bnn_bits.py": ""})
    choices = explain(bnncore.registry, "shapes", board="My_Board")
    assert chosen(choices, "bitstream").what == "first.my-board"
    assert chosen(choices, "bitstream").owner == "bnn-bits 1.0"
    assert losers(choices, "bitstream") == {
        "first.other": "for another board than My_Board",
        "second.my_board": "for another topology than first",
    }


def test_a_blocked_owner_of_the_same_name_is_shown(shapes, install, monkeypatch):
    install("bnn-rival", {DATASETS: {"shapes": "bnn_rival"}})
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-rival")
    bnncore.registry.refresh()
    choices = explain(bnncore.registry, "shapes")
    assert losers(choices, "dataset") == {"shapes": "'bnn_rival' is listed in BNNCORE_DISABLE"}


@pytest.mark.parametrize(
    ("priority", "obstacle", "reason"),
    [
        (1000, "'the device is missing'", "the device is missing"),
        (1, "None", "can run, but comes later"),
        (0, "None", "can run, only with backend='runner'"),
    ],
)
def test_a_backend_that_loses_says_why(shapes, install, priority, obstacle, reason):
    source = BACKEND.replace("PRIORITY", str(priority)).replace("OBSTACLE", obstacle)
    install("bnn-runner", {BACKENDS: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    choices = explain(bnncore.registry, "shapes")
    assert losers(choices, "backend")["runner"] == reason


def test_a_backend_that_goes_first_is_chosen(shapes, install):
    source = BACKEND.replace("PRIORITY", "1000").replace("OBSTACLE", "None")
    install("bnn-runner", {BACKENDS: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    assert chosen(explain(bnncore.registry, "shapes"), "backend").owner == "bnn-runner 1.0"


def test_what_get_refuses_is_not_explained_away(shapes):
    with pytest.raises(AmbiguousError, match="choose from first, second"):
        explain(bnncore.registry, "shapes", topology="lfcW1A1")


def test_the_command_prints_both_tables_and_json(shapes):
    run = CliRunner()
    text = run.invoke(cli, ["explain", "shapes"]).output
    assert text.startswith("USED")
    assert "ALSO CONSIDERED" in text
    content = json.loads(run.invoke(cli, ["explain", "shapes", "--source", "bnn-better", "--json"]).output)
    assert {"part", "what", "owner", "chosen", "reason"} == set(content["choices"][0])
