"""Whatever happens on the board is reported in words, and the next use starts afresh."""

from __future__ import annotations

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import BackendError
from bnnhw.reference import scores
from virtual_board.memory import Memory
from virtual_board.networks import CNV, LFC
from virtual_board.rig import Rig

from bnncore.publishing.random_network import random_network


def works(rig: Rig, seed: int = 1) -> bool:
    """Say whether the board gives right answers."""
    network = random_network(CNV, seed)
    batch = random_batch(CNV, 3)
    return np.array_equal(rig.make(network).scores(batch), scores(network, batch))


@pytest.mark.parametrize("seed", [1, 2], ids=["classifying", "storing"])
def test_a_device_that_never_finishes_is_reported_and_reloaded(rig: Rig, seed: int) -> None:
    executor = rig.make(random_network(CNV, 1), timeout=0.02)
    executor.scores(random_batch(CNV, 1))
    rig.board.accelerator.hang = True
    stuck = rig.make(random_network(CNV, seed), timeout=0.02)
    with pytest.raises(BackendError, match=r"more than 0\.02 s .*Likely causes: its clock"):
        stuck.scores(random_batch(CNV, 1))
    assert works(rig)
    assert stuck.counters.downloads == 2


def test_memory_that_a_stuck_accelerator_may_write_is_kept_until_it_is_reloaded(rig: Rig) -> None:
    executor = rig.make(random_network(CNV, 1), timeout=0.02)
    executor.scores(random_batch(CNV, 1))
    held = list(rig.board.memory.blocks)
    rig.board.accelerator.hang = True
    with pytest.raises(BackendError):
        executor.scores(random_batch(CNV, 1))
    executor.close()
    assert rig.board.memory.blocks == held
    assert works(rig)
    assert not any(block in held for block in rig.board.memory.blocks)


def test_a_download_that_fails_is_reported_and_tried_again(rig: Rig) -> None:
    rig.board.fail_downloads = 1
    executor = rig.make(random_network(CNV, 1))
    with pytest.raises(BackendError, match=r"could not load the bitstream .*cnv\.bit: .*timed out"):
        executor.scores(random_batch(CNV, 1))
    assert works(rig)


def test_a_failed_download_leaves_nothing_resident(rig: Rig) -> None:
    first = rig.make(random_network(CNV, 1))
    first.scores(random_batch(CNV, 1))
    rig.board.fail_downloads = 1
    with pytest.raises(BackendError):
        rig.make(random_network(LFC, 1)).scores(random_batch(LFC, 1))
    assert works(rig)
    assert first.counters.downloads == 2


def test_little_contiguous_memory_means_small_pieces(rig: Rig) -> None:
    rig.board.memory = rig.board.accelerator._memory = Memory(size=2000)
    network = random_network(CNV, 1)
    batch = random_batch(CNV, 50)
    np.testing.assert_array_equal(rig.make(network).scores(batch), scores(network, batch))


def test_no_contiguous_memory_is_reported(rig: Rig) -> None:
    rig.board.memory = rig.board.accelerator._memory = Memory(size=80)
    with pytest.raises(BackendError, match="no contiguous memory for one image of 72 bytes"):
        rig.make(random_network(CNV, 1)).scores(random_batch(CNV, 1))
    assert not rig.board.memory.blocks
    rig.board.memory = rig.board.accelerator._memory = Memory()
    assert works(rig)


def test_memory_beyond_the_accelerators_reach_is_refused(rig: Rig) -> None:
    rig.board.memory = rig.board.accelerator._memory = Memory(base=0x1_0000_0000)
    with pytest.raises(BackendError, match="reaches addresses below 0x20000000 only"):
        rig.make(random_network(CNV, 1)).scores(random_batch(CNV, 1))
    assert not rig.board.memory.blocks


def test_an_interrupt_leaves_nothing_resident(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = rig.make(random_network(CNV, 1))
    executor.scores(random_batch(CNV, 1))
    with monkeypatch.context() as patch:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr("bnnhw.fpga.accelerator.Accelerator.classify", interrupt)
        with pytest.raises(KeyboardInterrupt):
            executor.scores(random_batch(CNV, 1))
    assert works(rig)
    assert executor.counters.downloads == 2
