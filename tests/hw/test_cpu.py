"""The C kernels return the reference's integers, for every variant that this machine can run."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from batches import random_batch
from bnnhw.cpu import executor as cpu
from bnnhw.cpu import layout
from bnnhw.errors import BackendError, InputError
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import WIDE, networks, seeds
from variables import KERNEL_EXAMPLES

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.publishing.random_network import random_network

pytest.importorskip("bnnhw.cpu._compiled", reason="bnncore-hw was installed without its C kernels")

# Fewer where a sanitizer slows everything down.
EXAMPLES = int(KERNEL_EXAMPLES.value or KERNEL_EXAMPLES.default)

ISAS = [name for name, runs in cpu.variants().items() if runs]

SMALL = Topology(
    name="small",
    input=Input(height=9, width=8, channels=3),
    layers=(Conv(outputs=70), Conv(outputs=64), Pool(), Dense(outputs=10)),
)


def small(seed: int = 0):
    return random_network(SMALL, seed)


@pytest.mark.parametrize("isa", ISAS)
@settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), print_blob=True)
@given(network=networks(WIDE), count=st.integers(1, 19), seed=seeds)
def test_scores_are_the_references(isa, network, count, seed):
    batch = random_batch(network.topology, count, seed=seed)
    executor = cpu.CpuExecutor(network, isa=isa, threads=1)
    expected = scores(network, batch)
    found = executor.scores(batch)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)
    # Kernels have ways of their own for a single image.
    assert executor.single(batch[0]) == expected[0].tobytes()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("topology", TOPOLOGIES.values(), ids=lambda topology: topology.name)
def test_published_networks(isa, topology):
    network = random_network(topology, 5, lowest=-1)
    batch = random_batch(topology, seed=5)
    executor = cpu.CpuExecutor(network, isa=isa)
    expected = scores(network, batch)
    np.testing.assert_array_equal(executor.scores(batch), expected)
    assert executor.single(batch[0]) == expected[0].tobytes()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("input_bits", [1, 8])
def test_longest_sums(isa, input_bits):
    """A fan-in that overflows 8 and 16 bits, at the ends of what it can reach."""
    topology = Topology(
        name="long",
        input=Input(height=256, width=300, bits=input_bits),
        layers=(Dense(outputs=3),),
        weight_bits=2,
        activation_bits=2,
    )
    network = random_network(topology, 1)
    network.layers[0].weights.flags.writeable = True
    for row, value in enumerate((-2, 1, 0)):
        network.layers[0].weights[row] = value
    batch = np.stack([np.full((256, 300), value, np.uint8) for value in (0, 255)])
    found = cpu.CpuExecutor(network, isa=isa).scores(batch)
    np.testing.assert_array_equal(found, scores(network, batch))


def test_empty_batch_gives_no_scores():
    found = cpu.CpuExecutor(small()).scores(np.empty((0, 9, 8, 3), np.uint8))
    assert found.shape == (0, 10)
    assert found.dtype == np.int32


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((2, 9, 8), np.uint8),
        np.zeros((9, 8, 3), np.uint8),
        np.zeros((2, 9, 8, 3), np.int8),
        np.zeros((2, 9, 8, 3), np.float32),
        np.zeros((), np.uint8),
        [[0]],
        None,
    ],
    ids=["no channels", "no batch axis", "int8", "float32", "scalar", "list", "nothing"],
)
def test_wrong_batches_are_refused(batch):
    with pytest.raises(InputError, match="expected a uint8 array"):
        cpu.CpuExecutor(small()).scores(batch)


@pytest.mark.parametrize(
    "view",
    [
        lambda batch: batch[::2],
        lambda batch: batch[::-1],
        lambda batch: np.asfortranarray(batch),
        lambda batch: batch.transpose(0, 2, 1, 3).copy().transpose(0, 2, 1, 3),
    ],
    ids=["every second", "backwards", "fortran order", "transposed"],
)
def test_views_are_read_as_they_look(view):
    network = small()
    batch = view(random_batch(SMALL, 6))
    np.testing.assert_array_equal(cpu.CpuExecutor(network).scores(batch), scores(network, batch))


def test_a_single_image_may_lie_in_pieces():
    image = random_batch(SMALL, 1, seed=3)[0][:, ::-1]
    assert cpu.CpuExecutor(small()).single(image) == scores(small(), image[None]).tobytes()


@pytest.mark.parametrize(
    "image",
    [np.zeros((9, 8), np.uint8), np.zeros((1, 9, 8, 3), np.uint8), np.zeros((9, 8, 3), np.int8), b"", None],
    ids=["no channels", "a batch", "int8", "bytes", "nothing"],
)
def test_wrong_single_images_are_refused(image):
    with pytest.raises(InputError, match="expected a uint8 array"):
        cpu.CpuExecutor(small()).single(image)


def test_read_only_batch_is_left_alone():
    network = small()
    batch = random_batch(SMALL, 2)
    batch.flags.writeable = False
    before = batch.copy()
    np.testing.assert_array_equal(cpu.CpuExecutor(network).scores(batch), scores(network, batch))
    np.testing.assert_array_equal(batch, before)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_gives_the_same(threads, monkeypatch):
    monkeypatch.setattr(cpu, "_WORTH_A_THREAD", 1)
    network = small()
    batch = random_batch(SMALL, 517)
    executor = cpu.CpuExecutor(network, threads=threads)
    np.testing.assert_array_equal(executor.scores(batch), scores(network, batch))


def test_one_executor_serves_many_threads():
    network = small()
    batches = [random_batch(SMALL, 40, seed=seed) for seed in range(8)]
    expected = [scores(network, batch) for batch in batches]
    executor = cpu.CpuExecutor(network, threads=2)
    wrong = []

    def classify(batch, wanted):
        for _ in range(20):
            if not np.array_equal(executor.scores(batch), wanted):
                wrong.append(batch)

    threads = [threading.Thread(target=classify, args=pair) for pair in zip(batches, expected)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_workspaces_are_used_again():
    executor = cpu.CpuExecutor(small(), threads=1)
    batch = random_batch(SMALL, 3)
    for _ in range(5):
        executor.scores(batch)
    assert len(executor._idle) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_can_go_on(monkeypatch):
    monkeypatch.setattr(cpu, "_WORTH_A_THREAD", 1)
    network = small()
    batch = random_batch(SMALL, 300)
    executor = cpu.CpuExecutor(network, threads=2)
    expected = executor.scores(batch)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: sender.send(executor.scores(batch)))
    child.start()
    assert receiver.poll(30)
    np.testing.assert_array_equal(receiver.recv(), expected)
    child.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize(("asked", "used"), [(None, 1), (3, 3)])
def test_a_forked_worker_leaves_the_processors_to_its_siblings(monkeypatch, asked, used):
    monkeypatch.delenv("BNNCORE_THREADS", raising=False)
    monkeypatch.setattr("bnnhw.cpu.threads.available_cpus", lambda: 4)
    executor = cpu.CpuExecutor(small(), threads=asked)
    batch = random_batch(SMALL, 300)

    def work():
        executor.scores(batch)
        sender.send(executor.threads)

    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    assert receiver.poll(30)
    assert receiver.recv() == used
    child.join()
    assert executor.threads == (asked or 4)


def test_closed_executor_says_so():
    executor = cpu.CpuExecutor(small())
    executor.close()
    executor.close()
    with pytest.raises(BackendError, match="closed"):
        executor.scores(np.zeros((1, 9, 8, 3), np.uint8))
    with pytest.raises(BackendError, match="closed"):
        executor.single(np.zeros((9, 8, 3), np.uint8))


def test_too_large_a_network_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "maxsize", 1000)
    with pytest.raises(BackendError, match="memory"):
        cpu.CpuExecutor(small())


def test_the_most_capable_variant_is_chosen(monkeypatch):
    monkeypatch.delenv("BNNCORE_CPU_ISA", raising=False)
    assert cpu.choose()[0] == ISAS[0]
    assert cpu.CpuExecutor(small()).isa == ISAS[0]


def test_environment_forces_a_variant(monkeypatch):
    monkeypatch.setenv("BNNCORE_CPU_ISA", "portable")
    assert cpu.CpuExecutor(small()).isa == "portable"


def test_unknown_variant_is_refused(monkeypatch):
    monkeypatch.setenv("BNNCORE_CPU_ISA", "abacus")
    with pytest.raises(BackendError, match=r"abacus.*BNNCORE_CPU_ISA.*portable"):
        cpu.CpuExecutor(small())


def test_variant_that_cannot_run_here_is_refused(monkeypatch):
    monkeypatch.setattr(cpu, "variants", lambda: {"future": False, "portable": True})
    with pytest.raises(BackendError, match="cannot run"):
        cpu.choose("future")


WITHOUT_EXTENSION = """
import sys
sys.modules["bnnhw.cpu._compiled"] = None
import pkgutil
from importlib import import_module
import bnnhw.cpu
for module in pkgutil.iter_modules(bnnhw.cpu.__path__):
    if module.name != "_compiled":
        import_module(f"bnnhw.cpu.{module.name}")
from bnnhw.cpu.executor import CpuExecutor, choose, variants
from bnnhw.cpu.layout import plan
from bnnhw.errors import BackendError
from bnnhw.network import LayerParameters, Network
from bnnhw.topology import Dense, Input, Topology
import numpy as np
topology = Topology(name="one", input=Input(height=1, width=1), layers=(Dense(outputs=1),))
layer = LayerParameters(weights=np.ones((1, 1), np.int8), thresholds=np.zeros((1, 0), np.int32))
network = Network(topology=topology, layers=(layer,))
plan(network)
for call in (choose, variants, lambda: choose("portable"), lambda: CpuExecutor(network)):
    try:
        call()
    except BackendError as error:
        assert "without a C compiler" in str(error), error
    else:
        raise SystemExit("nothing was said")
"""


def test_without_the_extension_everything_imports_and_making_an_executor_says_what_to_do():
    """Documentation is made from the docstrings where there may be no compiler."""
    subprocess.run([sys.executable, "-c", WITHOUT_EXTENSION], check=True, timeout=60)


def test_python_fills_every_field_of_the_structures_and_no_other(monkeypatch):
    plan = layout.plan
    with_pool = Topology(
        name="pools", input=SMALL.input, layers=(Conv(outputs=5), Pool(size=3, stride=1), Dense(outputs=2))
    )
    network = random_network(with_pool)
    for kind in (layout.InputPlan, layout.LayerPlan, layout.PoolPlan):

        def shortened(network, kind=kind):
            given, stages = plan(network)
            for each in (given, *stages):
                if isinstance(each, kind):
                    del each.fields[next(iter(each.fields))]
            return given, stages

        monkeypatch.setattr(cpu, "plan", shortened)
        with pytest.raises(AssertionError, match="only"):
            cpu.CpuExecutor(network)


@settings(max_examples=30, deadline=None)
@given(networks(), seeds)
def test_weights_that_are_packed_in_portions_are_the_same(network, seed):
    batch = random_batch(network.topology, 2, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bnnhw.cpu.layout._UNPACKED", 200)
        assert np.array_equal(cpu.CpuExecutor(network).scores(batch), scores(network, batch))
