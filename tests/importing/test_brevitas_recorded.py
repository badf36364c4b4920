"""A small fully connected network of Brevitas 0.13.4 (W1A1), and the scores that Brevitas itself gave.

``brevitas_fc/`` holds its checkpoint, its export to QONNX, and the scores of 50 random images in float64. Weights
are random and no scale is trivial; that of the scores is negative, so the order of the classes turns around.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bnnhw import reference

from bnncore.importing.brevitas import read_brevitas
from bnncore.importing.qonnx import read_qonnx

RECORDED = Path(__file__).parent / "brevitas_fc"


def read_checkpoint(path: Path):
    pytest.importorskip("torch", reason="needs PyTorch: pip install bnncore[train]")
    return read_brevitas(path / "model.pth", "W1A1")


def read_graph(path: Path):
    pytest.importorskip("onnx", reason="needs the package onnx: pip install bnncore[qonnx]")
    return read_qonnx(path / "model.onnx")


@pytest.mark.parametrize("read", [read_checkpoint, read_graph])
def test_the_scores_are_those_that_brevitas_gave(read) -> None:
    images = np.random.default_rng(1).integers(0, 256, (50, 28, 28), np.uint8)
    # Popcounts of 16 inputs; the network's weights are turned, as the scale is negative.
    sums = 16 - 2 * reference.scores(read(RECORDED), images).astype(np.float64)
    found = (sums - 3.0) / np.sqrt(500.0 + 1e-4) * -0.75 + 0.125
    assert found == pytest.approx(np.load(RECORDED / "scores.npy"), abs=1e-9)
