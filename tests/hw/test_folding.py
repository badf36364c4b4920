"""Logical parameters to an accelerator's words and back, against the format's formulas."""

from __future__ import annotations

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import NetworkError
from bnnhw.folding import FoldedLayer, fold, folded_fan_in, stored_bits, unfold
from bnnhw.network import LayerParameters, Network
from bnnhw.reference import scores
from bnnhw.topology import Dense, Folding, FoldingLayer, Input, Topology, matrix_stages
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import foldings, seeds, topologies

from bnncore.publishing.random_network import random_network

INT16 = np.iinfo(np.int16)


def dense(fan_in: int, outputs: int, **options: object) -> Topology:
    given = Input(height=1, width=fan_in, bits=options.pop("bits", 1))  # type: ignore[arg-type]  # any
    return Topology(name="t", input=given, layers=(Dense(outputs=outputs),), **options)  # type: ignore[arg-type]  # any


@settings(max_examples=100, deadline=None)
@given(st.data(), topologies(), seeds)
def test_unfolding_gives_back_what_was_folded(data: st.DataObject, topology: Topology, seed: int) -> None:
    folding = data.draw(foldings(topology))
    # The pad shifts thresholds by at most a word.
    network = random_network(topology, seed, extreme=0.2, largest=INT16.max - 64)
    for stage, layer, parameters in zip(matrix_stages(topology), folding.layers, network.layers):
        found = unfold(stage, layer, topology.weight_bits, fold(stage, layer, topology.weight_bits, parameters))
        assert np.array_equal(found.weights, parameters.weights)
        assert np.array_equal(found.thresholds, parameters.thresholds)


@settings(max_examples=50, deadline=None)
@given(st.data(), topologies(), seeds)
def test_every_weight_lies_where_the_format_says(data: st.DataObject, topology: Topology, seed: int) -> None:
    folding = data.draw(foldings(topology))
    network = random_network(topology, seed, extreme=0.2, largest=INT16.max - 64)
    for stage, layer, parameters in zip(matrix_stages(topology), folding.layers, network.layers):
        words = fold(stage, layer, topology.weight_bits, parameters).weights
        bits = topology.weight_bits
        sf = -(-stage.fan_in // layer.simd)
        assert words.shape == (layer.pe, stage.outputs // layer.pe * sf)
        for o in range(stage.outputs):
            for i in range(stage.fan_in):
                word = int(words[o % layer.pe, o // layer.pe * sf + i // layer.simd])
                code = word >> i % layer.simd * bits & (1 << bits) - 1
                weight = parameters.weights[o, i]
                assert code == (int(weight > 0) if bits == 1 else weight % 4)


def test_every_threshold_lies_where_the_format_says() -> None:
    topology = Topology(
        name="t",
        input=Input(height=1, width=8),
        layers=(Dense(outputs=6), Dense(outputs=1)),
        activation_bits=2,
    )
    stage = matrix_stages(topology)[0]
    thresholds = np.arange(12, dtype=np.int32).reshape(6, 2)
    layer = LayerParameters(weights=np.ones((6, 8), np.int8), thresholds=thresholds)
    found = fold(stage, FoldingLayer(pe=3, simd=4), 1, layer).thresholds
    for o in range(6):
        assert found[o % 3, o // 3].tolist() == thresholds[o].tolist()


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from([(1, 1), (1, 2), (2, 1), (2, 2)]), st.integers(1, 9))
def test_pads_of_any_weight_compute_the_same(seed: int, bits: tuple[int, int], fan_in: int) -> None:
    """An accelerator adds its pad inputs; the unfolded network must answer as it does without them."""
    rng = np.random.default_rng(seed)
    simd, outputs = 8, 4
    padded = -(-fan_in // simd) * simd
    weight_bits, activation_bits = bits
    options = {"weight_bits": weight_bits, "activation_bits": activation_bits, "output": "bits"}
    narrow, wide = dense(fan_in, outputs, **options), dense(padded, outputs, **options)
    accelerator = random_network(wide, seed, extreme=0.2, largest=1000)
    stored = accelerator.layers[0]
    # With no pad to account for, folding is a plain change of order.
    words = fold(matrix_stages(wide)[0], FoldingLayer(pe=2, simd=simd), weight_bits, stored)
    logical = unfold(matrix_stages(narrow)[0], FoldingLayer(pe=2, simd=simd), weight_bits, words)
    images = rng.integers(0, 256, (20, 1, fan_in)).astype(np.uint8)
    # Pad inputs are the bit 0.
    seen = np.pad(images, ((0, 0), (0, 0), (0, padded - fan_in)))
    found = scores(Network(topology=narrow, layers=(logical,)), images)
    assert np.array_equal(found, scores(accelerator, seen))


@pytest.mark.parametrize("activation_bits", [1, 2])
def test_the_lfc_pad_is_that_of_the_published_packer(activation_bits: int) -> None:
    topology = dense(784, 32, activation_bits=activation_bits, output="bits")
    stage = matrix_stages(topology)[0]
    layer = random_network(topology, 1, extreme=0.2, largest=10_000).layers[0]
    folding = FoldingLayer(pe=32, simd=64)
    assert folded_fan_in(stage, folding) == 832
    folded = fold(stage, folding, 1, layer)
    # Pad weights are 1 bits: lanes 16 to 63 of the last word.
    assert np.all(folded.weights[:, 12] >> np.uint64(16) == np.uint64(2**48 - 1))
    lowered = 48 if activation_bits == 2 else 0
    assert np.array_equal(folded.thresholds[:, 0, 0], layer.thresholds[:, 0].astype(np.int64) - lowered)


@pytest.mark.parametrize(
    ("stored", "bits", "meant"),
    [
        (65535, 8, 65535),
        (2**24 - 1, 8, -1),
        (2**23, 8, -(2**23)),
        (65535, 1, -1),
        (32767, 1, 32767),
        (32768, 1, -32768),
        (-32768, 1, -32768),
        (2**16 + 5, 1, 5),
    ],
)
def test_only_the_low_bits_of_a_threshold_count(stored: int, bits: int, meant: int) -> None:
    topology = dense(8, 1, bits=bits, output="bits")
    folded = FoldedLayer(weights=np.zeros((1, 1), np.uint64), thresholds=np.array([[[stored]]], np.int64))
    found = unfold(matrix_stages(topology)[0], FoldingLayer(pe=1, simd=8), 1, folded)
    assert found.thresholds.tolist() == [[meant]]
    assert stored_bits(matrix_stages(topology)[0]) == (24 if bits == 8 else 16)


@pytest.mark.parametrize(("bits", "largest"), [(1, 2**15 - 1), (8, 2**23 - 1)])
def test_a_threshold_that_the_accelerator_cannot_hold_is_refused(bits: int, largest: int) -> None:
    topology = dense(8, 2, bits=bits, output="bits")
    stage = matrix_stages(topology)[0]
    folding = FoldingLayer(pe=2, simd=8)

    def layer(threshold: int) -> LayerParameters:
        return LayerParameters(
            weights=np.ones((2, 8), np.int8), thresholds=np.array([[0], [threshold]], np.int32)
        )

    for inside in (largest, -largest - 1):
        assert fold(stage, folding, 1, layer(inside)).thresholds[1].tolist() == [[inside]]
    for outside in (largest + 1, -largest - 2):
        with pytest.raises(
            NetworkError, match=rf"layer 0: threshold {outside} does not fit .* numpy and cpu only"
        ):
            fold(stage, folding, 1, layer(outside))


def test_missing_rows_of_zero_words_are_minus_one() -> None:
    stage = matrix_stages(dense(8, 4, output="bits"))[0]
    folded = FoldedLayer(weights=np.zeros((4, 1), np.uint64), thresholds=np.zeros((4, 1, 1), np.int64))
    found = unfold(stage, FoldingLayer(pe=4, simd=8), 1, folded)
    assert np.all(found.weights == -1)
    assert np.all(found.thresholds == 0)


@settings(max_examples=30, deadline=None)
@given(st.data(), topologies(), seeds)
def test_a_network_scores_the_same_after_folding(data: st.DataObject, topology: Topology, seed: int) -> None:
    folding: Folding = data.draw(foldings(topology))
    network = random_network(topology, seed, extreme=0.2, largest=INT16.max - 64)
    bits = topology.weight_bits
    layers = [
        unfold(stage, layer, bits, fold(stage, layer, bits, parameters))
        for stage, layer, parameters in zip(matrix_stages(topology), folding.layers, network.layers)
    ]
    batch = random_batch(topology, seed=seed)
    again = Network(topology=topology, layers=tuple(layers))
    assert np.array_equal(scores(again, batch), scores(network, batch))
