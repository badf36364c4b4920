"""Ctrl-C ends what runs, within half a second, however long an image takes; afterwards everything works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from batches import random_batch
from bnnhw import topology
from bnnhw.cpu import executor as cpu
from bnnhw.network import Network
from bnnhw.reference import NumpyExecutor, scores
from bnnhw.topology import Conv, Dense, Input, Pool, Topology

from bnncore.publishing.random_network import random_network

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a signal is sent as POSIX does")

# Half a second is promised; the machine that runs the tests does other things as well.
SOON = 3.0

USABLE = [name for name, runs in cpu.variants().items() if runs]


def endless(activation_bits: int = 1, weight_bits: int = 1) -> Network:
    """A network that is small in memory, and takes minutes."""
    layers = (
        Conv(outputs=64, kernel=3, stride=1, padding=1),
        Conv(outputs=2048, kernel=31, stride=1, padding=15),
        Pool(size=256, stride=256),
        Dense(outputs=2),
    )
    return random_network(
        Topology(
            name="endless",
            input=Input(height=768, width=768, channels=1, bits=8),
            layers=layers,
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            output="scores",
        )
    )


def quick() -> Network:
    layers = (Conv(outputs=128, kernel=5, stride=1, padding=2), Pool(size=4, stride=4), Dense(outputs=10))
    given = Input(height=32, width=32, channels=3, bits=8)
    return random_network(
        Topology(name="quick", input=given, layers=layers, weight_bits=1, activation_bits=1, output="scores")
    )


@contextmanager
def interrupted(after: float) -> Iterator[list[float]]:
    """Send this process SIGINT so many seconds from now; yields a list that then holds the time."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, send)
    timer.start()
    try:
        yield sent
    finally:
        timer.cancel()
        timer.join()


@pytest.fixture(scope="module", autouse=True)
def unlimited() -> Iterator[None]:
    """Lift the limits on what an image may cost: what is slow on a board shall be slow here."""
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("MAX_MAP", "MAX_MAPS", "MAX_OPERATIONS"):
            patch.setattr(topology, limit, 2**50)
        yield


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Heed Ctrl-C also where a shell started the tests in the background, which ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def large(unlimited: None) -> Network:
    return endless()


@pytest.mark.parametrize("isa", USABLE)
def test_one_image_that_takes_hours_can_be_interrupted(large: Network, isa: str) -> None:
    executor = cpu.CpuExecutor(large, isa=isa, threads=1)
    image = random_batch(large.topology, 1)[0]
    with interrupted(0.3) as sent, pytest.raises(KeyboardInterrupt):
        executor.single(image)
    assert time.monotonic() - sent[0] < SOON


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_many_images_can_be_interrupted_with_any_number_of_threads(large: Network, threads: int) -> None:
    executor = cpu.CpuExecutor(large, threads=threads)
    batch = random_batch(large.topology, 6)
    with interrupted(0.3) as sent, pytest.raises(KeyboardInterrupt):
        executor.scores(batch)
    assert time.monotonic() - sent[0] < SOON


@pytest.mark.parametrize(("activation_bits", "weight_bits"), [(2, 1), (2, 2)])
def test_ternary_layers_can_be_interrupted(activation_bits: int, weight_bits: int) -> None:
    network = endless(activation_bits, weight_bits)
    with interrupted(0.3) as sent, pytest.raises(KeyboardInterrupt):
        cpu.CpuExecutor(network, threads=1).scores(random_batch(network.topology, 1))
    assert time.monotonic() - sent[0] < SOON


def test_numpy_can_be_interrupted(large: Network) -> None:
    with interrupted(0.3) as sent, pytest.raises(KeyboardInterrupt):
        NumpyExecutor(large).scores(random_batch(large.topology, 1))
    assert time.monotonic() - sent[0] < SOON


def test_a_handler_may_raise_something_else(large: Network) -> None:
    def handler(number: int, frame: object) -> None:
        raise TimeoutError("enough")

    before = signal.signal(signal.SIGINT, handler)
    try:
        with interrupted(0.2), pytest.raises(TimeoutError, match="enough"):
            cpu.CpuExecutor(large, threads=2).scores(random_batch(large.topology, 4))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_that_only_notes_the_signal_ends_nothing() -> None:
    network = quick()
    executor = cpu.CpuExecutor(network, threads=2)
    batch = random_batch(network.topology, 2000)
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        expected = executor.scores(batch)
        with interrupted(0.01):
            assert np.array_equal(executor.scores(batch), expected)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("threads", [1, 2])
def test_after_an_interruption_at_any_time_the_answers_are_right(threads: int) -> None:
    network = quick()
    executor = cpu.CpuExecutor(network, threads=threads)
    batch = random_batch(network.topology, 4000)
    start = time.monotonic()
    expected = executor.scores(batch)
    whole = time.monotonic() - start
    assert np.array_equal(expected[:8], scores(network, batch[:8]))
    for step in range(12):
        try:
            with interrupted(whole * step / 10):
                executor.scores(batch)
                time.sleep(0.05)
        except KeyboardInterrupt:
            pass
        assert np.array_equal(executor.scores(batch), expected)
