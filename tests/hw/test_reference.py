"""The reference against an evaluator in plain Python that is slow and obviously right."""

from __future__ import annotations

import tracemalloc
from typing import Literal

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import InputError
from bnnhw.network import LayerParameters, Network
from bnnhw.reference import NumpyExecutor, encode, output_words, scores
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds, topologies

from bnncore.publishing.random_network import random_network


def plain_scores(network: Network, image: list) -> list[int]:
    """Evaluate one image, nested lists [row][column][channel] of bytes, by the format's rules."""
    topology = network.topology
    one_bit_network = topology.weight_bits == 1 and topology.activation_bits == 1
    pixels = topology.input.bits == 8
    if pixels:
        values = [[[v - 128 if v < 128 else min(v - 127, 127) for v in p] for p in row] for row in image]
    else:
        values = [[[1 if v >= 128 else -1 for v in p] for p in row] for row in image]
    # What stands where a window leaves the map: a number that the input can hold.
    blank = 0 if pixels else -1
    parameters = iter(network.layers)
    for position, layer in enumerate(topology.layers):
        height, width, channels = len(values), len(values[0]), len(values[0][0])
        if isinstance(layer, Pool):
            values = [
                [
                    [
                        max(values[y + dy][x + dx][c] for dy in range(layer.size) for dx in range(layer.size))
                        for c in range(channels)
                    ]
                    for x in range(0, width - layer.size + 1, layer.stride)
                ]
                for y in range(0, height - layer.size + 1, layer.stride)
            ]
            continue
        if isinstance(layer, Conv):
            p, k = layer.padding, layer.kernel
            fields = [
                [
                    [
                        values[y + ky][x + kx][c] if 0 <= y + ky < height and 0 <= x + kx < width else blank
                        for ky in range(k)
                        for kx in range(k)
                        for c in range(channels)
                    ]
                    for x in range(-p, width + p - k + 1, layer.stride)
                ]
                for y in range(-p, height + p - k + 1, layer.stride)
            ]
        else:
            fields = [[[v for row in values for p in row for v in p]]]
        mine = next(parameters)
        weights, thresholds = mine.weights.tolist(), mine.thresholds.tolist()

        def accumulate(row: list[int], field: list[int], pixels: bool = pixels) -> int:
            if pixels:
                # Thresholds are in units of 1/256, q in units of 1/128.
                return 2 * sum(w * v for w, v in zip(row, field))
            if one_bit_network:
                return sum(w == v for w, v in zip(row, field))
            return sum(w * v for w, v in zip(row, field))

        sums = [[[accumulate(row, field) for row in weights] for field in line] for line in fields]
        if position == len(topology.layers) - 1:
            if topology.output == "scores":
                return sums[0][0]
            return [int(s > t[0]) for s, t in zip(sums[0][0], thresholds)]
        if topology.activation_bits == 1:
            values = [[[1 if s > t[0] else -1 for s, t in zip(p, thresholds)] for p in line] for line in sums]
        else:
            values = [
                [[-1 + (s > t[0]) + (s > t[1]) for s, t in zip(p, thresholds)] for p in line] for line in sums
            ]
        pixels = False
        blank = -1 if topology.activation_bits == 1 else 0
    raise AssertionError


@settings(max_examples=150, deadline=None)
@given(topologies(), seeds)
def test_it_equals_the_plain_evaluator(topology: Topology, seed: int) -> None:
    network = random_network(topology, seed, extreme=0.2)
    batch = random_batch(topology, 2, seed=seed)
    channels = topology.input.channels
    nested = batch.reshape(2, topology.input.height, topology.input.width, channels).tolist()
    assert scores(network, batch).tolist() == [plain_scores(network, image) for image in nested]


@pytest.mark.parametrize("output", ["scores", "bits"])
def test_no_images_give_no_scores(output: Literal["scores", "bits"]) -> None:
    topology = Topology(
        name="t", input=Input(height=4, width=4), layers=(Conv(outputs=2), Dense(outputs=3)), output=output
    )
    found = scores(random_network(topology, 1, extreme=0.2), np.zeros((0, 4, 4), np.uint8))
    assert (found.shape, found.dtype) == ((0, 3), np.int32)


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_an_image_scores_the_same_alone_and_in_any_batch(seed: int) -> None:
    topology = Topology(
        name="t",
        input=Input(height=64, width=64, channels=3),
        layers=(Conv(outputs=4, kernel=9), Pool(size=56), Dense(outputs=5)),
    )
    network = random_network(topology, seed, extreme=0.2)
    # More windows than one chunk holds.
    batch = random_batch(topology, 12, seed=seed)
    together = scores(network, batch)
    alone = np.concatenate([scores(network, image[None]) for image in batch])
    assert np.array_equal(together, alone)
    assert np.array_equal(scores(network, batch[::-1]), together[::-1])


def test_a_thousand_classes() -> None:
    topology = Topology(
        name="t", input=Input(height=2, width=3, bits=1), layers=(Dense(outputs=1000),), activation_bits=2
    )
    network = random_network(topology, 3, extreme=0.2)
    batch = random_batch(topology, 2, seed=3)
    signed = np.where(batch.reshape(2, 6) >= 128, 1, -1)
    assert np.array_equal(scores(network, batch), signed @ network.layers[0].weights.T.astype(np.int32))


@pytest.mark.parametrize("fan_in", [2**16, 2**20])
def test_sums_too_large_for_single_precision_are_exact(fan_in: int) -> None:
    topology = Topology(
        name="t", input=Input(height=fan_in // 1024, width=1024), layers=(Dense(outputs=2),), weight_bits=2
    )
    batch = random_batch(topology, 1, seed=1)
    batch[:, : fan_in // 1024 * 7 // 8] = 0
    weights = random_network(topology, 1, extreme=0.2).layers[0].weights.copy()
    # Nearly the largest sum there is, but odd.
    weights[:, : fan_in * 7 // 8] = -2
    weights[:, 0] = -1
    network = Network(
        topology=topology, layers=(LayerParameters(weights=weights, thresholds=np.zeros((2, 0), np.int32)),)
    )
    q = encode(topology.input, batch).reshape(-1).astype(np.int64)
    assert scores(network, batch).tolist() == [(2 * (weights.astype(np.int64) @ q)).tolist()]


def test_a_threshold_equal_to_the_accumulator_does_not_fire() -> None:
    topology = Topology(
        name="t", input=Input(height=1, width=3, bits=1), layers=(Dense(outputs=2),), output="bits"
    )
    layer = LayerParameters(weights=np.ones((2, 3), np.int8), thresholds=np.array([[2], [1]], np.int32))
    network = Network(topology=topology, layers=(layer,))
    # Two of three inputs agree with their weight.
    assert scores(network, np.array([[[255, 255, 0]]], np.uint8)).tolist() == [[0, 1]]


def test_the_order_of_two_thresholds_does_not_matter() -> None:
    topology = Topology(
        name="t",
        input=Input(height=3, width=3),
        layers=(Dense(outputs=7), Dense(outputs=4)),
        activation_bits=2,
    )
    network = random_network(topology, 5, extreme=0.2)
    swapped = Network(
        topology=topology,
        layers=[
            LayerParameters(weights=layer.weights, thresholds=np.ascontiguousarray(layer.thresholds[:, ::-1]))
            for layer in network.layers
        ],
    )
    batch = random_batch(topology, 20, seed=5)
    assert np.array_equal(scores(network, batch), scores(swapped, batch))


def test_bytes_become_the_pixels_that_the_original_rounds_to() -> None:
    bytes_ = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    found = encode(Input(height=16, width=16), bytes_).ravel()
    # 2v/255 - 1 rounded half up to 1/128, saturated to [-128, 127].
    value = np.arange(256) * 2 / 255 - 1
    assert np.array_equal(found, np.clip(np.floor(value * 128 + 0.5), -128, 127))


def test_a_one_bit_input_is_set_from_128_on() -> None:
    found = encode(Input(height=1, width=4, bits=1), np.array([[[0, 127, 128, 255]]], np.uint8))
    assert found.ravel().tolist() == [-1, -1, 1, 1]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=64))
def test_output_words_hold_class_k_at_bit_k(bits: list[int]) -> None:
    words = output_words(np.array([bits], np.int32))
    assert words.dtype == np.uint64
    assert int(words[0]) == sum(bit << position for position, bit in enumerate(bits))


def test_the_callers_batch_is_not_changed() -> None:
    topology = Topology(name="t", input=Input(height=3, width=3), layers=(Dense(outputs=2),))
    batch = random_batch(topology, seed=1)
    before = batch.copy()
    NumpyExecutor(random_network(topology, 1, extreme=0.2)).scores(batch)
    assert np.array_equal(batch, before)


def test_a_read_only_and_a_strided_batch_are_taken() -> None:
    topology = Topology(name="t", input=Input(height=3, width=3), layers=(Dense(outputs=2),))
    network = random_network(topology, 1, extreme=0.2)
    wide = random_batch(topology, 8, seed=1)
    wide.flags.writeable = False
    assert np.array_equal(scores(network, wide[::2]), scores(network, wide)[::2])


def test_another_shape_is_an_input_error() -> None:
    topology = Topology(name="t", input=Input(height=3, width=3), layers=(Dense(outputs=2),))
    with pytest.raises(InputError, match=r"\[N, 3, 3\].*found uint8 \[1, 3, 4\]"):
        scores(random_network(topology, 1, extreme=0.2), np.zeros((1, 3, 4), np.uint8))


@settings(max_examples=60, deadline=None)
@given(topologies(), seeds)
def test_a_map_that_is_done_row_by_row_and_neuron_by_neuron_is_the_same(topology: Topology, seed: int) -> None:
    network = random_network(topology, seed)
    batch = random_batch(topology, 3, seed=seed)
    whole = scores(network, batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bnnhw.reference._CHUNK_ELEMENTS", 20)
        assert np.array_equal(scores(network, batch), whole)


def test_a_large_map_takes_little_memory() -> None:
    """All windows of this one are 230 MB as floating point."""
    topology = Topology(
        name="t",
        input=Input(height=400, width=400),
        layers=(Conv(outputs=4, kernel=19, padding=9), Pool(size=400), Dense(outputs=2)),
    )
    network, batch = random_network(topology, 1), random_batch(topology, 1)
    tracemalloc.start()
    try:
        scores(network, batch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20
