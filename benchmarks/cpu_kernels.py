"""Time the CPU kernels: every variant, numpy, and on request onnxruntime, against the ceiling of this core.

    make bench                                  with the peers, in an environment of its own
    python benchmarks/cpu_kernels.py            without
    python benchmarks/cpu_kernels.py --seconds 0.3 --topologies cnvW1A1 --rows "cpu, " --update

All contestants run in one process on one thread, in turn, round after round, so that what else the machine does
falls on all alike; each figure is the least time of all rounds. Prints a table and which goals are reached, and writes
docs/performance.json and docs/performance.svg; with --update only the figures taken are written anew, so that a long
run can be cut into pieces.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")  # before numpy: one thread for all

import numpy as np
from bnnhw.cpu.executor import CpuExecutor, variants
from bnnhw.cpu.threads import available_cpus
from bnnhw.network import Network
from bnnhw.reference import NumpyExecutor
from bnnhw.topology import Topology, matrix_stages
from ceiling import BYTE_MACS, XOR_MACS, build
from end_to_end import end_to_end
from goals import Results, show

from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.publishing.random_network import random_network

BATCH = 64
NUMPY_BATCH = 8  # more only makes a round long
CEILING_ROUNDS = 2000
SLOW = 0.02  # a contestant that takes longer a call runs once a round


def network_of(topology: Topology) -> Network:
    """Return random weights of -1, 0 and +1 where they have two bits, as training makes them."""
    return random_network(topology, seed=1, lowest=-1)


def least_times(contestants: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Return the least seconds a call of each, taken in turn."""
    best = dict.fromkeys(contestants, float("inf"))
    end = time.perf_counter() + seconds * len(contestants)
    while time.perf_counter() < end:
        for name, call in contestants.items():
            until = time.perf_counter() + 0.01
            while True:
                start = time.perf_counter()
                call()
                stop = time.perf_counter()
                best[name] = min(best[name], stop - start)
                if stop > until or best[name] > SLOW:
                    break
    return best


def ceiling_seconds(topology: Topology, best: dict[str, float]) -> float:
    """Return the time that an image's multiply-accumulates take in the loops, at their measured rate."""
    seconds = 0.0
    for stage in matrix_stages(topology):
        macs = stage.fan_in * stage.outputs * stage.output_shape[0] * stage.output_shape[1]
        loop, amount = ("byte products", BYTE_MACS) if stage.input_bits == 8 else ("xor popcount add", XOR_MACS)
        seconds += macs * best[loop] / (CEILING_ROUNDS * amount)
    return seconds


def measure(
    topology: Topology, options: argparse.Namespace, folder: str, ceiling
) -> dict[str, dict[str, float]]:
    """Return microseconds an image by contestant and batch."""
    network = network_of(topology)
    images = np.random.default_rng(2).integers(0, 256, (BATCH, *topology.input.shape), np.uint8)
    isas = [name for name, runs in variants().items() if runs]
    executors = {f"cpu {isa}": CpuExecutor(network, isa=isa, threads=1) for isa in isas}
    result: dict[str, dict[str, float]] = {}
    others = {}
    if options.peers:
        from peers import peers

        others = peers(topology, images, folder)
    for count in options.batches:
        batch = images[:count]
        contestants: dict[str, Callable[[], object]] = {}
        if "avx512" in isas:
            contestants["xor popcount add"] = lambda: ceiling.xor_popcount_add(CEILING_ROUNDS)
            contestants["byte products"] = lambda: ceiling.byte_products(CEILING_ROUNDS)
        for name, executor in executors.items():
            contestants[name] = lambda executor=executor, batch=batch: executor.scores(batch)
        if count == 1:
            contestants |= end_to_end(topology.name, folder)
        elif available_cpus() > 1:
            two = CpuExecutor(network, threads=2)
            many = np.concatenate([batch] * max(1, 100_000_000_000 // (topology.operations * BATCH)))
            contestants["cpu, 2 threads"] = lambda two=two, many=many: two.scores(many)
            one = CpuExecutor(network, threads=1)
            contestants["cpu, 1 thread"] = lambda one=one, many=many: one.scores(many)
        few = batch[:NUMPY_BATCH]
        contestants["numpy"] = lambda few=few: NumpyExecutor(network).scores(few)
        for name, call in others.items():
            contestants[name] = lambda call=call, count=count: call(count)
        contestants = {
            name: call
            for name, call in contestants.items()
            if not options.rows or any(name.startswith(row) for row in options.rows)
        }
        best = least_times(contestants, options.seconds)
        if "xor popcount add" in best and "byte products" in best:
            result.setdefault("ceiling", {})[str(count)] = ceiling_seconds(topology, best) * 1e6
        for name, seconds in best.items():
            if name not in ("xor popcount add", "byte products"):
                size = len(many) if name.startswith("cpu,") else len(few) if name == "numpy" else count
                result.setdefault(name, {})[str(count)] = seconds / size * 1e6
    return result


def merged(old: Results, new: Results) -> Results:
    """Return the old figures with the new ones in their places."""
    for topology, rows in new.items():
        for name, times in rows.items():
            old.setdefault(topology, {}).setdefault(name, {}).update(times)
    return old


def processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def draw(results: Results, path: Path, title: str) -> None:
    """Draw images a second at batch 64, one panel a topology, on a logarithmic scale."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "bnncore"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(results), figsize=(4.2 * len(results), 3.6), squeeze=False)
    for axis, (topology, rows) in zip(axes[0], results.items()):
        shown = {name: 1e6 / times[str(BATCH)] for name, times in rows.items() if str(BATCH) in times}
        shown = dict(sorted(shown.items(), key=lambda item: item[1]))
        bars = axis.barh(list(shown), list(shown.values()), color="#4477aa")
        axis.bar_label(bars, [f"{value:,.0f}" for value in shown.values()], padding=2, fontsize=7)
        axis.set_xscale("log")
        axis.set_xlim(right=axis.get_xlim()[1] * 6)
        axis.set_title(topology)
        axis.set_xlabel(f"images a second, batch {BATCH}")
    figure.suptitle(title, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="time onnxruntime as well")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contestant and batch size")
    parser.add_argument("--topologies", nargs="*", default=list(TOPOLOGIES), choices=list(TOPOLOGIES))
    parser.add_argument("--batches", nargs="*", type=int, default=[1, BATCH], choices=[1, BATCH])
    parser.add_argument(
        "--rows", nargs="*", help="what to time, by the beginning of its name; all if not given"
    )
    parser.add_argument("--update", action="store_true", help="keep the figures that are not taken anew")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent.parent / "docs")
    options = parser.parse_args()
    machine = f"{processor()}, {datetime.date.today().isoformat()}"
    with tempfile.TemporaryDirectory() as folder:
        ceiling = build(Path(folder)) if platform.machine() == "x86_64" else None
        results = {name: measure(TOPOLOGIES[name], options, folder, ceiling) for name in options.topologies}
    if options.update:
        results = merged(json.loads((options.output / "performance.json").read_text())["results"], results)
    print(machine)
    for topology, rows in results.items():
        print(f"\n{topology:27} {'batch 1':>12} {f'batch {BATCH}':>12}   microseconds an image")
        for name, times in rows.items():
            print(
                f"{name:27}", *(f"{times[str(n)]:12.2f}" if str(n) in times else " " * 12 for n in (1, BATCH))
            )
    print()
    show(results)
    options.output.mkdir(exist_ok=True)
    record = {"machine": machine, "unit": "microseconds an image", "results": results}
    (options.output / "performance.json").write_text(json.dumps(record, indent=1) + "\n")
    try:
        draw(results, options.output / "performance.svg", machine)
    except ImportError:
        print("\nno picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
