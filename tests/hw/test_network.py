"""A network holds parameters that fit its topology, checked once and then read-only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bnnhw.errors import NetworkError
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Conv, Dense, Input, Topology

TOPOLOGY = Topology(
    name="tiny", input=Input(height=4, width=4, channels=2), layers=(Conv(outputs=3), Dense(outputs=2))
)


def arrays(topology: Topology = TOPOLOGY) -> list[dict[str, Any]]:
    thresholds = topology.activation_bits
    last = int(topology.output == "bits")
    return [
        {"weights": np.ones((3, 18), np.int8), "thresholds": np.zeros((3, thresholds), np.int32)},
        {"weights": -np.ones((2, 12), np.int8), "thresholds": np.zeros((2, last), np.int32)},
    ]


def network(given: list[dict[str, Any]], topology: Topology = TOPOLOGY) -> Network:
    return Network(topology=topology, layers=tuple(LayerParameters(**layer) for layer in given))


def test_fitting_arrays_are_kept() -> None:
    found = network(arrays())
    assert [layer.weights.shape for layer in found.layers] == [(3, 18), (2, 12)]


@pytest.mark.parametrize(
    ("layer", "which", "value", "expected", "found"),
    [
        (0, "weights", np.ones((3, 17), np.int8), r"int8 \[3, 18\]", r"int8 \[3, 17\]"),
        (0, "weights", np.ones((18, 3), np.int8), r"int8 \[3, 18\]", r"int8 \[18, 3\]"),
        (1, "weights", np.ones((2, 12), np.int16), r"int8 \[2, 12\]", r"int16 \[2, 12\]"),
        (1, "weights", np.ones((2, 12), bool), r"int8 \[2, 12\]", "bool"),
        (1, "weights", [[1] * 12] * 2, "an array", "list"),
        (0, "weights", np.zeros((3, 18), np.int8), r"-1 and \+1", "0"),
        (0, "weights", np.full((3, 18), -128, np.int8), r"-1 and \+1", "-128"),
        (0, "thresholds", np.zeros(3, np.int32), r"int32 \[3, 1\]", r"int32 \[3\]"),
        (0, "thresholds", np.zeros((3, 2), np.int32), r"int32 \[3, 1\]", r"int32 \[3, 2\]"),
        (0, "thresholds", np.zeros((3, 1), np.int64), r"int32 \[3, 1\]", r"int64 \[3, 1\]"),
        (0, "thresholds", np.zeros((3, 1), np.float32), r"int32 \[3, 1\]", "float32"),
        (0, "thresholds", None, "an array", "NoneType"),
        (1, "thresholds", np.zeros((2, 1), np.int32), r"int32 \[2, 0\]", r"int32 \[2, 1\]"),
    ],
)
def test_an_array_that_does_not_fit_is_named(
    layer: int, which: str, value: Any, expected: str, found: str
) -> None:
    given = arrays()
    given[layer][which] = value
    with pytest.raises(
        NetworkError, match=rf"'tiny', layer {layer}, {which}: expected {expected}, found {found}"
    ):
        network(given)


@pytest.mark.parametrize("value", [-3, 2, 127, -128])
def test_two_bit_weights_reach_from_minus_two_to_one(value: int) -> None:
    topology = Topology(name="tiny", input=TOPOLOGY.input, layers=TOPOLOGY.layers, weight_bits=2)
    given = arrays()
    given[0]["weights"][1, 1:5] = [-2, -1, 0, 1]
    network(given, topology)
    given[0]["weights"][2, 3] = value
    with pytest.raises(NetworkError, match=rf"layer 0, weights: expected -2 to \+1, found {value}"):
        network(given, topology)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_or_too_many_layers_are_refused(count: int) -> None:
    with pytest.raises(NetworkError, match=f"has 2 layers with weights, found parameters for {count}"):
        network((arrays() * 2)[:count])


def test_parameters_cannot_be_changed_afterwards() -> None:
    given = arrays()
    made = network(given)
    given[0]["weights"][0, 0] = -1
    assert made.layers[0].weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        made.layers[0].thresholds[0, 0] = 5


def test_a_read_only_view_of_a_writable_array_cannot_change_the_network() -> None:
    given = arrays()
    writable = given[0]["weights"]
    given[0]["weights"] = writable.view()
    given[0]["weights"].flags.writeable = False
    made = network(given)
    writable[0, 0] = -1
    assert made.layers[0].weights[0, 0] == 1


def test_the_callers_arrays_stay_writable() -> None:
    given = arrays()
    network(given)
    given[0]["weights"][0, 0] = -1


def test_fortran_order_is_put_in_c_order() -> None:
    given = arrays()
    given[0]["weights"] = np.asfortranarray(given[0]["weights"])
    assert network(given).layers[0].weights.flags.c_contiguous


def test_another_byte_order_is_refused() -> None:
    given = arrays()
    given[0]["thresholds"] = np.array([[1], [2], [3]], np.dtype(np.int32).newbyteorder("S"))
    with pytest.raises(NetworkError, match="layer 0, thresholds"):
        network(given)
