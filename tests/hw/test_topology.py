"""Topologies: what is refused, the shapes that follow, digests and plain data."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import attrs
import pytest
from bnnhw.errors import BnnError, TopologyError
from bnnhw.topology import (
    MAX_FAN_IN,
    MAX_LAYERS,
    MAX_MAP,
    Conv,
    Dense,
    Folding,
    Input,
    Pool,
    Topology,
    first_difference,
    matrix_stages,
    signature,
    stages,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import topologies

from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES


def small(*layers: Any, **options: Any) -> Topology:
    given = options.pop("input", Input(height=8, width=8, channels=3))
    return Topology(name="small", input=given, layers=layers or (Conv(outputs=4), Dense(outputs=2)), **options)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "options"),
    [
        (Input, {"height": 0, "width": 1}),
        (Input, {"height": 1, "width": 4097}),
        (Input, {"height": 1, "width": 1, "channels": 0}),
        (Input, {"height": 1, "width": 1, "bits": 4}),
        (Input, {"height": 1.0, "width": 1}),
        (Input, {"height": True, "width": 1}),
        (Conv, {"outputs": 0}),
        (Conv, {"outputs": "64"}),
        (Conv, {"outputs": 1, "kernel": 0}),
        (Conv, {"outputs": 1, "stride": 0}),
        (Conv, {"outputs": 1, "padding": -1}),
        (Conv, {"outputs": 1, "kernel": 3, "padding": 3}),
        (Pool, {"size": 0}),
        (Pool, {"stride": 0}),
        (Dense, {"outputs": -5}),
        (Dense, {"outputs": 65537}),
        (Dense, {"outputs": None}),
    ],
)
def test_an_impossible_value_is_refused_by_name(record: type, options: dict[str, Any]) -> None:
    with pytest.raises(TopologyError, match=rf"{record.__name__}\.\w+ must be"):
        record(**options)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "last layer must be a Dense"),
        ((Conv(outputs=2),), "last layer must be a Dense"),
        ((Dense(outputs=2), Pool()), "last layer must be a Dense"),
        ((Pool(), Dense(outputs=2)), r"layer 0 \(Pool\): the first layer must have weights"),
        ((Dense(outputs=2), Conv(outputs=2), Dense(outputs=2)), r"layer 1 \(Conv\): only Dense"),
        ((Dense(outputs=2), Pool(), Dense(outputs=2)), r"layer 1 \(Pool\): only Dense"),
        (
            (Conv(outputs=2, kernel=9), Dense(outputs=2)),
            r"layer 0 \(Conv\): a window of 9x9 does not fit into 8x8",
        ),
        ((Conv(outputs=2), Pool(size=7), Dense(outputs=2)), r"layer 1 \(Pool\): a window of 7x7 .* 6x6"),
        ((Conv(outputs=2), {}, Dense(outputs=2)), r"layer 1 \(dict\): expected a Conv, Pool or Dense"),
        (("conv", Dense(outputs=2)), r"layer 0 \(str\): expected a Conv, Pool or Dense"),
    ],
)
def test_layers_that_do_not_fit_are_refused_by_position(layers: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        Topology(name="t", input=Input(height=8, width=8, channels=3), layers=layers)


@pytest.mark.parametrize(
    "options",
    [
        {"weight_bits": 3},
        {"activation_bits": 0},
        {"output": "words"},
        {"input": (8, 8)},
        {"weight_bits": True},
        {"summary": 5},
    ],
)
def test_an_impossible_option_is_one_of_our_errors(options: dict[str, Any]) -> None:
    with pytest.raises(BnnError):
        small(**options)


@pytest.mark.parametrize("name", [None, 5, b"cnv"])
def test_a_name_that_is_no_text_is_one_of_our_errors(name: object) -> None:
    with pytest.raises(BnnError, match="name"):
        Topology(name=name, input=Input(height=1, width=1), layers=(Dense(outputs=1),))  # type: ignore[arg-type]  # on purpose


def test_layers_that_are_no_sequence_are_one_of_our_errors() -> None:
    with pytest.raises(BnnError, match="layers"):
        Topology(name="t", input=Input(height=1, width=1), layers=Dense(outputs=1))  # type: ignore[arg-type]  # on purpose


def test_more_layers_than_the_limit_are_refused() -> None:
    with pytest.raises(TopologyError, match=f"the limit is {MAX_LAYERS}"):
        small(*[Dense(outputs=1)] * (MAX_LAYERS + 1))
    assert len(stages(small(*[Dense(outputs=1)] * MAX_LAYERS))) == MAX_LAYERS


def test_a_map_past_the_limit_is_refused() -> None:
    at_limit = Input(height=4096, width=4096)
    convolution = Conv(outputs=1, kernel=4, stride=4)
    assert stages(small(convolution, Dense(outputs=1), input=at_limit))[0].input_shape == (4096, 4096, 1)
    with pytest.raises(
        TopologyError, match=rf"4096x4096 places and 1 channels, padded by 1; the limit is {MAX_MAP}"
    ):
        small(attrs.evolve(convolution, padding=1), Dense(outputs=1), input=at_limit)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        # Kernels store one channel like 64.
        ([Conv(outputs=1, kernel=1)] * 20, "values in maps"),
        ([Conv(outputs=16), Conv(outputs=512, kernel=31)], "operations an image"),
        ([Conv(outputs=4, kernel=1), Pool(size=512, stride=1)], "operations an image"),
        (
            [Conv(outputs=1, kernel=1), Conv(outputs=8192, kernel=30, stride=900)],
            "channels are stored in groups of 64",
        ),
    ],
)
def test_what_takes_memory_or_time_without_end_is_refused(layers: list[Any], message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        small(*layers, Dense(outputs=1), input=Input(height=1000, width=1000))


def test_networks_on_photographs_are_within_the_limits() -> None:
    """The costliest that are in use: VGG-19, 2**34 operations, on pictures of 224x224."""
    layers: list[Any] = []
    for outputs, count in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        layers += [*[Conv(outputs=outputs, padding=1)] * count, Pool()]
    found = small(
        *layers, *[Dense(outputs=4096)] * 2, Dense(outputs=1000), input=Input(height=224, width=224, channels=3)
    )
    assert found.operations > 2**34


def test_a_fan_in_past_the_limit_is_refused() -> None:
    at_limit = Input(height=1024, width=1024)
    assert matrix_stages(small(Dense(outputs=1), input=at_limit))[0].fan_in == MAX_FAN_IN
    with pytest.raises(TopologyError, match=r"1049600 inputs a neuron.*the limits are 1048576"):
        small(Dense(outputs=1), input=Input(height=1025, width=1024))


def test_more_weights_than_the_limit_are_refused() -> None:
    with pytest.raises(TopologyError, match=r"layer 1 .*weights so far"):
        small(Dense(outputs=65536), Dense(outputs=65536), input=Input(height=1, width=1))


# -- the shapes that follow ------------------------------------------------------------------------

# Rows of the table in the format's description: output shape and fan-in of each layer with weights.
CNV = [
    ((30, 30, 64), 27),
    ((28, 28, 64), 576),
    ((12, 12, 128), 576),
    ((10, 10, 128), 1152),
    ((3, 3, 256), 1152),
    ((1, 1, 256), 2304),
    ((1, 1, 512), 256),
    ((1, 1, 512), 512),
    ((1, 1, 64), 512),
]
LFC = [((1, 1, 1024), 784), ((1, 1, 1024), 1024), ((1, 1, 1024), 1024), ((1, 1, 64), 1024)]


@pytest.mark.parametrize("name", ["cnvW1A1", "cnvW1A2", "cnvW2A2", "lfcW1A1", "lfcW1A2"])
def test_the_published_networks_have_their_published_shapes(name: str) -> None:
    found = [(stage.output_shape, stage.fan_in) for stage in matrix_stages(TOPOLOGIES[name])]
    assert found == (CNV if name.startswith("cnv") else LFC)


@pytest.mark.parametrize(
    ("name", "thresholds", "accumulators"),
    [
        ("cnvW1A1", [1] * 8 + [0], ["pixels"] + ["popcount"] * 8),
        ("cnvW1A2", [2] * 8 + [0], ["pixels"] + ["signed"] * 8),
        ("cnvW2A2", [2] * 8 + [0], ["pixels"] + ["signed"] * 8),
        ("lfcW1A1", [1] * 4, ["popcount"] * 4),
        ("lfcW1A2", [2, 2, 2, 1], ["signed"] * 4),
    ],
)
def test_the_published_networks_have_their_published_accumulators(
    name: str, thresholds: list[int], accumulators: list[str]
) -> None:
    matrices = matrix_stages(TOPOLOGIES[name])
    assert [stage.thresholds for stage in matrices] == thresholds
    assert [stage.accumulator for stage in matrices] == accumulators


def test_operations_are_the_published_figures() -> None:
    assert round(TOPOLOGIES["cnvW1A1"].operations, -5) == 59_500_000
    assert round(TOPOLOGIES["lfcW1A1"].operations, -5) == 3_000_000


@pytest.mark.parametrize(("name", "precision"), [("cnvW2A2", "W2A2"), ("lfcW1A2", "W1A2")])
def test_precision_is_the_usual_short_form(name: str, precision: str) -> None:
    assert TOPOLOGIES[name].precision == precision


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        (Conv(outputs=1, kernel=3), 5),
        (Conv(outputs=1, kernel=3, stride=2), 3),
        (Conv(outputs=1, kernel=3, padding=1), 7),
        (Conv(outputs=1, kernel=4, stride=3, padding=3), 4),
        (Conv(outputs=1, kernel=7), 1),
    ],
)
def test_a_window_that_does_not_divide_the_map_drops_the_rest(layer: Conv, side: int) -> None:
    topology = small(layer, Dense(outputs=1), input=Input(height=7, width=7))
    assert stages(topology)[0].output_shape == (side, side, 1)


@given(topologies())
def test_every_stage_takes_what_the_one_before_gives(topology: Topology) -> None:
    shape = (topology.input.height, topology.input.width, topology.input.channels)
    for stage in stages(topology):
        assert stage.input_shape == shape
        shape = stage.output_shape
    assert shape == (1, 1, topology.outputs)


@given(topologies())
def test_only_the_last_stage_may_be_without_thresholds(topology: Topology) -> None:
    *before, last = matrix_stages(topology)
    assert all(stage.thresholds == topology.activation_bits for stage in before)
    assert last.thresholds == (1 if topology.output == "bits" else 0)


# -- digests and plain data ------------------------------------------------------------------------


def test_the_published_digests_never_change() -> None:
    # Parameter files and bitstreams carry these: a change orphans everything that was published.
    assert {name: topology.digest[:16] for name, topology in TOPOLOGIES.items()} == {
        "cnvW1A1": "9875126fc29f9dd1",
        "cnvW1A2": "129cbe4f01e3799d",
        "cnvW2A2": "637c6daa3bb52d4f",
        "lfcW1A1": "54fac22233db12e8",
        "lfcW1A2": "fbe549cb7142fbec",
    }


def test_the_digest_does_not_depend_on_the_process() -> None:
    program = "from bnncore.builtin.topologies import TOPOLOGIES; print(TOPOLOGIES['cnvW1A1'].digest)"
    found = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == TOPOLOGIES["cnvW1A1"].digest


def test_name_and_summary_are_not_part_of_the_digest() -> None:
    assert small().digest == attrs.evolve(small(), name="other", summary="text").digest


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        (small(input=Input(height=8, width=9, channels=3)), "input: expected .*8x8x3.*, found .*8x9x3"),
        (small(input=Input(height=8, width=8, channels=3, bits=1)), "input: .*8-bit.*1-bit"),
        (small(weight_bits=2), "input: .*W1A1.*W2A1"),
        (small(activation_bits=2), "input: .*W1A1.*W1A2"),
        (small(Conv(outputs=5), Dense(outputs=2)), "layer 0: .*3->4.*3->5"),
        (small(Conv(outputs=4, stride=2), Dense(outputs=2)), "layer 0: .*stride 1.*stride 2"),
        (small(Conv(outputs=4, padding=1), Dense(outputs=2)), "layer 0: .*padding 0.*padding 1"),
        (small(Conv(outputs=4, kernel=2), Dense(outputs=2)), "layer 0: .*3x3.*2x2"),
        (small(Conv(outputs=4), Pool(), Dense(outputs=2)), "layer 1: expected 'dense.*found 'pool"),
        (small(Conv(outputs=4), Dense(outputs=3)), "layer 1: .*->2.*->3"),
        (small(Conv(outputs=4), Dense(outputs=2), Dense(outputs=2)), "layer 2: .*found 'dense"),
        (small(output="bits"), "scores.*bits"),
    ],
)
def test_any_change_of_shape_or_meaning_changes_the_digest_and_is_named(
    changed: Topology, difference: str
) -> None:
    assert changed.digest != small().digest
    found = first_difference(small(), changed)
    assert found is not None
    assert re.search(difference, found)


@given(topologies(), topologies())
def test_a_difference_is_found_where_digests_differ_and_only_there(one: Topology, other: Topology) -> None:
    assert (first_difference(one, other) is None) == (one.digest == other.digest)
    assert first_difference(one, one) is None


@given(topologies())
def test_plain_data_survive_json(topology: Topology) -> None:
    again = Topology.from_dict(json.loads(json.dumps(topology.to_dict())))
    assert again == topology
    assert again.digest == topology.digest


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.pop("layers"),
        lambda data: data.pop("input"),
        lambda data: data.pop("name"),
        lambda data: data.update(surprise=1),
        lambda data: data.update(layers=5),
        lambda data: data.update(layers=[5]),
        lambda data: data.update(layers=[{"kind": "lstm", "outputs": 5}]),
        lambda data: data.update(layers=[{"outputs": 5}]),
        lambda data: data.update(layers=[{"kind": "dense", "outputs": 5, "colour": "red"}]),
        lambda data: data.update(layers=[{"kind": ["dense"], "outputs": 5}]),
        lambda data: data.update(layers=[{"kind": "dense", "outputs": 2**70}]),
        lambda data: data.update(layers=[{"kind": "dense", "outputs": 2.0}]),
        lambda data: data.update(input=[8, 8, 3]),
        lambda data: data.update(input=None),
        lambda data: data.update(output=["scores"]),
        lambda data: data.update(weight_bits="1"),
        lambda data: data.update(name=None),
    ],
)
def test_plain_data_that_are_no_topology_are_refused(damage: Any) -> None:
    data = small().to_dict()
    damage(data)
    with pytest.raises(TopologyError):
        Topology.from_dict(data)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_refused_with_the_one_error(data: Any) -> None:
    with pytest.raises(TopologyError):
        Topology.from_dict(data)


def test_from_dict_does_not_change_what_it_is_given() -> None:
    data = small().to_dict()
    before = json.dumps(data)
    Topology.from_dict(data)
    assert json.dumps(data) == before


def test_a_topology_is_frozen_and_hashable() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        small().name = "other"  # type: ignore[misc]  # frozen
    assert len({small(), small(), small(weight_bits=2)}) == 2


def test_the_signature_has_one_line_a_layer() -> None:
    assert signature(small(Conv(outputs=4), Pool(), Dense(outputs=2))) == (
        "input 8x8x3 8-bit W1A1",
        "conv 3x3 stride 1 padding 0 3->4",
        "pool 2x2 stride 2",
        "dense 36->2",
        "output scores",
    )


def test_a_grey_input_has_no_channel_axis() -> None:
    assert Input(height=28, width=20).shape == (28, 20)
    assert Input(height=28, width=20, channels=3).shape == (28, 20, 3)


# -- foldings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TOPOLOGIES))
def test_the_published_foldings_fit(name: str) -> None:
    FOLDINGS[name].check(TOPOLOGIES[name])


@pytest.mark.parametrize(
    ("folding", "message"),
    [
        (Folding.of((4, 27)), "folding has 1 layers, topology 'small' has 2"),
        (Folding.of((3, 27), (1, 1)), "layer 0: PE 3 does not divide 4 outputs"),
        (Folding.of((4, 27), (1, 33)), "layer 1: SIMD 33 of 2 bits does not fit a 64-bit word"),
    ],
)
def test_a_folding_that_does_not_fit_is_refused(folding: Folding, message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        folding.check(small(weight_bits=2))


@pytest.mark.parametrize("layers", [5, [(4, 27)]])
def test_folding_layers_are_records(layers: Any) -> None:
    with pytest.raises(TopologyError, match="layers"):
        Folding(layers=layers)


@pytest.mark.parametrize(("pe", "simd"), [(0, 1), (1, 0), (1, 65), (4097, 1), (1.0, 1)])
def test_an_impossible_folding_is_refused(pe: Any, simd: Any) -> None:
    with pytest.raises(TopologyError, match="FoldingLayer"):
        Folding.of((pe, simd))


def test_the_foldings_digest_depends_on_both() -> None:
    folding = Folding.of((4, 27), (2, 8))
    digests = {
        folding.digest(small()),
        folding.digest(small(output="bits")),
        Folding.of((4, 27), (1, 8)).digest(small()),
        Folding.of((4, 27), (2, 16)).digest(small()),
    }
    assert len(digests) == 4
