"""Random networks of every kind: the reference against another library."""

from __future__ import annotations

import numpy as np
import pytest
from batches import random_batch
from bnnhw.network import Network
from bnnhw.reference import scores
from bnnhw.topology import Topology
from hypothesis import given, settings
from independent.evaluator import independent_scores
from strategies import networks, seeds

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.publishing.random_network import random_network


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(networks(), seeds)
def test_the_reference_agrees_on_networks_of_any_shape(network: Network, seed: int) -> None:
    batch = random_batch(network.topology, seed=seed)
    np.testing.assert_array_equal(scores(network, batch), independent_scores(network, batch))


@pytest.mark.parametrize("topology", TOPOLOGIES.values(), ids=lambda topology: topology.name)
def test_the_reference_agrees_on_the_published_networks(topology: Topology) -> None:
    network = random_network(topology, 11, extreme=0.3)
    batch = random_batch(topology, 4, seed=11)
    np.testing.assert_array_equal(scores(network, batch), independent_scores(network, batch))
