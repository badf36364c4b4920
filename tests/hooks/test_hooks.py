"""Every hook has a page with its exact signature, and the page's example works as it is copied."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from hooks.pages import HOOKS, block, entry_points, page

import bnncore
from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.discovery.kinds import DATASET, hook_names, offered_kinds
from bnncore.formats.card import Card, card_bytes
from bnncore.hookspecs import Hooks
from bnncore.publishing.pack import golden_inputs, pack_network
from bnncore.publishing.random_network import random_network

CARD = Card(
    title="Pets",
    description="Cats and dogs.",
    source="drawn",
    licenses={"weights": "CC0-1.0", "data": "CC0-1.0"},
    metrics=(),
    recipe={"made": "at random"},
)


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_has_a_page_with_its_exact_signature(hook):
    signature = inspect.signature(getattr(Hooks, hook))
    parameters = list(signature.parameters.values())[1:]
    arguments = ", ".join(f"{each.name}: {each.annotation}" for each in parameters)
    assert (
        block(hook, 'python title="signature"').strip()
        == f"{hook}({arguments}) -> {signature.return_annotation}"
    )


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_is_in_the_overview(hook):
    assert f"({hook}.md)" in (HOOKS / "index.md").read_text()


@pytest.mark.parametrize("group", [kind.group for kind in offered_kinds()])
def test_every_group_is_in_the_overview(group):
    assert f"`{group}`" in (HOOKS / "index.md").read_text()


@pytest.mark.parametrize("hook", hook_names())
def test_every_hook_has_a_test_of_its_example(hook):
    source = Path(__file__).read_text()
    assert re.search(rf"^def test_the_example_of_{hook}\(", source, re.MULTILINE), f"write a test for {hook}"


def test_no_page_is_left_of_a_hook_that_is_gone():
    assert {path.stem for path in HOOKS.glob("bnncore_*.md")} == set(hook_names())


@pytest.mark.parametrize("hook", hook_names())
def test_every_attribute_of_the_record_is_explained(hook):
    # The two that say what was asked for need no words of their own.
    record = {
        "bnncore_dataset": bnncore.Dataset,
        "bnncore_parameters": bnncore.Parameters,
        "bnncore_preprocessing": bnncore.Preprocessing,
        "bnncore_topology": bnncore.Topology,
        "bnncore_bitstream": bnncore.Bitstream,
        "bnncore_backend": bnncore.Backend,
    }[hook]
    text = page(hook)
    missing = [
        each.name
        for each in attrs.fields(record)
        if f"`{each.name}`" not in text and each.name not in ("name", "topology", "summary")
    ]
    assert not missing


@pytest.fixture
def example(install, tmp_path):
    """Return a function that installs a page's example as the package ``bnn_pets``, with the files it names."""

    def put(hook, also=()):
        scratch = tmp_path / "pack"
        scratch.mkdir()
        (scratch / "classes.txt").write_text("cat\ndog\n")
        (scratch / "card.json").write_bytes(card_bytes(CARD))
        (scratch / "design.bit").write_bytes(b"bit")
        (scratch / "design.hwh").write_bytes(b"hwh")
        pack_network(scratch, random_network(TOPOLOGIES["cnvW1A1"]))
        files = {f"bnn_pets/{path.name}": path.read_bytes() for path in scratch.iterdir()}
        files["bnn_pets/__init__.py"] = block(hook, "python")
        install("bnn-pets", entry_points(hook), files)
        for distribution, groups, sources in also:
            install(distribution, groups, sources)

    return put


def test_the_example_of_bnncore_dataset(example):
    example("bnncore_dataset")
    dataset = bnncore.registry.dataset("pets")
    assert dataset.title == "Cats and dogs"
    assert dataset.topologies[0] == "cnvW1A1"


OWNER = """
from bnncore import Dataset, hookimpl, packaged

@hookimpl
def bnncore_dataset(name):
    return Dataset(
        name="pets", title="Pets", topologies=("lfcW1A1",),
        classes=packaged("bnn_pets", "classes.txt"), card=packaged("bnn_pets", "card.json"),
    )
"""


def test_the_example_of_bnncore_parameters(example):
    owner = ("bnn-owner", {DATASET.group: {"pets": "bnn_owner"}}, {"bnn_owner.py": OWNER})
    example("bnncore_parameters", [owner])
    with bnncore.get("pets", topology="cnvW1A1") as classifier:
        assert classifier.selftest().vectors == 16


def test_the_example_of_bnncore_preprocessing(example):
    from PIL import Image

    from bnncore.discovery.host import PluginHost
    from bnncore.pictures.preprocessing import Pipeline

    example("bnncore_preprocessing")
    (claim,) = bnncore.registry.index.of(DATASET, "pets")
    found = PluginHost().call(
        claim, "bnncore_preprocessing", bnncore.Preprocessing, dataset="pets", topology="cnvW1A1"
    )
    given = TOPOLOGIES["cnvW1A1"].input
    wide = Image.new("RGB", (90, 30), "white")
    wide.paste("black", (0, 0, 30, 30))
    # Cropped to the middle third, which is white.
    assert found is not None
    assert Pipeline(found, given)(wide).min() == 255


def test_the_steps_on_the_page_of_bnncore_preprocessing_are_all_there_are():
    from bnncore.pictures.preprocessing import OPERATIONS

    table = re.findall(r"^\| `(\w+)` \|", page("bnncore_preprocessing"), re.MULTILINE)
    assert set(table) == set(OPERATIONS)


def test_the_example_of_bnncore_topology(example):
    example("bnncore_topology")
    topology = bnncore.registry.topology("petnet")
    assert topology.input.shape == (24, 24, 3)
    assert topology.outputs == 16


def test_the_example_of_bnncore_bitstream(example):
    example("bnncore_bitstream")
    bitstream = bnncore.registry.bitstream("lfcW1A1", "My_Board")
    assert bitstream.digest == bitstream.folding.digest(TOPOLOGIES["lfcW1A1"])


def test_the_priorities_on_the_page_of_bnncore_backend_are_right():
    found = {each.name: each.priority for each in bnncore.registry.backends()}
    for name in ("fpga", "cpu", "numpy"):
        assert f"{name} {found[name]}" in page("bnncore_backend")


def test_the_example_of_bnncore_backend(example, tmp_path):
    from bnnhw.reference import scores

    from bnncore.backends import Job, open_executor

    example("bnncore_backend")
    package = next(tmp_path.glob("site-bnn-pets-*")) / "bnn_pets"
    (package / "executor.py").write_text(block("bnncore_backend", 'python title="bnn_pets/executor.py"'))
    network = random_network(TOPOLOGIES["lfcW1A1"])
    job = Job(
        topology=network.topology,
        network=lambda: network,
        parameters_id="random",
        find_bitstream=lambda board: None,
    )
    executor = open_executor(bnncore.registry, "engine", job)
    inputs = golden_inputs(network.topology.input)
    np.testing.assert_array_equal(executor.scores(inputs), scores(network, inputs))
