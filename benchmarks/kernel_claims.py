"""Show again what the kernels' comments and docs/kernels.md claim to be faster: time each with and without.

    python benchmarks/kernel_claims.py                 all, in some minutes; needs a C compiler
    python benchmarks/kernel_claims.py threes pinned   some, by name

A claim about C is a switch of hw/bnnhw/cpu/_kernels/switches.h: the kernels are built without it in build/claims, and
both builds are timed in turn as by compare.py. A claim about Python is two ways to do a thing, timed in turn.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from bnnhw.cpu import executor as cpu
from bnnhw.cpu.extension import ffi
from bnnhw.executor import checked_batch
from compare import Case, compared
from cpu_kernels import network_of

from bnncore.builtin.topologies import TOPOLOGIES

ROOT = Path(__file__).resolve().parent.parent
CNV, CNV2, LFC, LFC2 = "cnvW1A1", "cnvW1A2", "lfcW1A1", "lfcW1A2"


@dataclass(frozen=True)
class Switch:
    """What the kernels are built with instead, and where it shows."""

    flags: str
    cases: tuple[Case, ...]


SWITCHES = {
    "threes": Switch("-DBNN_THREES=0", ((CNV, "avx512", 1), (LFC, "avx512", 64))),
    "k8": Switch("-DBNN_K8=0", ((CNV, "avx512", 1), (LFC, "avx512", 64))),
    "four ternary": Switch("-DBNN_FOUR_TERNARY=0", ((CNV2, "avx512", 1), (LFC2, "avx512", 64))),
    "tile inline": Switch("-DBNN_TILE_INLINE=0", ((CNV, "avx512", 1), (CNV, "avx2", 1))),
    "pinned": Switch("-DBNN_PINNED=0", ((CNV, "avx2", 1), (LFC, "avx2", 64))),
    "copy three": Switch("-DBNN_COPY_THREE=0", ((CNV, "avx512", 1), (CNV, "avx2", 1))),
    "unroll segment": Switch("-DBNN_UNROLL_SEGMENT=1", ((LFC, "popcnt", 64), (LFC, "popcnt", 1))),
    "O3": Switch("-O2", ((CNV, "avx512", 1), (CNV, "avx2", 1), (CNV, "popcnt", 1), (LFC, "avx512", 64))),
}


def built(name: str, flags: str) -> Path:
    """Return a folder with the kernels built with more flags than usual."""
    folder = ROOT / "build" / "claims" / name.replace(" ", "_")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "hw", folder, ignore=shutil.ignore_patterns("*.so", "build", "*.egg-info"))
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        # The variable takes the place of the interpreter's own flags.
        env={**os.environ, "CFLAGS": f"{sysconfig.get_config_var('CFLAGS')} {flags}"},
        check=True,
        capture_output=True,
    )
    return folder


def show_switch(name: str, switch: Switch, usual: Path, rounds: int) -> None:
    """Print how much longer it takes without."""
    usable = [isa for isa, runs in cpu.variants().items() if runs]
    cases = [case for case in switch.cases if case[1] in usable]
    without = built(name, switch.flags)
    for (topology, isa, count), _, _, ratio in compared(usual, without, cases, 5, rounds // 5):
        print(
            f"{name:16} {topology:8} {isa:7} batch {count:<3} without: {100 * (ratio - 1):+6.1f} %", flush=True
        )


def small_calls() -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return what a call of a small network is spared, and what it has instead."""
    topology = TOPOLOGIES[LFC]
    image = np.zeros((1, *topology.input.shape), np.uint8)
    scores = np.empty((64, topology.outputs), np.int32)
    first, row = scores[:1], memoryview(scores[0])
    kind, from_buffer, shape = ffi.typeof("uint8_t[]"), ffi.from_buffer, image.shape
    uint8 = np.dtype(np.uint8)
    pool = ThreadPoolExecutor(1)
    return {
        "look-ups": (lambda: from_buffer(kind, image), lambda: ffi.from_buffer("uint8_t[]", image)),
        "check": (
            lambda: type(image) is np.ndarray and image.dtype is uint8 and image.shape == shape,
            lambda: checked_batch(topology.input, image),
        ),
        "own scores": (lambda: first.copy(), lambda: ffi.from_buffer("int32_t[]", np.empty((1, 10), np.int32))),
        "cut out": (lambda: first.copy(), lambda: scores[:1].copy()),
        "row": (lambda: row.tobytes(), lambda: scores[0].tobytes()),
        "thread": (lambda: None, lambda: pool.submit(int).result()),
    }


def show_call(name: str, rounds: int) -> None:
    """Print what both ways take."""
    ways = small_calls()[name]
    calls = 200 if name == "thread" else 5000
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for way, taken in zip(ways, times):
            start = time.perf_counter()
            for _ in range(calls):
                way()
            taken.append((time.perf_counter() - start) / calls)
    with_it, without = (min(taken) * 1e6 for taken in times)
    print(f"{name:16} {with_it:6.2f} microseconds, without: {without:6.2f}", flush=True)


def show_images(rounds: int) -> None:
    """Print how much longer two threads take with workspaces of 16 images instead of 64."""
    network = network_of(TOPOLOGIES[LFC])
    images = np.zeros((20_000, *network.topology.input.shape), np.uint8)
    executors = []
    for most in (64, 16):
        cpu._MOST_IMAGES = most
        executors.append(cpu.CpuExecutor(network, threads=2))
    ratios = []
    for _ in range(rounds):
        taken = []
        for executor in executors:
            start = time.perf_counter()
            executor.scores(images)
            taken.append(time.perf_counter() - start)
        ratios.append(taken[1] / taken[0])
    print(f"{'64 images':16} {LFC:8} 2 threads, 16 instead: {100 * (median(ratios) - 1):+6.1f} %")


def main() -> None:
    names = [*SWITCHES, *small_calls(), "64 images"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=names, choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    usual = built("usual", "") if any(name in SWITCHES for name in options.names) else ROOT
    for name in options.names:
        if name in SWITCHES:
            show_switch(name, SWITCHES[name], usual, options.rounds)
        elif name == "64 images":
            show_images(options.rounds)
        else:
            show_call(name, options.rounds)


if __name__ == "__main__":
    main()
