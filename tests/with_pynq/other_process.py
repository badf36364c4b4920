"""A second process that uses the same board: ``other_process.py FOLDER HAND_OFF_FILES DATASET TURNS``.

Prints, as JSON, whether all its answers were right, and what it loaded.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    folder, hand_off_files, dataset, turns = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    import numpy as np
    from batches import random_batch
    from virtual_board.pynq_board import PynqBoard, settings, write_overlays

    import bnncore

    overlays = write_overlays(hand_off_files, folder, "pynqZ1-Z2")
    for target, attribute, value in settings(PynqBoard(folder, list(overlays.values())), folder):
        setattr(target, attribute, value)
    fpga = bnncore.get(dataset, backend="fpga", board="pynq-z2")
    numpy = bnncore.get(dataset, backend="numpy")
    right = True
    for turn in range(turns):
        batch = random_batch(fpga.topology, 2, seed=turn)
        right &= np.array_equal(fpga.scores(batch), numpy.scores(batch))
    counters = fpga._ready().executor.counters  # type: ignore[attr-defined]  # the FPGA's own
    print(json.dumps([right, counters.downloads, counters.parameter_loads]))


main()
