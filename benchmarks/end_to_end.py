"""What a caller of the library waits for: one picture in, its class out, everything included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

import bnncore

# The dataset whose plugin runs the topology, and a picture for it: in noise, a digit would be looked for in vain.
DATASETS = {"cnvW1A1": ("cifar10", "ship.png"), "lfcW1A1": ("mnist_lfc", "digit.png")}
EXAMPLES = Path(__file__).parent.parent / "examples"


def end_to_end(topology: str, folder: str) -> dict[str, Callable[[], object]]:
    """Return functions that classify one picture as its dataset has them, given as array and as PNG file."""
    if topology not in DATASETS:
        return {}
    name, example = DATASETS[topology]
    classifier = bnncore.get(name, topology=topology, backend="cpu")
    image = classifier.classify(EXAMPLES / example).seen
    assert image is not None
    path = Path(folder) / f"{topology}.png"
    Image.fromarray(image).save(path)
    return {
        "array in, class out": lambda: classifier.classify(image).index,
        "PNG file in, class name out": lambda: classifier.classify(path).label,
    }
