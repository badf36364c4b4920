"""Checkpoints of PyTorch and files of safetensors, as people save them, are read without PyTorch."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any

import numpy as np
import pytest

from bnncore.errors import BnnError
from bnncore.importing.chain import ImportRefused
from bnncore.importing.state_dicts import plain_names
from bnncore.importing.tensors import read_checkpoint, read_safetensors

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install bnncore[train]")


def state() -> dict[str, object]:
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "a.weight": base[1:, ::2].t(),
        "a.bias": torch.tensor(2.5, dtype=torch.float64),
        "b.weight": torch.nn.Parameter(torch.ones(2, 3, dtype=torch.bfloat16) / 3),
        "b.half": torch.ones(3).half(),
        "c.count": torch.tensor([-1, 2**40]),
        "c.flags": torch.tensor([True, False]),
        "c.empty": torch.ones(0, 3),
        "c.small": torch.tensor([-3], dtype=torch.int8),
    }


def assert_equal(found, expected) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert np.array_equal(found[name], value.detach().double().numpy()), name
        assert found[name].dtype == np.float64


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_format_holds_the_same_numbers(tmp_path, zipped, protocol) -> None:
    torch.save(state(), tmp_path / "s.pth", _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    assert_equal(read_checkpoint(tmp_path / "s.pth"), state())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])
@pytest.mark.parametrize(
    "keys",
    [("state_dict",), ("model_state_dict",), ("model",), ("net",), ("ema",), ("checkpoint", "model"), ("odd",)],
)
def test_a_state_is_found_beside_whatever_else_was_saved(tmp_path, zipped, keys) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    saved: dict[str, Any] = model.state_dict()
    for key in reversed(keys):
        saved = {key: saved}
    more: dict[str, Any] = {
        "epoch": 3,
        "args": argparse.Namespace(lr=0.1),
        "best": np.float64(0.5),
        "optimizer": optimizer.state_dict(),
        "history": [0.1, None, True, ("a", {1, 2})],
    }
    if keys[0] == "checkpoint":
        more, saved = {}, saved["checkpoint"]
    torch.save({**more, **saved}, tmp_path / "s.pth", _use_new_zipfile_serialization=zipped)
    assert_equal(read_checkpoint(tmp_path / "s.pth"), model.state_dict())


def test_a_checkpoint_of_our_own_training_is_told_with_the_file_that_is_meant(tmp_path) -> None:
    from bnncore.datasets import LabelledImages
    from bnncore.training import TrainingData, plan

    images = np.random.default_rng(0).integers(0, 256, (8, 28, 28), np.uint8)
    labelled = LabelledImages(images=images, labels=np.arange(8) % 2, classes=("a", "b"))
    data = TrainingData.of_images(labelled, topology="lfcW1A1")
    plan(data, tmp_path, epochs=1, batch_size=4).train(threads=1)
    with pytest.raises(ImportRefused, match=r"checkpoint of bnncore train.*weights\.npz"):
        read_checkpoint(tmp_path / "checkpoint.pt")


def test_the_network_comes_before_its_average_and_several_are_asked_about(tmp_path) -> None:
    first, second = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    torch.save({"ema": second, "model": first}, tmp_path / "s.pth")
    assert_equal(read_checkpoint(tmp_path / "s.pth"), first)
    torch.save({"teacher": second, "student": first}, tmp_path / "s.pth")
    with pytest.raises(ImportRefused, match="expected one state dict, found 'student', 'teacher'"):
        read_checkpoint(tmp_path / "s.pth")


def test_prefixes_that_all_names_have_are_taken_off() -> None:
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.DataParallel(torch.nn.Linear(1, 1)))
    assert set(plain_names(averaged.state_dict())) == {"weight", "bias"}
    assert set(plain_names({"_orig_mod.module.a": 1, "_orig_mod.module.b": 2})) == {"a", "b"}
    assert set(plain_names({"module.a": 1, "b": 2})) == {"module.a", "b"}


def test_a_whole_module_is_named_and_not_opened(tmp_path) -> None:
    torch.save(torch.nn.Linear(1, 1), tmp_path / "m.pth")
    with pytest.raises(ImportRefused, match=r"m\.pth: .*'torch\.nn\.modules\.linear\.Linear', .*state_dict"):
        read_checkpoint(tmp_path / "m.pth")


def test_numbers_that_are_stored_in_another_order_of_bytes_are_read(tmp_path) -> None:
    import zipfile

    torch.save({"w": torch.arange(3.0)}, tmp_path / "s.pth")
    with zipfile.ZipFile(tmp_path / "s.pth") as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(tmp_path / "big.pth", "w") as file:
        for name, content in members.items():
            swapped = (
                np.frombuffer(content, "<f4").astype(">f4").tobytes() if name.endswith("data/0") else content
            )
            file.writestr(name, b"big" if name.endswith("byteorder") else swapped)
    assert_equal(read_checkpoint(tmp_path / "big.pth"), {"w": torch.arange(3.0)})


def test_safetensors_are_read(tmp_path) -> None:
    matrix, halves = np.arange(6, dtype="<f4").reshape(2, 3), np.array([0x3F80, 0xBF80], "<u2")
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "b": {"dtype": "BF16", "shape": [2], "data_offsets": [24, 28]},
        }
    ).encode()
    data = len(header).to_bytes(8, "little") + header + matrix.tobytes() + halves.tobytes()
    (tmp_path / "s.safetensors").write_bytes(data)
    found = read_safetensors(tmp_path / "s.safetensors")
    assert np.array_equal(found["w"], matrix)
    assert found["b"].tolist() == [1, -1]
    (tmp_path / "s.safetensors").write_bytes(data[:-1])
    with pytest.raises(BnnError, match="header is damaged"):
        read_safetensors(tmp_path / "s.safetensors")


@pytest.mark.parametrize("place", range(0, 700, 23))
def test_no_damage_of_a_byte_ends_in_a_traceback(tmp_path, place) -> None:
    torch.save(
        {"state_dict": {"w": torch.ones(2, 2)}, "epoch": 3},
        tmp_path / "s.pth",
        _use_new_zipfile_serialization=False,
    )
    data = bytearray((tmp_path / "s.pth").read_bytes())
    for value in (0, 0x28, 0x52, 0x74, 0xFF):
        data[place % len(data)] = value
        (tmp_path / "s.pth").write_bytes(data)
        with contextlib.suppress(BnnError):
            read_checkpoint(tmp_path / "s.pth")
