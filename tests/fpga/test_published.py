"""The published accelerators, on BNN-PYNQ's own parameters and images, give its exact outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bnnhw.fpga.executor import FpgaExecutor
from bnnhw.fpga.words import parameter_words
from virtual_board.board import VirtualBoard
from virtual_board.designs import Design, write_overlay

from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.formats.binparam import read_binparam

SETS = ["cifar10/cnvW1A1", "cifar10/cnvW1A2", "cifar10/cnvW2A2", "mnist/lfcW1A1", "mnist/lfcW1A2"]


@pytest.mark.parametrize("name", SETS)
def test_words_are_those_of_the_published_files(binparams: Path, name: str) -> None:
    topology, folding = TOPOLOGIES[Path(name).name], FOLDINGS[Path(name).name]
    network, _ = read_binparam(binparams / name, topology, folding)
    for run in parameter_words(network, folding):
        kind = "thres" if run.layer % 2 else "weights"
        stored = np.fromfile(binparams / name / f"{run.layer // 2}-{run.memory}-{kind}.bin", "<u8")
        values = len(stored) // len(run.words)
        np.testing.assert_array_equal(run.words, stored[run.threshold :: values])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10/cnvW1A1", "mnist/lfcW1A2"])
def test_scores_are_those_of_bnn_pynq(test_data: Path, binparams: Path, tmp_path: Path, name: str) -> None:
    # The other three take longer and run with the real pynq; see tests/pynq.
    topology, folding = TOPOLOGIES[Path(name).name], FOLDINGS[Path(name).name]
    network, classes = read_binparam(binparams / name, topology, folding)
    overlay = write_overlay(tmp_path, topology.name, design=Design(topology=topology, folding=folding))
    board = VirtualBoard(tmp_path, [overlay])
    executor = FpgaExecutor(network, folding=folding, bit=overlay.bit, device=board, directory=tmp_path)
    with np.load(test_data / "bnn-pynq" / "oracle" / f"{name.replace('/', '-')}.npz") as oracle:
        found = executor.scores(oracle["inputs"][:10])
        np.testing.assert_array_equal(found[:, : len(classes)], oracle["scores"][:10])
    executor.close()
    assert not board.memory.blocks
