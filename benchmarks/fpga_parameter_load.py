"""How long storing a network's parameters takes on a plainly mapped device.

A thread in C watches a page of plain memory as the accelerator's logic watches its registers: on a start it
takes the word that the argument registers name, and sets DONE. So the driver does here what it does on a
board, through the same numpy array, and the checksum shows that every word arrives. The time counts are the
driver's; with that thread they include waiting until the operating system lets it run, which logic needs not. So the
driver is measured once more on a register that is always DONE: that is the cost of its own work.

Run: ``python benchmarks/fpga_parameter_load.py`` (needs a C compiler).
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from bnnhw.fpga.accelerator import Accelerator
from bnnhw.fpga.words import parameter_words

from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.publishing.random_network import random_network

_SOURCE = r"""
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
static pthread_t thread;
static volatile int stop;
static volatile uint32_t *registers;
static uint64_t count, sum;
static void *watch(void *unused) {
    unsigned idle = 0;
    while (!stop) {
        if (__atomic_load_n(&registers[0], __ATOMIC_ACQUIRE) != 1) {
            if (++idle > 4000) { idle = 0; sched_yield(); }
            continue;
        }
        idle = 0;
        uint64_t value = registers[20] | (uint64_t)registers[21] << 32;
        sum += value * (registers[12] + 3) + registers[14] * 5 + registers[16] * 7 + registers[18] * 11;
        count++;
        __atomic_store_n(&registers[0], 6, __ATOMIC_RELEASE);
    }
    return 0;
}
void begin(uint32_t *page) { registers = page; stop = 0; pthread_create(&thread, 0, watch, 0); }
void end(void) { stop = 1; pthread_join(thread, 0); }
uint64_t words(void) { return count; }
uint64_t checksum(void) { return sum; }
"""


class Mapped:
    """Registers in plain memory."""

    def __init__(self) -> None:
        self.words = np.zeros(2**14, np.uint32)
        self.words[0] = 4

    def read(self, offset: int) -> int:
        raise AssertionError("mapped registers are not called")

    write = read


class AtOnce:
    """Registers in plain memory whose CONTROL always reads DONE."""

    class _Words:
        def __init__(self) -> None:
            written, done = np.zeros(2**14, np.uint32), np.full(1, 6, np.uint32)
            self.__dict__["__setitem__"] = written.__setitem__
            self.__dict__["__getitem__"] = lambda index: done[0]

    def __init__(self) -> None:
        self.words = self._Words()

    read = write = Mapped.read


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "logic.c", Path(folder) / "logic.so"
        source.write_text(_SOURCE)
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-pthread", source, "-o", library], check=True)
        logic = ctypes.CDLL(str(library))
        logic.words.restype = logic.checksum.restype = ctypes.c_uint64
        registers = Mapped()
        logic.begin(registers.words.ctypes.data_as(ctypes.c_void_p))
        for name in TOPOLOGIES:
            runs = parameter_words(random_network(TOPOLOGIES[name], seed=1), FOLDINGS[name])
            stored, before = logic.words(), logic.checksum()
            wall, cpu = time.perf_counter(), time.thread_time()
            count = Accelerator(registers, 10.0).store(runs)
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
            assert logic.words() - stored == count
            assert (logic.checksum() - before) % 2**64 == expected(runs), "words were lost or altered"
            alone = time.thread_time()
            Accelerator(AtOnce(), 10.0).store(runs)
            alone = time.thread_time() - alone
            print(
                f"{name}: {count} words, {alone:.3f} s of processor time; beside the thread {cpu:.3f} s, "
                f"{wall:.3f} s in all"
            )
        logic.end()


def expected(runs: object) -> int:
    total = 0
    for run in runs:
        places = np.arange(len(run.words), dtype=np.uint64)
        values = run.words * np.uint64(run.layer + 3) + places * np.uint64(7)
        total += int(values.sum(dtype=np.uint64)) + len(places) * (5 * run.memory + 11 * run.threshold)
    return total % 2**64


if __name__ == "__main__":
    main()
