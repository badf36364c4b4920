"""Compare two builds of the kernels, in turn, round after round: has a change made anything slower?

    git worktree add build/before main
    (cd build/before/hw && python setup.py build_ext --inplace)
    (cd hw && python setup.py build_ext --inplace)
    python benchmarks/compare.py build/before/hw hw
    python benchmarks/compare.py build/before/hw hw --isas avx2 --topologies cnvW1A1 --processes 20

Each build runs in a process of its own, and while one of them is timed the other waits. So what else the machine does
falls on both alike, and a ratio is worth more than the two times that it is made of. Where its memory comes to lie
makes the same code some percent faster or slower in one process than in the next, so several of each are timed. A time
is the least of all; beside it stand the ratio of these, and the median of the ratios of the pairs of processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

BATCHES = (1, 64)
VISIT = 0.005
"""Seconds that a build is timed at a time."""

Case = tuple[str, str, int]
"""Topology, variant, batch."""


class Build:
    """One build of ``bnnhw``, imported by a process of its own."""

    def __init__(self, folder: Path, cases: list[Case], environment: dict[str, str] | None = None) -> None:
        """Start the process.

        Args:
            folder: where the package ``bnnhw`` with its compiled module is.
            cases: what it is to be timed with.
            environment: variables that it gets beside those of this process.
        """
        if not list(folder.glob("bnnhw/cpu/_compiled*")):
            raise SystemExit(
                f"{folder}: no compiled kernels are there; cd {folder} && python setup.py build_ext --inplace"
            )
        # In a clone bnncore, which names the networks, lies beside the folder.
        path = os.pathsep.join(str(each) for each in (folder.resolve(), folder.resolve().parent))
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps(cases)],
            env={**os.environ, **one_thread, **(environment or {}), "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def time(self, case: int) -> float:
        """Return the least seconds an image of some calls."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{case}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def work(cases: list[Case]) -> None:
    """Time the case whose number comes in, until no more come."""
    import numpy as np
    from bnnhw.cpu.executor import CpuExecutor
    from cpu_kernels import network_of

    from bnncore.builtin.topologies import TOPOLOGIES

    executors: dict[tuple[str, str], Any] = {}
    for line in sys.stdin:
        name, isa, count = cases[int(line)]
        if (name, isa) not in executors:
            executors[name, isa] = CpuExecutor(network_of(TOPOLOGIES[name]), isa=isa, threads=1)
        executor = executors[name, isa]
        batch = np.random.default_rng(2).integers(0, 256, (count, *TOPOLOGIES[name].input.shape), np.uint8)
        executor.scores(batch)  # what it touches comes from the caches again
        least = float("inf")
        until = time.perf_counter() + VISIT
        while True:
            start = time.perf_counter()
            executor.scores(batch)
            stop = time.perf_counter()
            least = min(least, stop - start)
            if stop > until:
                break
        print(least / count, flush=True)


def compared(
    first: Path, second: Path, cases: list[Case], rounds: int, processes: int
) -> Iterator[tuple[Case, float, float, float]]:
    """Yield each case with the least seconds an image of both, and the median of the ratios of the processes.

    Args:
        first: folder of the one build.
        second: folder of the other.
        cases: what to time.
        rounds: how often each process times each case.
        processes: how many are started of each build, one pair after the other.
    """
    times: list[list[tuple[float, float]]] = [[] for _ in cases]
    for _ in range(processes):
        pair = Build(first, cases), Build(second, cases)
        for index in range(len(cases)):
            least = [float("inf"), float("inf")]
            for number in range(rounds):
                for which in (0, 1) if number % 2 else (1, 0):
                    least[which] = min(least[which], pair[which].time(index))
            times[index].append((least[0], least[1]))
        for build in pair:
            build.close()
    for case, found in zip(cases, times):
        yield (
            case,
            min(early for early, _ in found),
            min(late for _, late in found),
            median(late / early for early, late in found),
        )


def main() -> None:
    from bnnhw.cpu.executor import variants

    from bnncore.builtin.topologies import TOPOLOGIES

    usable = [name for name, usable in variants().items() if usable]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="folder that holds the package bnnhw")
    parser.add_argument("second", type=Path, help="the other")
    parser.add_argument("--topologies", nargs="*", default=list(TOPOLOGIES), choices=list(TOPOLOGIES))
    parser.add_argument("--isas", nargs="*", default=usable, choices=usable)
    parser.add_argument("--batches", nargs="*", type=int, default=list(BATCHES))
    parser.add_argument("--rounds", type=int, default=10, help="of each process")
    parser.add_argument("--processes", type=int, default=7, help="of each build")
    options = parser.parse_args()
    cases = [
        (name, isa, count) for name in options.topologies for isa in options.isas for count in options.batches
    ]
    print(f"{'':32}{'first':>10} {'second':>10}   microseconds an image, and second / first: least, median")
    for (name, isa, count), early, late, middle in compared(
        options.first, options.second, cases, options.rounds, options.processes
    ):
        print(
            f"{name:10} {isa:10} batch {count:<4} {early * 1e6:10.2f} {late * 1e6:10.2f} "
            f"{late / early:8.3f} {middle:8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work([tuple(case) for case in json.loads(sys.argv[2])])
    else:
        main()
