"""What people call: names of arguments, the same options on every command, messages in the caller's own spelling."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from click import Context
from click.testing import CliRunner
from fixtures.shapes import first, offer, second

import bnncore
from bnncore import AmbiguousError, BackendError, Options
from bnncore.backends import Job
from bnncore.cli import cli
from bnncore.formats.npz import write_npz
from bnncore.publishing.random_network import random_network

__all__ = ["first", "offer", "second"]

NETWORK_COMMANDS = ("classify", "info", "explain", "convert", "evaluate", "benchmark")


@pytest.fixture
def shapes(offer, first, second):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-better", [first, second], seed=1, source="drawn better", operation="stretch")


# -- arguments ---------------------------------------------------------------------------------------


def test_load_takes_all_but_the_path_by_keyword(tmp_path, first):
    write_npz(tmp_path / "w.npz", random_network(first))
    with pytest.raises(TypeError):
        bnncore.load(tmp_path / "w.npz", first)  # type: ignore[call-arg]  # what is refused, or warned of


def test_get_and_load_run_alike():
    options = set(inspect.signature(Options).parameters)
    for function in (bnncore.get, bnncore.load):
        assert options < set(inspect.signature(function).parameters)


def test_a_classifier_says_how_it_was_asked_to_run(shapes):
    classifier = bnncore.get("shapes", "numpy", threads=2, bitstreams="folder")
    assert classifier.options == Options(backend="numpy", threads=2, bitstreams="folder")


def test_the_network_of_a_classifier_can_be_had_without_a_backend(shapes, first):
    classifier = bnncore.get("shapes")
    assert classifier.network is classifier.network
    assert classifier.network.topology == first
    assert classifier.network.layers[0].weights.dtype == np.int8
    assert "opened at the first picture" in classifier._repr_html_()


def test_source_is_still_taken_and_warns(shapes):
    with pytest.warns(DeprecationWarning, match="use distribution"):
        old = bnncore.get("shapes", source="bnn-better")  # type: ignore[call-arg]  # what is refused, or warned of
    assert old.job.parameters_id == bnncore.get("shapes", distribution="bnn-better").job.parameters_id
    with pytest.raises(TypeError, match="give distribution"):
        bnncore.get("shapes", source="bnn-better", distribution="bnn-better")  # type: ignore[call-arg]  # what is refused, or warned of


def test_a_job_has_its_old_names_and_warns(first):
    def find(board):
        return None

    job = Job(
        topology=first,
        network=lambda: random_network(first),
        parameters_id="x",
        find_bitstream=find,
        bitstream_folder=None,
    )
    with pytest.warns(DeprecationWarning, match="find_bitstream"):
        assert job.bitstream is find
    with pytest.warns(DeprecationWarning, match="bitstream_folder"):
        assert job.bitstreams is None


# -- whose figures -----------------------------------------------------------------------------------


def test_figures_and_preprocessing_are_those_of_who_supplies_the_parameters(shapes):
    own, other = bnncore.get("shapes"), bnncore.get("shapes", distribution="bnn-better")
    assert (own.card.source, other.card.source) == ("drawn", "drawn better")
    assert (own.preprocessing.describe(), other.preprocessing.describe()) == ("letterbox", "stretch")


def test_info_shows_the_figures_of_who_supplies_the_parameters(shapes):
    run = CliRunner()
    found = json.loads(run.invoke(cli, ["info", "shapes", "--distribution", "bnn-better", "--json"]).output)
    assert found["source"] == "drawn better"
    assert found["parameters_from"] == {"distribution": "bnn-better", "version": "1.0"}
    assert found["preprocessing"] == "stretch"
    text = run.invoke(cli, ["info", "shapes", "--distribution", "bnn-better"]).output
    assert "from          bnn-shapes 1.0\nparameters    bnn-better 1.0\n" in text


def test_without_a_card_of_its_own_no_others_figures_are_shown(offer, first):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-bare", [first], seed=1, source=None)
    assert bnncore.get("shapes", distribution="bnn-bare").card is None


def test_the_card_of_another_dataset_is_not_that_of_these_parameters(offer, first, tmp_path):
    offer("bnn-shapes", [first], seed=0, dataset=True)
    offer("bnn-birds", [first], seed=1, source="watched")
    code = (
        "from bnncore import Dataset, hookimpl, packaged\n@hookimpl\ndef bnncore_dataset(name):\n"
        "    return Dataset(name=name, title='Birds', topologies=('first',),\n"
        "        classes=packaged('bnn_birds', 'classes.txt'), card=packaged('bnn_birds', 'card.json'))\n"
    )
    assert bnncore.get("shapes", distribution="bnn-birds").card.source == "watched"
    site = tmp_path / "site-bnn-birds-1.0"
    (site / "bnn_more.py").write_text(code)
    with (site / "bnn_birds-1.0.dist-info" / "entry_points.txt").open("a") as entries:
        entries.write("[bnncore.datasets]\nbirds = bnn_more\n")
    bnncore.registry.refresh()
    assert bnncore.get("shapes", distribution="bnn-birds").card is None


def test_threads_are_looked_at_at_once():
    with pytest.raises(BackendError, match="threads must be a whole number from 1 up, not 0"):
        bnncore.get("cifar10", threads=0)


def test_both_spellings_at_once_are_one_too_many(shapes):
    found = CliRunner().invoke(
        cli, ["info", "shapes", "--source", "bnn-better", "--distribution", "bnn-better"]
    )
    assert found.exit_code == 2


def test_a_dotted_name_can_be_blocked(monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "cnvW1A1.pynq-z1")
    found = CliRunner().invoke(cli, ["explain", "cifar10", "--board", "pynq-z1"]).output
    assert "'cnvw1a1.pynq_z1' is listed in BNNCORE_DISABLE" in found


# -- the command line --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORK_COMMANDS)
def test_every_command_that_opens_a_network_takes_the_same_options(name):
    command = cli.get_command(Context(cli), name)
    options = {option for each in command.params for option in each.opts}
    wanted = {"--topology", "--distribution", "--backend", "--board", "--threads", "--bitstreams"}
    assert wanted <= options
    assert {f"--{each}" for each in inspect.signature(Options).parameters} <= options


def test_no_other_command_opens_a_network():
    # Those that open one without these options open it for its parameters alone.
    context = Context(cli)
    for name in cli.list_commands(context):
        options = {option for each in cli.get_command(context, name).params for option in each.opts}
        assert ("--distribution" in options) == (name in NETWORK_COMMANDS)


def test_the_old_option_is_still_taken_and_warns(shapes):
    found = CliRunner().invoke(cli, ["info", "shapes", "--source", "bnn-better"])
    assert found.exit_code == 0
    assert "use --distribution" in found.output
    assert "--source" not in CliRunner().invoke(cli, ["info", "--help"]).output


def test_a_path_has_no_distribution(tmp_path, first):
    write_npz(tmp_path / "w.npz", random_network(first))
    found = CliRunner().invoke(cli, ["info", str(tmp_path / "w.npz"), "--distribution", "bnn-better"])
    assert found.exit_code == 2
    assert "is a path" in found.output


def test_messages_name_the_spelling_of_the_caller(shapes, offer, second):
    offer("bnn-best", [second], seed=2)
    with pytest.raises(AmbiguousError, match=r"with distribution=, for example distribution='bnn-best'"):
        bnncore.get("shapes", topology="second")
    found = CliRunner().invoke(cli, ["info", "shapes", "--topology", "second"])
    assert "with --distribution, for example --distribution bnn-best" in str(found.exception)
    with pytest.raises(AmbiguousError, match=r"with distribution="):
        bnncore.get("shapes", topology="second")
