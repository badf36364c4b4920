"""Distributions that offer parameters for one dataset, made on the spot."""

from __future__ import annotations

import attrs
import pytest
from bnnhw.topology import Dense, Input, Topology

from bnncore.card import Card
from bnncore.index import DATASETS, PARAMETERS, TOPOLOGIES
from bnncore.packing import card_bytes, pack_network
from bnncore.placeholder import random_network

FIRST = Topology(name="first", input=Input(height=4, width=4), layers=(Dense(outputs=3),))
SECOND = attrs.evolve(FIRST, name="second", layers=(Dense(outputs=8), Dense(outputs=3)))

CARD = Card(
    title="Shapes",
    description="Drawn shapes.",
    source="drawn",
    licenses={"weights": "CC0-1.0", "data": "CC0-1.0"},
    metrics=(),
    recipe={"made": "at random"},
)

DATASET = """
from bnncore import Dataset, hookimpl, packaged

@hookimpl
def bnncore_dataset(name):
    if name == "shapes":
        return Dataset(
            name=name, title="Shapes", topologies=("first",),
            classes=packaged(__name__, "classes.txt"), card=packaged(__name__, "card.json"),
        )
"""

WEIGHTS = """
from bnncore import Parameters, Preprocessing, Step, hookimpl, packaged

DIGESTS = {digests}

@hookimpl
def bnncore_parameters(dataset, topology):
    if dataset == "shapes" and topology in DIGESTS:
        return Parameters(
            dataset=dataset, topology=topology, topology_digest=DIGESTS[topology],
            resource=packaged(__name__, topology + "/weights.npz"),
            golden=packaged(__name__, topology + "/golden.npz"),
        )

@hookimpl
def bnncore_preprocessing(dataset, topology):
    if dataset == "shapes":
        return Preprocessing(steps=(Step(operation={operation!r}),))
"""

NETWORKS = """
from bnncore import Dense, Input, Topology, hookimpl

LAYERS = {"first": (Dense(outputs=3),), "second": (Dense(outputs=8), Dense(outputs=3))}

@hookimpl
def bnncore_topology(name):
    if name in LAYERS:
        return Topology(name=name, input=Input(height=4, width=4), layers=LAYERS[name])
"""


@pytest.fixture
def first():
    """Return the topology that the dataset's own parameters are for."""
    return FIRST


@pytest.fixture
def second():
    """Return another one."""
    return SECOND


@pytest.fixture
def offer(install, tmp_path):
    """Return a function that installs a distribution with random parameters for the dataset."""

    def put(distribution, topologies, seed, dataset=False, classes="round\nlong\n", operation="letterbox"):
        package = distribution.replace("-", "_")
        scratch = tmp_path / "packing" / package
        scratch.mkdir(parents=True)
        (scratch / "classes.txt").write_text(classes)
        (scratch / "card.json").write_bytes(card_bytes(CARD))
        for topology in topologies:
            pack_network(scratch, random_network(topology, seed), into=topology.name)
        files = {
            f"{package}/{path.relative_to(scratch).as_posix()}": path.read_bytes()
            for path in scratch.rglob("*")
            if path.is_file()
        }
        digests = {topology.name: topology.digest for topology in topologies}
        source = WEIGHTS.format(digests=digests, operation=operation)
        if dataset:
            groups = {DATASETS: {"shapes": package}}
            source = DATASET + source
        else:
            groups = {PARAMETERS: {f"shapes.{topology.name}": package for topology in topologies}}
        install(distribution, groups, {**files, f"{package}/__init__.py": source})

    install("bnn-nets", {TOPOLOGIES: {"first": "bnn_nets", "second": "bnn_nets"}}, {"bnn_nets.py": NETWORKS})
    return put
