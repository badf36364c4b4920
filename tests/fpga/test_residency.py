"""Networks used in turn give their own answers, and only what differs is loaded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import BackendError
from bnnhw.fpga import owner
from bnnhw.fpga.owner import Counters
from bnnhw.fpga.residency import Resident, locked
from bnnhw.reference import scores
from virtual_board.networks import CNV, LFC
from virtual_board.rig import Rig

from bnncore.publishing.random_network import random_network


def test_networks_in_turn_load_what_differs(rig: Rig) -> None:
    first, second, other = random_network(CNV, 1), random_network(CNV, 2), random_network(LFC, 3)
    runs = [(network, rig.make(network)) for network in (first, second, other)]
    counted = []
    for index in (0, 0, 1, 0, 2, 2, 0):
        network, executor = runs[index]
        batch = random_batch(network.topology, 3)
        np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))
        counted.append((executor.counters.downloads, executor.counters.parameter_loads))
    assert counted == [(1, 1), (1, 1), (1, 2), (1, 3), (2, 4), (2, 4), (3, 5)]


def test_two_classifiers_of_the_same_parameters_share_them(rig: Rig) -> None:
    batch = random_batch(CNV, 1)
    for _ in range(3):
        executor = rig.make(random_network(CNV, 1))
        executor.scores(batch)
    assert executor.counters == Counters(downloads=1, parameter_loads=1)


def test_the_counts_can_be_seen_without_the_executor(rig: Rig) -> None:
    rig.make(random_network(CNV, 1)).scores(random_batch(CNV, 1))
    assert owner.counters()[rig.board.name] == Counters(downloads=1, parameter_loads=1)


def test_what_is_loaded_outlives_the_classifier(rig: Rig) -> None:
    network = random_network(CNV, 1)
    with_first = rig.make(network)
    with_first.scores(random_batch(CNV, 1))
    with_first.close()
    again = rig.make(network)
    np.testing.assert_array_equal(again.scores(random_batch(CNV, 2)), scores(network, random_batch(CNV, 2)))
    assert again.counters == Counters(downloads=1, parameter_loads=1)


def test_threads_get_their_own_answers(rig: Rig) -> None:
    networks = [random_network(CNV, 1), random_network(CNV, 2), random_network(LFC, 3)]
    executors = [rig.make(network) for network in networks]

    def ask(turn: int) -> bool:
        index = turn % len(networks)
        batch = random_batch(networks[index].topology, 2, seed=turn)
        return np.array_equal(executors[index].scores(batch), scores(networks[index], batch))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(60)))


_OTHER_PROCESS = """
    import json, sys
    from pathlib import Path
    import numpy as np
    from bnnhw.fpga.executor import FpgaExecutor
    from bnnhw.reference import scores
    from virtual_board.board import VirtualBoard
    from virtual_board.designs import Overlay
    from batches import random_batch
    from virtual_board.networks import CNV, DESIGNS, LFC
    from bnncore.publishing.random_network import random_network

    folder = Path(sys.argv[1])
    overlays = [Overlay(bit=folder / f"{name}.bit", sha256=sha, design=DESIGNS.get(name))
                for name, sha in json.loads(sys.argv[2])]
    board = VirtualBoard(folder, overlays)
    right = True
    for turn in range(int(sys.argv[3])):
        topology = (CNV, LFC)[turn % 2] if sys.argv[4] == "both" else CNV
        network = random_network(topology, 7)
        name = topology.name.removeprefix("small")
        executor = FpgaExecutor(network, folding=DESIGNS[name].folding, bit=folder / f"{name}.bit", device=board,
                                directory=folder)
        batch = random_batch(topology, 3, seed=turn)
        right &= np.array_equal(executor.scores(batch), scores(network, batch))
    print(json.dumps([right, executor.counters.downloads, executor.counters.parameter_loads]))
"""


def other_process(rig: Rig, folder: Path, turns: int, which: str = "cnv") -> subprocess.Popen[str]:
    known = json.dumps([(name, overlay.sha256) for name, overlay in rig.overlays.items()])
    tests = str(Path(__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {tests!r})\n" + textwrap.dedent(_OTHER_PROCESS)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), known, str(turns), which], stdout=subprocess.PIPE, text=True
    )


def answer(process: subprocess.Popen[str]) -> list[object]:
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    result: list[object] = json.loads(output)
    return result


def test_another_process_uses_the_bitstream_that_is_there(rig: Rig, tmp_path: Path) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    batch = random_batch(CNV, 3)
    executor.scores(batch)
    # It stores its own parameters, without downloading…
    assert answer(other_process(rig, tmp_path, 1)) == [True, 0, 1]
    # … which this process notices.
    np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))
    assert executor.counters == Counters(downloads=1, parameter_loads=2)


def test_another_process_that_changed_the_bitstream_is_noticed(rig: Rig, tmp_path: Path) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    batch = random_batch(CNV, 3)
    executor.scores(batch)
    assert answer(other_process(rig, tmp_path, 2, "both")) == [True, 1, 2]
    np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))
    assert executor.counters == Counters(downloads=2, parameter_loads=2)


@pytest.mark.slow
def test_two_processes_at_once_give_their_own_answers(rig: Rig, tmp_path: Path) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    process = other_process(rig, tmp_path, 60, "both")
    turn = 0
    while process.poll() is None:
        batch = random_batch(CNV, 2, seed=turn)
        np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))
        turn += 1
    assert answer(process)[0] is True
    assert turn > 1


@pytest.mark.slow
def test_a_board_that_keeps_its_memory_to_who_downloaded_is_downloaded(rig: Rig, tmp_path: Path) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    executor.scores(random_batch(CNV, 1))
    answer(other_process(rig, tmp_path, 2, "both"))
    answer(other_process(rig, tmp_path, 1))
    rig.board.private = True
    np.testing.assert_array_equal(executor.scores(random_batch(CNV, 1)), scores(network, random_batch(CNV, 1)))
    assert executor.counters.downloads == 2


@pytest.mark.parametrize("intruder", ["foreign", "cnv"])
def test_an_overlay_loaded_meanwhile_is_replaced(rig: Rig, intruder: str) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    batch = random_batch(CNV, 3)
    executor.scores(batch)
    rig.board.load(rig.overlays[intruder].bit)
    np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))
    assert executor.counters == Counters(downloads=2, parameter_loads=2)


def test_an_overlay_loaded_meanwhile_is_left_alone_if_asked(rig: Rig) -> None:
    network = random_network(CNV, 1)
    polite, pushy = rig.make(network, foreign="refuse"), rig.make(network)
    batch = random_batch(CNV, 3)
    polite.scores(batch)
    rig.board.load(rig.overlays["foreign"].bit)
    for _ in range(2):
        with pytest.raises(BackendError, match="another program has loaded its own overlay"):
            polite.scores(batch)
    assert rig.board.fabric.design is None
    pushy.scores(batch)
    np.testing.assert_array_equal(polite.scores(batch), scores(network, batch))


def test_a_state_file_that_cannot_be_read_means_unknown(rig: Rig, tmp_path: Path) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    executor.scores(random_batch(CNV, 1))
    (file,) = tmp_path.glob("*.lock")
    for content in (b"", b"[]", b"{}", b"\xff", b'{"boot": "", "bitstream": 1}'):
        file.write_bytes(content)
        np.testing.assert_array_equal(
            executor.scores(random_batch(CNV, 1)), scores(network, random_batch(CNV, 1))
        )
    assert executor.counters == Counters(downloads=6, parameter_loads=6)


def test_a_restarted_machine_means_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = Resident(bitstream="b", parameters="p", stamp="s")
    with locked(tmp_path, "device", 1.0) as state:
        state.write(resident)
        assert state.read() == resident
        monkeypatch.setattr("bnnhw.fpga.residency._boot_id", lambda: "another")
        assert state.read() is None


def test_waiting_for_another_process_ends(tmp_path: Path) -> None:
    with (
        locked(tmp_path, "device", 1.0),
        pytest.raises(BackendError, match=r"more than 0\.02 s"),
        locked(tmp_path, "device", 0.02),
    ):
        pass


def test_waiting_for_another_thread_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_LEASE_TIMEOUT", 0.02)
    executor = rig.make(random_network(CNV, 1))
    with executor._owner._lock, pytest.raises(BackendError, match="another thread"):
        executor.scores(random_batch(CNV, 1))


def test_a_lock_that_this_user_may_not_write_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(BackendError, match="expected a lock file for the FPGA that this user may write"),
        locked(tmp_path / "missing", "device", 1.0),
    ):
        pass


def forked(work: Callable[[], object]) -> int:
    """Return the process that does the work and ends with 0 if it returned something true."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return child


def test_a_child_of_a_fork_does_not_keep_the_device_locked(tmp_path: Path) -> None:
    with locked(tmp_path, "fpga", 1):
        child = forked(threading.Event().wait)
    try:
        with locked(tmp_path, "fpga", 1) as state:
            state.write(Resident(bitstream="mine", parameters="", stamp=""))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_that_was_forked_in_a_lease_does_not_own_the_device(tmp_path: Path) -> None:
    resident = Resident(bitstream="parent", parameters="", stamp="")
    with locked(tmp_path, "fpga", 1) as state:
        state.write(resident)
        child = os.fork()
        if child == 0:
            state.write(None)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert state.read() == resident
        with pytest.raises(BackendError, match="another process"), locked(tmp_path, "fpga", 0):
            pass


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_uses_buffers_of_its_own(rig: Rig) -> None:
    network = random_network(CNV, 1)
    executor = rig.make(network)
    batch = random_batch(CNV, 2)
    executor.scores(batch)
    before = executor._owner._buffers
    child = forked(lambda: executor._owner._buffers is None and executor._owner._attached is None)
    assert os.waitpid(child, 0)[1] == 0
    assert executor._owner._buffers is before
    assert np.array_equal(executor.scores(batch), scores(network, batch))
