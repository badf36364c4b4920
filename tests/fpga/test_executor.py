"""A network on the accelerator gives the reference's integers, whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import BackendError, InputError, NetworkError, TopologyError
from bnnhw.fpga import owner
from bnnhw.fpga.batches import ImageFormat
from bnnhw.fpga.executor import FpgaExecutor
from bnnhw.network import LayerParameters, Network
from bnnhw.reference import scores
from bnnhw.topology import Dense, Folding, Input, Topology
from virtual_board.networks import CNV, LFC, TERNARY
from virtual_board.rig import Rig

from bnncore.publishing.random_network import random_network


@pytest.mark.parametrize("topology", [CNV, TERNARY, LFC], ids=lambda topology: topology.name)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_scores_are_the_references(rig: Rig, topology: Topology, count: int) -> None:
    network = random_network(topology, 1)
    batch = random_batch(topology, count)
    found = rig.make(network).scores(batch)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, scores(network, batch))


def test_all_byte_values_reach_the_first_layer(rig: Rig) -> None:
    network = random_network(CNV, 1)
    batch = np.resize(np.arange(256, dtype=np.uint8), (8, *CNV.input.shape))
    np.testing.assert_array_equal(rig.make(network).scores(batch), scores(network, batch))


def test_batches_beyond_the_buffers_are_cut_into_pieces(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_BUFFER_BYTES", 300)
    network = random_network(CNV, 1)
    batch = random_batch(CNV, 200)
    np.testing.assert_array_equal(rig.make(network).scores(batch), scores(network, batch))


def test_batch_that_is_no_batch_is_refused_before_the_board_is_touched(rig: Rig) -> None:
    with pytest.raises(InputError, match="expected a uint8 array"):
        rig.make(random_network(CNV, 1)).scores(np.zeros((1, 6, 4, 3), np.float32))
    assert rig.board.downloads == 0


def test_the_callers_batch_is_not_changed_and_may_be_read_only(rig: Rig) -> None:
    batch = random_batch(CNV, 3)
    before = batch.copy()
    batch.flags.writeable = False
    rig.make(random_network(CNV, 1)).scores(batch)
    np.testing.assert_array_equal(batch, before)


@pytest.mark.parametrize("forgotten", ["flush", "invalidate"])
def test_the_board_shows_a_forgotten_flush_and_invalidate(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    # The board must be able to fail the tests above.
    network = random_network(TERNARY, 1)
    executor = rig.make(network)
    batch = random_batch(TERNARY, 20)
    monkeypatch.setattr(f"virtual_board.memory.Block.{forgotten}", lambda block: None)
    assert not np.array_equal(executor.scores(batch), scores(network, batch))


@pytest.mark.parametrize(
    ("topology", "what"),
    [
        (
            Topology(name="odd", input=Input(height=3, width=3, channels=3), layers=(Dense(outputs=4),)),
            "an image",
        ),
        (Topology(name="odd", input=Input(height=4, width=4), layers=(Dense(outputs=5),)), "an answer"),
    ],
)
def test_layouts_that_nobody_has_defined_are_refused(topology: Topology, what: str) -> None:
    with pytest.raises(BackendError, match=f"{what} of topology 'odd' has .* no whole number"):
        ImageFormat(topology, Folding.of((1, 1)))


def test_negative_and_wide_thresholds_survive(rig: Rig) -> None:
    network = random_network(CNV, 1)
    first = network.layers[0]
    wide = np.full_like(first.thresholds, -(2**23))
    wide[::2] = 2**23 - 1
    network = Network(
        topology=CNV,
        layers=(LayerParameters(weights=first.weights, thresholds=wide), *network.layers[1:]),
    )
    batch = random_batch(CNV, 3)
    np.testing.assert_array_equal(rig.make(network).scores(batch), scores(network, batch))


def test_thresholds_that_the_accelerator_cannot_hold_are_refused(rig: Rig) -> None:
    network = random_network(CNV, 1)
    second = network.layers[1]
    wide = LayerParameters(weights=second.weights, thresholds=np.full_like(second.thresholds, 2**15))
    with pytest.raises(NetworkError, match="does not fit the accelerator's 16 bits"):
        rig.make(Network(topology=CNV, layers=(network.layers[0], wide, network.layers[2])))


def test_a_folding_of_another_network_is_refused(rig: Rig) -> None:
    with pytest.raises(TopologyError, match="PE 5 does not divide"):
        FpgaExecutor(
            random_network(CNV, 1),
            folding=Folding.of((5, 3), (3, 4), (2, 1)),
            bit=rig.overlays["cnv"].bit,
            device=rig.board,
        )


def test_a_missing_hand_off_file_is_named(rig: Rig) -> None:
    rig.overlays["cnv"].bit.with_suffix(".hwh").unlink()
    with pytest.raises(BackendError, match=r"cnv\.hwh: expected a file"):
        rig.make(random_network(CNV, 1))


def test_a_bitstream_of_another_part_is_refused(rig: Rig) -> None:
    with pytest.raises(BackendError, match="made for the part 7z020clg400, this board has xczu3eg-sbva484"):
        rig.make(random_network(CNV, 1), part="xczu3eg-sbva484")
    assert rig.board.downloads == 0


def test_outputs_that_no_answer_can_hold_are_refused(rig: Rig) -> None:
    topology = Topology(
        name="wide", input=Input(height=4, width=4, bits=1), layers=(Dense(outputs=65),), output="bits"
    )
    with pytest.raises(BackendError, match="more than 64 outputs"):
        FpgaExecutor(
            random_network(topology, 1),
            folding=Folding.of((5, 8)),
            bit=rig.overlays["lfc"].bit,
            device=rig.board,
        )


def test_a_closed_executor_says_so(rig: Rig) -> None:
    executor = rig.make(random_network(CNV, 1))
    executor.close()
    executor.close()
    with pytest.raises(BackendError, match="closed"):
        executor.scores(random_batch(CNV, 1))


def test_the_last_to_close_gives_all_memory_back(rig: Rig) -> None:
    first, second = rig.make(random_network(CNV, 1)), rig.make(random_network(CNV, 2))
    first.scores(random_batch(CNV, 1))
    first.close()
    second.scores(random_batch(CNV, 1))
    assert rig.board.memory.blocks
    second.close()
    assert not rig.board.memory.blocks


def test_time_is_accounted_for(rig: Rig) -> None:
    executor = rig.make(random_network(CNV, 1))
    executor.scores(random_batch(CNV, 4))
    spent = executor.seconds
    assert min(spent.prepare, spent.pack, spent.transfer, spent.compute) > 0
