"""The driver on the real pynq package and a virtual board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import BackendError
from bnnhw.fpga.owner import Counters
from bnnhw.network import Network
from bnnhw.reference import scores
from virtual_board.memory import Memory

from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.formats.binparam import read_binparam
from bnncore.publishing.random_network import random_network

LFC = TOPOLOGIES["lfcW1A1"]


@pytest.fixture(scope="module")
def digits(binparams: Path) -> Network:
    """Return BNN-PYNQ's digits: the smallest parameter set, 73,792 words."""
    return read_binparam(binparams / "mnist" / "lfcW1A1", LFC, FOLDINGS["lfcW1A1"])[0]


@pytest.mark.parametrize(
    "name", ["cifar10/cnvW1A1", "cifar10/cnvW1A2", "cifar10/cnvW2A2", "mnist/lfcW1A1", "mnist/lfcW1A2"]
)
def test_all_five_networks_agree_with_bnn_pynq_on_real_images(
    boards: Callable, test_data: Path, binparams: Path, name: str
) -> None:
    topology = TOPOLOGIES[Path(name).name]
    network, classes = read_binparam(binparams / name, topology, FOLDINGS[topology.name])
    with np.load(test_data / "bnn-pynq" / "oracle" / f"{name.replace('/', '-')}.npz") as oracle:
        inputs, expected = oracle["inputs"][:20], oracle["scores"][:20]
    executor = boards().make(network)
    found = executor.scores(inputs)
    np.testing.assert_array_equal(found, scores(network, inputs))
    np.testing.assert_array_equal(found[:, : len(classes)], expected)
    assert executor.counters == Counters(downloads=1, parameter_loads=1)


def test_a_board_without_mapped_registers(boards: Callable, digits: Network) -> None:
    batch = random_batch(LFC, 20)
    np.testing.assert_array_equal(boards(mapped=False).make(digits).scores(batch), scores(digits, batch))


def test_ultra96(boards: Callable, test_data: Path, binparams: Path) -> None:
    topology = TOPOLOGIES["cnvW1A1"]
    network, _ = read_binparam(binparams / "cifar10" / "cnvW1A1", topology, FOLDINGS["cnvW1A1"])
    batch = random_batch(topology, 2)
    rig = boards("ultra96")
    # Above what Zynq-7000 reaches, below what the Ultra96's accelerator does.
    rig.board.memory = rig.board.accelerator._memory = Memory(base=0x7000_0000)
    np.testing.assert_array_equal(rig.make(network).scores(batch), scores(network, batch))


@pytest.mark.parametrize(("kind", "clock", "mhz"), [("pynqZ1-Z2", 0, 100.0), ("ultra96", 2, 300.0)])
def test_the_accelerators_clock_is_set(boards: Callable, kind: str, clock: int, mhz: float) -> None:
    import pynq

    executor = boards(kind).make(random_network(TOPOLOGIES["cnvW1A1"], 1))
    executor.scores(random_batch(TOPOLOGIES["cnvW1A1"], 1))
    assert pynq.Clocks._instance.get_pl_clk(clock) == pytest.approx(mhz, rel=1e-3)


@pytest.mark.parametrize("intruder", ["foreign", "lfcW1A1"])
def test_an_overlay_that_the_user_loads_meanwhile_is_replaced(
    boards: Callable, digits: Network, intruder: str
) -> None:
    import pynq

    rig = boards()
    executor = rig.make(digits)
    batch = random_batch(LFC, 5)
    executor.scores(batch)
    pynq.Overlay(str(rig.overlays[intruder].bit), download=False)
    overlay = pynq.Overlay(str(rig.overlays[intruder].bit), download=False)
    # As our driver does, so that pynq 4 can set the clocks.
    for each in overlay.clock_dict.values():
        each["frequency"] = 100.0
    overlay.download()
    np.testing.assert_array_equal(executor.scores(batch), scores(digits, batch))
    assert executor.counters == Counters(downloads=2, parameter_loads=2)


def test_an_overlay_that_the_user_loads_meanwhile_is_left_if_asked(boards: Callable, digits: Network) -> None:
    import pynq

    rig = boards()
    executor = rig.make(digits, foreign="refuse")
    executor.scores(random_batch(LFC, 1))
    overlay = pynq.Overlay(str(rig.overlays["foreign"].bit), download=False)
    for each in overlay.clock_dict.values():
        each["frequency"] = 100.0
    overlay.download()
    with pytest.raises(BackendError, match="another program has loaded its own overlay"):
        executor.scores(random_batch(LFC, 1))
    assert overlay.is_loaded()


def test_a_device_that_never_finishes_is_reported_and_reloaded(boards: Callable, digits: Network) -> None:
    rig = boards()
    executor = rig.make(digits, timeout=0.05)
    batch = random_batch(LFC, 3)
    executor.scores(batch)
    rig.board.accelerator.hang = True
    with pytest.raises(BackendError, match="Likely causes: its clock"):
        executor.scores(batch)
    np.testing.assert_array_equal(executor.scores(batch), scores(digits, batch))
    assert executor.counters.downloads == 2


def test_a_download_that_fails_is_reported(boards: Callable, digits: Network) -> None:
    rig = boards()
    rig.board.fail_downloads = 1
    executor = rig.make(digits)
    with pytest.raises(
        BackendError, match=r"could not load the bitstream .*: FPGA manager: operation timed out"
    ):
        executor.scores(random_batch(LFC, 1))
    np.testing.assert_array_equal(executor.scores(random_batch(LFC, 1)), scores(digits, random_batch(LFC, 1)))


def test_no_contiguous_memory_is_reported(boards: Callable, digits: Network) -> None:
    rig = boards()
    rig.board.memory = rig.board.accelerator._memory = Memory(size=100)
    with pytest.raises(BackendError, match="no contiguous memory for one image of 104 bytes"):
        rig.make(digits).scores(random_batch(LFC, 1))


def test_a_hand_off_file_of_another_design_is_reported(boards: Callable, digits: Network) -> None:
    rig = boards()
    hwh = rig.overlays["lfcW1A1"].bit.with_suffix(".hwh")
    hwh.write_bytes(hwh.read_bytes().replace(b"BlackBoxJam", b"WhiteBoxJam"))
    with pytest.raises(BackendError, match="describes no BlackBoxJam_0"):
        rig.make(digits).scores(random_batch(LFC, 1))


def test_without_a_board_it_says_what_pynq_saw(
    boards: Callable, digits: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pynq

    rig = boards()
    monkeypatch.delattr(pynq.Device, "_active_device")
    monkeypatch.setattr(pynq.Device, "_devices", [])
    with pytest.raises(BackendError, match=r"sees no FPGA on this machine .*XILINX_XRT is not set"):
        rig.make(digits)


def test_networks_in_turn_cost_what_differs(boards: Callable, digits: Network, binparams: Path) -> None:
    rig = boards()
    other = random_network(LFC, 5)
    cnv = random_network(TOPOLOGIES["cnvW1A1"], 6)
    runs = [(network, rig.make(network)) for network in (digits, other, cnv)]
    counted = []
    for index in (0, 1, 0, 2, 0):
        network, executor = runs[index]
        batch = random_batch(network.topology, 2)
        np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))
        counted.append((executor.counters.downloads, executor.counters.parameter_loads))
    assert counted == [(1, 1), (1, 2), (1, 3), (2, 4), (3, 5)]
