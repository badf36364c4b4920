"""The units that accumulators are in, against sums counted one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from batches import random_batch
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Input, MatrixStage, Topology, matrix_stages
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import WIDE, seeds, topologies

from bnncore.publishing.random_network import random_network


def inputs_of(stage: MatrixStage) -> list[int]:
    """Return every number that an input of the stage can be."""
    return {8: [*range(-128, 0), *range(1, 128)], 1: [-1, 1], 2: [-1, 0, 1]}[stage.input_bits]


def weights_of(stage: MatrixStage) -> list[int]:
    return [-1, 1] if stage.weight_bits == 1 else [-2, -1, 0, 1]


def counted(stage: MatrixStage, weights: list[int], values: list[int]) -> int:
    """Return the accumulator of a neuron as the names of the units describe it."""
    if stage.accumulator == "pixels":
        return 2 * sum(w * v for w, v in zip(weights, values))
    if stage.accumulator == "popcount":
        return sum(w == v for w, v in zip(weights, values))
    return sum(w * v for w, v in zip(weights, values))


@settings(deadline=None)
@given(topologies() | topologies(WIDE), seeds)
def test_an_accumulator_is_the_sum_and_the_offset_in_the_unit(topology: Topology, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for stage in matrix_stages(topology):
        weights = rng.choice(weights_of(stage), stage.fan_in).tolist()
        values = rng.choice(inputs_of(stage), stage.fan_in).tolist()
        total = sum(w * v for w, v in zip(weights, values))
        expected = counted(stage, weights, values)
        assert (total + stage.offset) / stage.unit == expected
        assert abs(total) <= stage.largest_sum
        assert abs(expected) <= stage.largest


@given(topologies() | topologies(WIDE))
def test_the_largest_accumulator_is_reached_and_no_more(topology: Topology) -> None:
    for stage in matrix_stages(topology):
        weight = -2 if stage.weight_bits == 2 else -1
        value = -128 if stage.input_bits == 8 else -1
        assert stage.largest_sum == weight * value * stage.fan_in
        assert stage.largest == counted(stage, [weight] * stage.fan_in, [value] * stage.fan_in)


@given(topologies())
def test_a_unit_is_named_pixels_exactly_where_pixels_arrive(topology: Topology) -> None:
    for stage in matrix_stages(topology):
        assert (stage.accumulator == "pixels") == (stage.input_bits == 8)
        assert stage.input_unit == (1 / 128 if stage.input_bits == 8 else 1)
        assert stage.blank == (-1 if stage.input_bits == 1 else 0)
        assert math.log2(stage.unit).is_integer()
        assert stage.weight_bits == topology.weight_bits


@pytest.mark.parametrize(
    ("input_bits", "activation_bits", "name"), [(8, 1, "pixels"), (1, 1, "popcount"), (1, 2, "signed")]
)
def test_centre_and_spread_are_those_of_random_networks(
    input_bits: int, activation_bits: int, name: str
) -> None:
    topology = Topology(
        name="t",
        input=Input(height=20, width=20, bits=input_bits),
        layers=(Dense(outputs=500),),
        activation_bits=activation_bits,
    )
    stage = matrix_stages(topology)[0]
    assert stage.accumulator == name
    # Not the seed of the weights, which would make both out of the same bits.
    images = np.random.default_rng(2).integers(0, 256, (50, 20, 20), np.uint8)
    found = scores(random_network(topology, 1), images)
    assert found.mean() == pytest.approx(stage.centre, abs=stage.spread / 10)
    assert found.std() == pytest.approx(stage.spread, rel=0.05)


def test_bytes_stand_for_two_v_over_255_minus_1_in_128ths_rounded_half_up_and_saturated() -> None:
    values = Input(height=1, width=1).values
    assert list(values) == [min(127, math.floor((2 * v / 255 - 1) * 128 + 0.5)) for v in range(256)]
    # 0 is none of them.
    assert sorted(set(values)) == [*range(-128, 0), *range(1, 128)]


def test_one_bit_of_a_byte_is_its_upper_half() -> None:
    assert Input(height=1, width=1, bits=1).values == (-1,) * 128 + (1,) * 128


@given(st.sampled_from((1, 8)), st.sampled_from((1, 2)), st.sampled_from((1, 2)), st.integers(1, 40), seeds)
def test_scores_are_the_accumulators_that_are_counted(
    bits: int, weight_bits: int, activation_bits: int, width: int, seed: int
) -> None:
    """The reference, whose products are floating point, against the same sums in integers."""
    topology = Topology(
        name="t",
        input=Input(height=1, width=width, bits=bits),
        layers=(Dense(outputs=4),),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
    )
    network = random_network(topology, seed)
    image = random_batch(topology, 1, seed=seed)
    values = [topology.input.values[byte] for byte in image.ravel().tolist()]
    assert scores(network, image)[0].tolist() == [
        counted(matrix_stages(topology)[0], row, values) for row in network.layers[0].weights.tolist()
    ]


@settings(deadline=None)
@given(seeds, st.sampled_from((-2, -1)), st.sampled_from((0.0, 0.5)), st.integers(100, 2**31 - 1))
def test_random_networks_keep_to_their_options(seed: int, lowest: int, extreme: float, largest: int) -> None:
    topology = Topology(
        name="t",
        input=Input(height=4, width=4, bits=1),
        layers=(Conv(outputs=9, padding=1), Dense(outputs=3)),
        weight_bits=2,
        activation_bits=2,
    )
    network = random_network(topology, seed, lowest=lowest, extreme=extreme, largest=largest)
    for layer in network.layers:
        assert lowest <= layer.weights.min()
        if layer.thresholds.size:
            assert -largest - 1 <= layer.thresholds.min() <= layer.thresholds.max() <= largest
            assert extreme or (np.diff(layer.thresholds) >= 0).all()
    same = random_network(topology, seed, lowest=lowest, extreme=extreme, largest=largest)
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(network.layers, same.layers))
