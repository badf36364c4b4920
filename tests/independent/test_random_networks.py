"""Random networks of every kind: the reference, and every backend that runs here, against another library."""

from __future__ import annotations

import numpy as np
import pytest
from bnnhw.reference import scores
from bnnhw.topology import Topology
from hypothesis import given, settings
from independent.evaluator import independent_scores
from strategies import random_batch, random_network, seeds, topologies

from bnncore.builtin.topologies import TOPOLOGIES


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(topologies(), seeds)
def test_the_reference_agrees_on_networks_of_any_shape(topology: Topology, seed: int) -> None:
    network = random_network(topology, seed)
    batch = random_batch(topology, seed)
    np.testing.assert_array_equal(scores(network, batch), independent_scores(network, batch))


@pytest.mark.parametrize("topology", TOPOLOGIES.values(), ids=lambda topology: topology.name)
def test_the_reference_agrees_on_the_published_networks(topology: Topology) -> None:
    network = random_network(topology, 11)
    batch = random_batch(topology, 11, 4)
    np.testing.assert_array_equal(scores(network, batch), independent_scores(network, batch))
