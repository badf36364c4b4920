"""What a caller of the library waits for: one picture in, its class out, everything included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import bnncore

# The dataset whose plugin runs the topology, and a picture for it. Noise would not do: digits are looked for.
DATASETS = {"cnvW1A1": ("cifar10", "ship.png"), "lfcW1A1": ("mnist_lfc", "digit.png")}
EXAMPLES = Path(__file__).parent.parent / "examples"


def end_to_end(topology: str, folder: str) -> dict[str, Callable[[], object]]:
    """Return functions that classify one picture in the network's size, given as array and as PNG file."""
    if topology not in DATASETS:
        return {}
    name, example = DATASETS[topology]
    classifier = bnncore.get(name, topology=topology, backend="cpu")
    given = classifier.topology.input
    with Image.open(EXAMPLES / example) as picture:
        mode = "L" if given.channels == 1 else "RGB"
        small = picture.convert(mode).resize((given.width, given.height))
    path = Path(folder) / f"{topology}.png"
    small.save(path)
    image = np.asarray(small)
    return {
        "array in, class out": lambda: classifier.classify(image).index,
        "PNG file in, class name out": lambda: classifier.classify(path).label,
    }
