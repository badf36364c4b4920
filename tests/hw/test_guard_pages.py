"""The kernels read no byte outside the caller's batch: it ends where memory that cannot be read begins."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np
import pytest
from batches import random_batch
from bnnhw.cpu import executor as cpu
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Input, Topology

from bnncore.publishing.random_network import random_network

pytest.importorskip("bnnhw.cpu._compiled", reason="bnncore-hw was installed without its C kernels")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are guarded with mprotect")

ISAS = [name for name, runs in cpu.variants().items() if runs]

TOPOLOGIES = [
    Topology(
        name=f"{height}x{width}x{channels}, {bits} bits, {type(layer).__name__}",
        input=Input(height=height, width=width, channels=channels, bits=bits),
        layers=(layer, Dense(outputs=3)),
    )
    for height, width, channels in ((1, 1, 1), (5, 7, 3), (9, 13, 1), (8, 8, 65))
    for bits in (1, 8)
    for layer in (Dense(outputs=65), Conv(outputs=7, kernel=3, padding=2), Conv(outputs=64, kernel=1))
]


def guarded(count: int) -> tuple[np.ndarray, mmap.mmap]:
    """Return ``count`` bytes whose neighbours on both sides cannot be read or written."""
    page = mmap.PAGESIZE
    pages = -(-count // page)
    memory = mmap.mmap(-1, (pages + 2) * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    assert mprotect(start, page, 0) == 0
    assert mprotect(start + (pages + 1) * page, page, 0) == 0
    whole = np.frombuffer(memory, np.uint8)
    return whole[(pages + 1) * page - count : (pages + 1) * page], memory


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda topology: topology.name)
def test_batch_between_guard_pages(topology, isa):
    network = random_network(topology, 3)
    batch = random_batch(topology, seed=3)
    tight, memory = guarded(batch.size)
    tight[:] = batch.ravel()
    found = cpu.CpuExecutor(network, isa=isa).scores(tight.reshape(batch.shape))
    np.testing.assert_array_equal(found, scores(network, batch))
    assert memory is not None  # kept until here
