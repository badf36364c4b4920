"""``bnn.RUNTIME_HW`` on the real pynq package and a virtual board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bnncore.boards import detection
from bnncore.compat import bnn


@pytest.fixture
def board(boards: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this machine a Pynq-Z2 with the bitstreams at hand."""
    rig = boards()
    chosen = tmp_path / "root" / "proc" / "device-tree" / "chosen"
    chosen.mkdir(parents=True)
    (chosen / "pynq_board").write_bytes(b"Pynq-Z2\0")
    monkeypatch.setattr(detection, "_ROOT", tmp_path / "root")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("XILINX_XRT", "/usr")
    monkeypatch.setenv("BNNCORE_BITSTREAMS", str(tmp_path))
    monkeypatch.setenv("BNNCORE_BITSTREAMS_ACCEPT", ",".join(each.sha256 for each in rig.overlays.values()))


@pytest.mark.usefixtures("board")
def test_the_default_runtime_gives_the_originals_answers(
    test_data: Path, binparams: Path, tmp_path: Path
) -> None:
    with np.load(test_data / "bnn-pynq" / "oracle" / "mnist-lfcW1A1.npz") as oracle:
        images, expected = oracle["inputs"][:5], oracle["pred"][:5]
    header = np.array([0x803, len(images), 28, 28], ">u4").tobytes()
    (tmp_path / "five.idx3").write_bytes(header + images.tobytes())
    classifier = bnn.LfcClassifier(bnn.NETWORK_LFCW1A1, str(binparams / "mnist"))
    assert classifier.runtime == bnn.RUNTIME_HW
    assert classifier.bnn.bitstream_name == "lfcW1A1-pynqZ1-Z2.bit"
    assert classifier.classify_mnists(str(tmp_path / "five.idx3")).tolist() == expected.tolist()
    classifier.bnn._classifier.close()


@pytest.mark.usefixtures("board")
def test_convolutional_network(test_data: Path, binparams: Path) -> None:
    deer = str(test_data / "bnn-pynq" / "images" / "deer.bin")
    classifier = bnn.CnvClassifier(bnn.NETWORK_CNVW1A1, str(binparams / "cifar10"))
    details = classifier.classify_cifar_details(deer).tolist()
    assert details == [228, 229, 251, 250, 412, 253, 230, 262, 222, 239]
    assert classifier.class_name(classifier.classify_cifar(deer)) == "Deer"
    classifier.bnn._classifier.close()
