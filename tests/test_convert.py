"""``bnncore convert``: there and back without a changed bit."""

from __future__ import annotations

from pathlib import Path

import pytest

import bnncore
from bnncore.builtin.topologies import TOPOLOGIES
from bnncore.cli import main
from bnncore.formats.npz import npz_bytes
from bnncore.publishing.random_network import random_network


@pytest.fixture
def convert(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["convert", *map(str, arguments)])
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return run


@pytest.mark.parametrize(("network", "files"), [("cnvW1A1", 178), ("cnvW2A2", None)])
def test_npz_to_folder_and_back_is_the_same_file(
    convert, tmp_path: Path, network: str, files: int | None
) -> None:
    first, folder, last = tmp_path / "first.npz", tmp_path / "params" / "mine" / network, tmp_path / "last.npz"
    first.write_bytes(npz_bytes(random_network(TOPOLOGIES[network]), ["a", "b"]))
    code, out, _ = convert(first, folder)
    assert code == 0
    if files is not None:
        assert f"{files} files for BNN-PYNQ's {network}" in out
    assert convert(folder, last)[0] == 0
    assert last.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("network", ["cifar10/cnvW1A1", "cifar10/cnvW1A2", "mnist/lfcW1A2"])
def test_folder_to_npz_and_back_is_the_same_folder(
    convert, tmp_path: Path, binparams: Path, network: str
) -> None:
    original, again = binparams / network, tmp_path / Path(network).name
    assert convert(original, tmp_path / "x.npz")[0] == 0
    assert convert(tmp_path / "x.npz", again)[0] == 0
    names = {path.name for path in original.glob("*.bin")}
    assert {path.name for path in again.glob("*.bin")} == names
    assert all((again / name).read_bytes() == (original / name).read_bytes() for name in names)
    assert bnncore.load(again).classes == bnncore.load(original).classes


def test_nothing_is_overwritten(convert, tmp_path: Path) -> None:
    source = tmp_path / "a.npz"
    source.write_bytes(npz_bytes(random_network(TOPOLOGIES["lfcW1A1"]), ["a", "b"]))
    (tmp_path / "there").mkdir()
    for target in (source, tmp_path / "there"):
        code, out, err = convert(source, target)
        assert (code, out) == (1, "")
        assert "exists already" in err


def test_network_that_bnn_pynq_does_not_have(convert, tmp_path: Path) -> None:
    topology = bnncore.Topology(
        name="tiny",
        input=bnncore.Input(height=4, width=4, channels=1, bits=1),
        layers=(bnncore.Dense(outputs=4),),
        weight_bits=1,
        activation_bits=1,
    )
    (tmp_path / "tiny.npz").write_bytes(npz_bytes(random_network(topology), ["a", "b"]))
    code, _, err = convert(tmp_path / "tiny.npz", tmp_path / "folder")
    assert code == 1
    assert "'tiny'" in err
