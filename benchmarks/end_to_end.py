"""Time the whole way from a picture to its class, one picture at a time, with the shipped plugins.

    python benchmarks/end_to_end.py             needs the plugins cifar10 and mnist_lfc, and the C kernels
    taskset -c 0 python benchmarks/end_to_end.py --seconds 5

All rows run in one process on one thread, in turn, round after round, so that what else the machine does falls on
all alike; each figure is the least time of one call, and the median beside it. Start-up is timed in fresh processes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import bnncore

EXAMPLES = Path(__file__).parent.parent / "examples"
CALLS = 20  # in a row, so that each row meets the caches as its own repetition leaves them
STARTS = 15


def pictures(folder: Path) -> dict[str, Path]:
    """Write a ship with the grain of a photograph, 32x32, and digits of 28x28; return their paths."""
    ship = np.asarray(Image.open(EXAMPLES / "ship.png").convert("RGB").resize((32, 32))).astype(int)
    grain = np.random.default_rng(0).integers(-6, 7, ship.shape)
    digit = bnncore.get("mnist_lfc").preprocess(EXAMPLES / "digit.png")
    made = {
        "ship": Image.fromarray(np.clip(ship + grain, 0, 255).astype(np.uint8)),
        "digit": Image.fromarray(digit),
        "dark digit": Image.fromarray(255 - digit),
        "colour digit": Image.fromarray(digit).convert("RGB"),
    }
    for name, image in made.items():
        image.save(folder / f"{name}.png")
    large = Image.open(EXAMPLES / "ship.png").convert("RGB").resize((1920, 1080), 3)
    large.save(folder / "large.jpg", quality=90)
    return {path.stem: path for path in folder.iterdir()}


def rows(files: dict[str, Path]) -> dict[str, Callable[[], object]]:
    """Return what is timed, by the name of its row."""
    cnv = bnncore.get("cifar10", "cpu", threads=1)
    lfc = bnncore.get("mnist_lfc", "cpu", threads=1)
    ship, digit = cnv.preprocess(files["ship"]), lfc.preprocess(files["digit"])
    ships, digits = ship[None], digit[None]
    return {
        "cifar10: 32x32x3 array to scores": lambda: cnv.scores(ships),
        "cifar10: 32x32x3 array to class": lambda: cnv.classify(ship).label,
        "cifar10: 32x32 PNG file to class": lambda: cnv.classify(files["ship"]).label,
        "cifar10: 1920x1080 JPEG file to class": lambda: cnv.classify(files["large"]).label,
        "mnist_lfc: 28x28 array to scores": lambda: lfc.scores(digits),
        "mnist_lfc: 28x28 array to class": lambda: lfc.classify(digit).label,
        "mnist_lfc: 28x28 PNG file to class": lambda: lfc.classify(files["digit"]).label,
        "mnist_lfc: the same dark on light": lambda: lfc.classify(files["dark digit"]).label,
        "mnist_lfc: the same in colour": lambda: lfc.classify(files["colour digit"]).label,
    }


def measure(actions: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Return microseconds of single calls, by row."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    until = time.perf_counter() + seconds * len(actions)
    while time.perf_counter() < until:
        for name, action in actions.items():
            action()
            for _ in range(1 if "JPEG" in name else CALLS):
                start = time.perf_counter_ns()
                action()
                times[name].append((time.perf_counter_ns() - start) / 1000)
    return times


def starts(files: dict[str, Path]) -> dict[str, list[float]]:
    """Return milliseconds of fresh processes, by what they do."""
    get = "import bnncore; c = bnncore.get('cifar10')"
    python = [sys.executable, "-c"]
    commands = {
        "python alone": [*python, ""],
        "import bnncore": [*python, "import bnncore"],
        "import, get": [*python, get],
        "import, get, classify a PNG file": [*python, f"{get}; c.classify({str(files['ship'])!r})"],
        "bnncore classify cifar10 FILE": [
            sys.executable,
            "-m",
            "bnncore",
            "classify",
            "cifar10",
            str(files["ship"]),
        ],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(STARTS):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times[name].append((time.perf_counter() - start) * 1000)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each row")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = pictures(Path(folder))
        for unit, times in (
            ("microseconds", measure(rows(files), options.seconds)),
            ("milliseconds", starts(files)),
        ):
            print(f"\n{unit:40} {'least':>10} {'median':>10}")
            for name, each in times.items():
                print(f"{name:40} {min(each):10.1f} {statistics.median(each):10.1f}")


if __name__ == "__main__":
    main()
