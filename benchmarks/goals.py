"""What the kernels are to reach, as ratios of figures that were taken in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Results = dict[str, dict[str, dict[str, float]]]

CNV, LFC = "cnvW1A1", "lfcW1A1"
ONE, MANY = "1", "64"

# What, of which topology, at which batch, the contestant, what it is divided by, and the least ratio.
RATIOS = (
    ("share of the ceiling", CNV, ONE, "ceiling", "cpu avx512", 0.90),
    ("share of the ceiling", CNV, MANY, "ceiling", "cpu avx512", 0.90),
    ("share of the ceiling", LFC, MANY, "ceiling", "cpu avx512", 0.90),
    ("times onnxruntime float32", CNV, MANY, "onnxruntime float32", "cpu avx512", 19),
    ("times onnxruntime float32", LFC, MANY, "onnxruntime float32", "cpu avx512", 23),
    ("times onnxruntime float32", LFC, ONE, "onnxruntime float32", "cpu avx512", 35),
    ("times onnxruntime int8", CNV, MANY, "onnxruntime int8", "cpu avx512", 5.5),
    ("times onnxruntime int8", LFC, MANY, "onnxruntime int8", "cpu avx512", 5.5),
    ("AVX2, share of AVX-512's rate", CNV, MANY, "cpu avx512", "cpu avx2", 0.55),
    ("AVX2, share of AVX-512's rate", LFC, MANY, "cpu avx512", "cpu avx2", 0.55),
    ("AVX2, share of AVX-512's rate", LFC, ONE, "cpu avx512", "cpu avx2", 0.55),
    ("popcnt, share of AVX-512's rate", CNV, MANY, "cpu avx512", "cpu popcnt", 0.11),
    ("popcnt, share of AVX-512's rate", LFC, MANY, "cpu avx512", "cpu popcnt", 0.15),
    ("two threads, times one", CNV, MANY, "cpu, 1 thread", "cpu, 2 threads", 1.9),
    ("two threads, times one", LFC, MANY, "cpu, 1 thread", "cpu, 2 threads", 1.9),
)

# Topology, the one whose rate it is compared with, and the least share.
TWO_BIT = (("cnvW1A2", CNV, 0.75), ("cnvW2A2", CNV, 0.45), ("lfcW1A2", LFC, 0.75))

# Contestant, topology, and the most microseconds for one image.
LATENCIES = (
    ("array in, class out", CNV, 62),
    ("array in, class out", LFC, 6),
    ("PNG file in, class name out", CNV, 130),
    ("PNG file in, class name out", LFC, 75),
)


def goals(results: Results) -> Iterator[tuple[str, float, float, bool]]:
    """Yield what each goal is, the figure, the goal, and whether it is reached; those not measured are left out."""

    def figure(topology: str, name: str, batch: str) -> float | None:
        return results.get(topology, {}).get(name, {}).get(batch)

    for what, topology, batch, upper, lower, least in RATIOS:
        yield from _ratio(
            f"{topology}, batch {batch}: {what}",
            figure(topology, upper, batch),
            figure(topology, lower, batch),
            least,
        )
    for topology, plain, least in TWO_BIT:
        yield from _ratio(
            f"{topology}, batch {MANY}: share of {plain}'s rate",
            figure(plain, "cpu avx512", MANY),
            figure(topology, "cpu avx512", MANY),
            least,
        )
    for what, topology, most in LATENCIES:
        found = figure(topology, what, ONE)
        if found is not None:
            yield f"{topology}: {what}, microseconds", found, most, found <= most


def _ratio(
    what: str, upper: float | None, lower: float | None, least: float
) -> Iterator[tuple[str, float, float, bool]]:
    if upper is not None and lower is not None:
        yield what, upper / lower, least, upper / lower >= least


def show(results: Results, line: Callable[[str], object] = print) -> None:
    """Write a line for each goal."""
    for what, found, goal, reached in goals(results):
        line(f"{what:55} {found:8.3f}   goal {goal:6.2f}   {'reached' if reached else 'not reached'}")
