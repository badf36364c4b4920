"""Where each part of a classifier comes from, and why the others lost."""

from __future__ import annotations

import json
import re
import warnings

import attrs
import numpy as np
import pytest
from click.testing import CliRunner

import bnncore
from bnncore import AmbiguousError, BackendError, PluginError, UnknownNameError
from bnncore.boards.fpga import obstacle
from bnncore.boards.matching import board_of, consider_bitstreams, fitting
from bnncore.cli import cli
from bnncore.diagnosis.board import examine_board
from bnncore.diagnosis.doctor import examine
from bnncore.diagnosis.explain import explain
from bnncore.discovery import kinds
from bnncore.discovery.host import PluginWarning
from bnncore.discovery.names import canonical
from bnncore.discovery.registry import Registry
from bnncore.formats.npz import write_npz
from bnncore.publishing.random_network import random_network

BACKEND = """
from bnncore import Backend, hookimpl

@hookimpl
def bnncore_backend(name):
    return Backend(
        name=name, executor="bnn_runner:nothing", obstacle="bnn_runner:obstacle", priority=PRIORITY,
    )

def obstacle(job):
    return OBSTACLE

def nothing(job):
    from bnnhw.reference import NumpyExecutor
    executor = NumpyExecutor(job.network())
    executor.name = "runner"
    return executor
"""

BITSTREAMS = """
from bnncore import Bitstream, Folding, Resource, hookimpl
from bnnhw.topology import Dense, Input, Topology

FIRST = Topology(name="first", input=Input(height=4, width=4), layers=(Dense(outputs=3),))
FOLDING = Folding.of((1, 1))

def resource(name):
    return Resource(package="bnn_bits", path=name, size=1, sha256="0" * 64)

@hookimpl
def bnncore_bitstream(topology, board):
    return Bitstream(
        topology=topology, boards=(board,), part="PART", folding=FOLDING, digest=FOLDING.digest(FIRST),
        bit=resource("x.bit"), hwh=resource("x.hwh"), clock_mhz=100.0,
    )
"""


def explained(name, **asked):
    return explain(bnncore.registry, bnncore.get(name, **asked))


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
    choices = explained("Shapes")
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
    choices = explained("shapes")
    assert losers(choices, "parameters") == {
        "first": "taken with distribution='bnn-better'",
        "second": "taken with topology='second'",
    }


def test_a_source_changes_who_supplies_parameters_and_preprocessing(shapes):
    choices = explained("shapes", distribution="bnn-better")
    assert chosen(choices, "parameters").owner == "bnn-better 1.0"
    assert chosen(choices, "preprocessing").owner == "bnn-better 1.0"
    assert losers(choices, "parameters")["first"] == "taken with distribution='bnn-shapes'"


def test_a_board_shows_its_bitstream_and_why_others_lose(shapes, install):
    entries = {"first.my-board": "bnn_bits", "first.other": "bnn_bits", "second.my_board": "bnn_bits"}
    source = BITSTREAMS.replace("PART", "some part")
    install("bnn-bits", {kinds.BITSTREAM.group: entries}, {"bnn_bits/__init__.py": source})
    choices = explained("shapes", board="My_Board")
    assert chosen(choices, "bitstream").what == "first.my-board"
    assert chosen(choices, "bitstream").owner == "bnn-bits 1.0"
    assert losers(choices, "bitstream") == {
        "first.other": "for another board than my-board",
        "second.my_board": "for another topology than first",
    }


def test_a_blocked_owner_of_the_same_name_is_shown(shapes, install, monkeypatch):
    install("bnn-rival", {kinds.DATASET.group: {"shapes": "bnn_rival"}})
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-rival")
    bnncore.registry.refresh()
    choices = explained("shapes")
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
    install("bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    choices = explained("shapes")
    assert losers(choices, "backend")["runner"] == reason


def test_a_backend_that_goes_first_is_chosen(shapes, install):
    source = BACKEND.replace("PRIORITY", "1000").replace("OBSTACLE", "None")
    install("bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    assert chosen(explained("shapes"), "backend").owner == "bnn-runner 1.0"


def test_what_get_refuses_is_not_explained_away(shapes):
    with pytest.raises(AmbiguousError, match="choose from first, second"):
        explained("shapes", topology="lfcW1A1")


def test_the_command_prints_both_tables_and_json(shapes):
    run = CliRunner()
    text = run.invoke(cli, ["explain", "shapes"]).output
    assert text.startswith("USED")
    assert "ALSO CONSIDERED" in text
    content = json.loads(
        run.invoke(cli, ["explain", "shapes", "--distribution", "bnn-better", "--json"]).output
    )
    assert {"part", "what", "owner", "chosen", "reason"} == set(content["choices"][0])


def test_the_command_line_is_answered_in_its_own_spelling(shapes):
    found = CliRunner().invoke(cli, ["explain", "shapes"])
    assert "taken with --distribution bnn-better" in found.output
    assert "taken with --topology second" in found.output
    assert "distribution=" not in found.output


def test_parameters_that_were_loaded_by_their_path_are_explained_too(tmp_path, first):
    write_npz(tmp_path / "mine.npz", random_network(first))
    choices = explain(bnncore.registry, bnncore.load(tmp_path / "mine.npz", backend="numpy"))
    assert chosen(choices, "parameters").what == "mine"
    assert chosen(choices, "backend").reason == "named with backend="


# -- what is explained is what is opened -------------------------------------------------------------


ELSEWHERE = "used where the backend fpga runs"


def used_bitstream(classifier):
    """Return the board under whose name the bitstream is offered that the backend ``fpga`` would load, or None."""
    job = classifier.job
    board = board_of(job)
    if board is None:
        return None
    fit = fitting(consider_bitstreams(job.topology, job.find_bitstream, board))
    return None if fit is None else fit.place


def agree(name, **asked):
    """Hold every choice that is explained to the classifier that is opened with the same words, and return both."""
    classifier = bnncore.get(name, **asked)
    choices = explain(bnncore.registry, classifier)
    found = classifier.resolution
    assert chosen(choices, "dataset").owner == found.owner.owner
    parameters = chosen(choices, "parameters")
    assert parameters.owner == found.parameters_owner.owner
    assert parameters.what == f"{classifier.topology.name}: {found.parameters.resource.path}"
    assert classifier.job.parameters_id == found.parameters.resource.sha256
    assert chosen(choices, "topology").what == classifier.topology.name
    assert chosen(choices, "preprocessing").what == classifier.preprocessing.describe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        try:
            opened = classifier.backend
        except BackendError:
            opened = None
    classifier.close()
    said = [each.what for each in choices if each.part == "bitstream" and each.chosen]
    used = used_bitstream(classifier)
    assert [canonical(each) for each in said] == (
        [] if used is None else [canonical(f"{classifier.topology.name}.{used}")]
    )
    said = [each.what for each in choices if each.part == "backend" and each.chosen]
    assert said == ([] if opened is None else [opened])
    return classifier, choices


@pytest.mark.parametrize("backend", ["auto", "numpy", "cpu", "fpga"])
@pytest.mark.parametrize("name", bnncore.names())
def test_shipped_plugins_are_opened_as_explained(name, backend):
    for topology in bnncore.registry.dataset(name).topologies:
        agree(name, backend=backend, topology=topology)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"distribution": "bnn-better"},
        {"topology": "second"},
        {"distribution": "BNN.Better", "topology": "Second"},
    ],
)
def test_a_third_partys_parameters_are_opened_as_explained(shapes, asked):
    agree("shapes", **asked)


def test_a_blocked_source_is_explained_and_not_opened(shapes, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-better")
    _, choices = agree("shapes")
    blocked = "'bnn_better' is listed in BNNCORE_DISABLE"
    assert losers(choices, "parameters") == {"first": blocked, "second": blocked}
    with pytest.raises(AmbiguousError):
        bnncore.get("shapes", distribution="bnn-better")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("import hookimpl", "import hookimpl\nraise RuntimeError('no')"), "RuntimeError: no"),
        (
            ("return OBSTACLE", "raise ValueError('what')"),
            "bnn-runner 1.0 raised ValueError: what",
        ),
        (("return OBSTACLE", "return 3"), "returned 3, expected words for people, or None"),
        (
            ('"bnn_runner:nothing"', '"bnn_runner:gone"'),
            "'bnn_runner:gone' of bnn-runner 1.0 cannot be imported",
        ),
        (
            ('"bnn_runner:nothing"', '"bnn_gone:nothing"'),
            "'bnn_gone:nothing' of bnn-runner 1.0 cannot be imported",
        ),
        (("return Backend(", "return dict("), "returned dict, expected Backend"),
    ],
)
def test_a_broken_backend_is_explained_and_not_opened(shapes, install, change, reason):
    source = BACKEND.replace("import Backend, hookimpl", "import hookimpl\nfrom bnncore import Backend")
    source = source.replace(*change).replace("PRIORITY", "1000").replace("OBSTACLE", "None")
    install("bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)
        _, choices = agree("shapes")
    assert reason in losers(choices, "backend")["runner"]


def test_a_backend_that_is_asked_for_is_explained(shapes, install):
    source = BACKEND.replace("PRIORITY", "0").replace("OBSTACLE", "None")
    install("bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    agree("shapes", backend="runner")


def test_a_siblings_bitstream_is_explained_as_it_is_used(shapes, install, board):
    install(
        "bnn-bits",
        {kinds.BITSTREAM.group: {"first.pynq-z1": "bnn_bits"}},
        {"bnn_bits/__init__.py": BITSTREAMS.replace("PART", "xc7z020clg400")},
    )
    known: dict[str, str] = {"board": "pynq-z2"}
    for asked in (known, {}):
        if not asked:
            board("Pynq-Z2")
        classifier, choices = agree("shapes", **asked)
        found = chosen(choices, "bitstream")
        assert (found.what, found.owner) == ("first.pynq-z1", "bnn-bits 1.0")
        assert found.reason == f"for first on pynq-z1, which has the part of pynq-z2; {ELSEWHERE}"
        assert used_bitstream(classifier) == "pynq-z1"


def test_one_get_reads_the_index_once(shapes, monkeypatch):
    asked = []

    def index(self: Registry) -> object:
        asked.append(self)
        return self._index

    monkeypatch.setattr(Registry, "index", property(index))
    bnncore.registry.rescan()
    bnncore.get("shapes")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PART": "xczu3eg-sbva484"}, "is made for xczu3eg-sbva484, and pynq-z2 has xc7z020clg400"),
        ({"FOLDING.digest(FIRST)": "'0' * 64"}, "was built for other layers than topology 'first' has now"),
        ({"Folding.of((1, 1))": "Folding.of((2, 1))", "FOLDING.digest(FIRST)": "'0' * 64"}, "does not fit"),
        ({"    return Bitstream(": "    return None\n    Bitstream("}, "returned None for it"),
    ],
)
def test_a_bitstream_that_cannot_be_used_is_told_alike_by_all(shapes, install, board, change, said):
    source = BITSTREAMS
    for old, new in change.items():
        source = source.replace(old, new)
    board("Pynq-Z2")
    install(
        "bnn-bits",
        {kinds.BITSTREAM.group: {"first.pynq-z2": "bnn_bits"}},
        {"bnn_bits/__init__.py": source.replace("PART", "xc7z020clg400")},
    )
    classifier, choices = agree("shapes")
    assert said in losers(choices, "bitstream")["first.pynq-z2"]
    assert said in str(obstacle(classifier.job))
    (found,) = [each for each in examine_board(bnncore.registry) if each.subject == "bitstream first.pynq-z2"]
    assert said in found.text


def test_a_blocked_bitstream_hides_no_sibling(shapes, install, board, monkeypatch):
    board("Pynq-Z2")
    for name, entry in (("bnn-bits", "first.pynq-z1"), ("bnn-own", "first.pynq-z2")):
        package = name.replace("-", "_")
        source = BITSTREAMS.replace("PART", "xc7z020clg400").replace("bnn_bits", package)
        install(name, {kinds.BITSTREAM.group: {entry: package}}, {f"{package}/__init__.py": source})
    _, choices = agree("shapes")
    assert chosen(choices, "bitstream").what == "first.pynq-z2"
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-own")
    _, choices = agree("shapes")
    assert chosen(choices, "bitstream").what == "first.pynq-z1"
    assert losers(choices, "bitstream")["first.pynq-z2"] == "'bnn_own' is listed in BNNCORE_DISABLE"
    found = {each.subject: each.state for each in examine_board(bnncore.registry)}
    assert found["bitstream first.pynq-z2"] == "note"


@pytest.mark.parametrize("asked", ["My Zynq", "a/b", "pynq-z3", ""])
def test_a_board_that_nobody_knows_is_refused_with_those_that_are_known(shapes, asked):
    with pytest.raises(UnknownNameError, match=f"no board '{asked}' is known.*known are .*pynq-z1"):
        bnncore.get("shapes", board=asked)


def test_a_board_that_this_machine_says_it_is_needs_no_other_name(shapes, board):
    board("My Zynq")
    agree("shapes", board="My Zynq")


def test_a_network_whose_name_is_none_is_explained(tmp_path, first, board):
    write_npz(tmp_path / "mine.npz", random_network(attrs.evolve(first, name="My Net")))
    board("Pynq-Z2")
    classifier = bnncore.load(tmp_path / "mine.npz")
    assert chosen(explain(bnncore.registry, classifier), "topology").what == "My Net"


def test_what_is_said_to_take_other_parameters_takes_them(shapes, offer, second):
    offer("bnn-best", [second], seed=2)
    taken = {}
    for choice in explained("shapes"):
        if choice.part == "parameters" and not choice.chosen:
            asked = dict(re.findall(r"(topology|distribution)='([^']+)'", choice.reason))
            taken[choice.what, choice.owner] = bnncore.get("shapes", **asked).resolution
    assert len(taken) == 3
    for (topology, owner), found in taken.items():
        assert (found.topology.name, found.parameters_owner.owner) == (topology, owner)


def test_parameters_for_a_blocked_topology_are_not_said_to_be_had(shapes, monkeypatch):
    monkeypatch.setenv("BNNCORE_DISABLE", "second")
    assert "is blocked" in losers(explained("shapes"), "parameters")["second"]


def test_strict_stops_nothing_that_does_not_need_what_is_broken(shapes, install, monkeypatch):
    install(
        "bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": "raise ValueError"}
    )
    monkeypatch.setenv("BNNCORE_STRICT", "1")
    agree("shapes", backend="numpy")
    found = {each.subject: each for each in examine(bnncore.registry)}
    assert found["backend runner"].state == "problem"
    with pytest.raises(PluginError, match="ValueError"):
        bnncore.get("shapes").classify(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("executor", "said"),
    [
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("raise RuntimeError('kaputt')", "raised RuntimeError: kaputt"),
        ("return None", "returned NoneType, expected an executor"),
    ],
)
def test_a_backend_that_fails_when_it_is_opened_is_a_problem_for_doctor_and_for_nobody_else(
    shapes, install, executor, said
):
    source = BACKEND.replace("PRIORITY", "1000").replace("OBSTACLE", "None")
    source = source.replace("def nothing(job):", f"def nothing(job):\n    {executor}")
    install("bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    with pytest.warns(PluginWarning, match="trying the next backend"):
        assert bnncore.get("shapes").backend != "runner"
    found = {each.subject: each for each in examine(bnncore.registry)}
    assert found["backend runner"].state == "problem"
    assert said in found["backend runner"].text
    with pytest.raises(PluginError, match=said):
        bnncore.get("shapes", "runner").backend  # noqa: B018  # the access raises


@pytest.mark.parametrize("priority", ["0", "1"])
def test_an_executor_that_cannot_be_imported_is_told_also_where_it_would_not_be_taken(
    shapes, install, priority
):
    source = BACKEND.replace("PRIORITY", priority).replace("OBSTACLE", "None").replace(":nothing", ":gone")
    install("bnn-runner", {kinds.BACKEND.group: {"runner": "bnn_runner"}}, {"bnn_runner.py": source})
    assert "cannot be imported" in losers(explained("shapes"), "backend")["runner"]
    found = {each.subject: each for each in examine(bnncore.registry)}
    assert "cannot be imported" in found["backend runner"].text
