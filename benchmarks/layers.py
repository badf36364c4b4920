"""Time a network's layers one by one: where do the microseconds go, and has a change of one kernel helped?

    python benchmarks/layers.py cnvW1A1 --isa avx512 --batch 64

Times the first stages of the network, one more each time; a layer's time is the difference. Prints microseconds an
image, and multiply-accumulates a nanosecond. All are timed in turn, and each figure is the least of all rounds.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from bnnhw.cpu import executor as cpu
from bnnhw.cpu.extension import ffi, lib
from bnnhw.cpu.layout import LayerPlan, plan
from bnnhw.topology import matrix_stages
from cpu_kernels import least_times, network_of

from bnncore.builtin.topologies import TOPOLOGIES


def evaluations(topology: str, isa: str, batch: int) -> tuple[list[Any], list[Any]]:
    """Return the plans of a network's stages, and for each a function that evaluates all up to it."""
    network = network_of(TOPOLOGIES[topology])
    given, stages = plan(network)
    images = np.random.default_rng(2).integers(0, 256, (batch, *TOPOLOGIES[topology].input.shape), np.uint8)
    calls = []
    for count in range(1, len(stages) + 1):
        cpu.plan = lambda network, count=count: (given, stages[:count])
        packed, _ = cpu._load(network, list(cpu.variants()).index(isa))
        workspace = ffi.gc(lib.bnn_workspace_new(packed, batch), lib.bnn_workspace_free)
        # What a stage in the middle writes is its map, in words of 64 bits.
        words = np.zeros(
            batch * max(stages[count - 1].fields["out_image"], network.topology.outputs), np.uint64
        )
        arguments = packed, workspace, ffi.from_buffer("uint8_t[]", images), batch
        target = ffi.from_buffer("int32_t[]", words)
        calls.append(lambda arguments=arguments, target=target: lib.bnn_evaluate(*arguments, target))
    return list(stages), calls


def main() -> None:
    usable = [name for name, runs in cpu.variants().items() if runs]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topology", nargs="?", default="cnvW1A1", choices=list(TOPOLOGIES))
    parser.add_argument("--isa", default=usable[0], choices=usable)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each layer")
    options = parser.parse_args()
    stages, calls = evaluations(options.topology, options.isa, options.batch)
    best = least_times({str(index): call for index, call in enumerate(calls)}, options.seconds)
    layers = iter(matrix_stages(TOPOLOGIES[options.topology]))
    before = 0.0
    for index, stage in enumerate(stages):
        taken = best[str(index)] / options.batch
        what, rate = "pool", ""
        if isinstance(stage, LayerPlan):
            layer = next(layers)
            macs = layer.fan_in * layer.outputs * layer.output_shape[0] * layer.output_shape[1]
            what = f"{layer.fan_in} to {layer.outputs}, {layer.output_shape[0]} x {layer.output_shape[1]}"
            rate = f"{macs / (taken - before) / 1e9:10.0f}"
        print(f"{what:24} {(taken - before) * 1e6:10.2f} {rate}")
        before = taken
    print(f"{'together':24} {before * 1e6:10.2f}")


if __name__ == "__main__":
    main()
