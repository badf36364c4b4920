"""Transactions on the registers are the protocol's, and no more than needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from batches import random_batch
from bnnhw.errors import BackendError
from bnnhw.fpga.accelerator import Accelerator
from bnnhw.fpga.words import WordRun, parameter_words
from bnnhw.topology import Folding, matrix_stages
from virtual_board.networks import CNV, CNV_FOLDING, DESIGNS

from bnncore.publishing.random_network import random_network


class Recorder:
    """Registers that are always done, and remember every access."""

    words: npt.NDArray[np.uint32] | None = None

    def __init__(self) -> None:
        self.log: list[tuple[int, int]] = []

    def read(self, offset: int) -> int:
        assert offset == 0
        return 0b110

    def write(self, offset: int, value: int) -> None:
        self.log.append((offset, value))


def run(layer: int, memory: int, threshold: int, *words: int) -> WordRun:
    return WordRun(layer=layer, memory=memory, threshold=threshold, words=np.array(words, np.uint64))


def test_only_registers_that_change_are_written() -> None:
    registers = Recorder()
    Accelerator(registers, 1.0).store([run(4, 1, 0, 5, 5, 6 | 7 << 32), run(5, 1, 1, 6)])
    assert registers.log == [
        (0x28, 1), (0x30, 4), (0x38, 1), (0x48, 0),
        (0x40, 0), (0x50, 5), (0x54, 0), (0x00, 1),
        (0x40, 1), (0x00, 1),
        (0x40, 2), (0x50, 6), (0x54, 7), (0x00, 1),
        (0x30, 5), (0x48, 1),
        (0x40, 0), (0x54, 0), (0x00, 1),
    ]  # fmt: skip


def test_a_second_batch_of_the_same_size_only_starts() -> None:
    registers = Recorder()
    accelerator = Accelerator(registers, 1.0)
    accelerator.classify(3, 0x1000, 0x2_0000_2000)
    first = list(registers.log)
    accelerator.classify(3, 0x1000, 0x2_0000_2000)
    assert first == [
        (0x28, 0), (0x10, 0x1000), (0x14, 0), (0x1C, 0x2000), (0x20, 2), (0x5C, 3), (0x00, 1),
    ]  # fmt: skip
    assert registers.log[len(first) :] == [(0x00, 1)]


def test_every_word_of_the_network_is_sent_once() -> None:
    words = parameter_words(random_network(CNV, 1), CNV_FOLDING)
    registers = Recorder()
    count = Accelerator(registers, 1.0).store(words)
    stages = matrix_stages(CNV)
    expected = sum(
        stage.outputs * (stage.fan_in // layer.simd + stage.thresholds)
        for stage, layer in zip(stages, CNV_FOLDING.layers)
    )
    assert count == expected
    assert sum(offset == 0 for offset, _ in registers.log) == expected


def test_an_accelerator_that_never_gets_idle_is_reported() -> None:
    registers = Recorder()
    registers.read = lambda offset: 0  # type: ignore[method-assign]  # a broken register
    with pytest.raises(BackendError, match=r"more than 0\.02 s to become idle\. Likely causes: its clock"):
        Accelerator(registers, 0.02).wait_until_idle()


def test_a_done_that_nobody_read_is_dropped() -> None:
    answers = [0b110, 0b100, 0b110]
    registers = Recorder()
    registers.read = lambda offset: answers.pop(0)  # type: ignore[method-assign]  # a broken register
    accelerator = Accelerator(registers, 1.0)
    accelerator.wait_until_idle()
    accelerator.classify(1, 0, 0)
    assert not answers


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cnvW1A1", 136_512),
        ("cnvW1A2", 138_432),
        ("cnvW2A2", 360_512),
        ("lfcW1A1", 73_792),
        ("lfcW1A2", 76_864),
    ],
)
def test_published_networks_have_as_many_words_as_the_protocol_says(name: str, words: int) -> None:
    from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES

    network = random_network(TOPOLOGIES[name], 1)
    assert sum(len(run.words) for run in parameter_words(network, FOLDINGS[name])) == words


def test_small_designs_fold() -> None:
    # The rest of the tests stand on these.
    for design in DESIGNS.values():
        assert isinstance(design.folding, Folding)
        design.folding.check(design.topology)
        assert random_batch(design.topology, 1).shape[1:] == design.topology.input.shape
