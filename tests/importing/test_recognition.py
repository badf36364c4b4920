"""What a file or a folder is, whatever its name says, and the way from it."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

import bnncore
from bnncore.errors import BnnError
from bnncore.importing.recognition import recognise
from bnncore.importing.trained import read_trained


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return buffer.getvalue()


def arrays(**named: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **named)  # type: ignore[arg-type]  # allow_pickle is no array
    return buffer.getvalue()


OTHERS = {
    "empty": (b"", "an empty file"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras or Larq in HDF5"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(100), "TensorFlow Lite"),
    "Keras": (zipped("metadata.json", "config.json", "model.weights.h5"), r"Keras \(\.keras\)"),
    "TorchScript": (zipped("a/data.pkl", "a/constants.pkl", "a/code/x.py"), "TorchScript"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "bzip2": (b"BZh91AY&SY", "bzip2"),
    "xz": (b"\xfd7zXZ\0" + bytes(50), "xz"),
    "tar": (b"a.bin" + bytes(252) + b"ustar\x0000", "a tar archive"),
    "zip": (zipped("readme.txt"), "a zip archive"),
    "half a zip": (zipped("a/data.pkl")[:60], "cut short or damaged"),
    "page": (b"\n<!DOCTYPE html><html>", "the download failed"),
    "plain page": (b"<html><head>", "the download failed"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "pickle": (pickle.dumps({"a": 1}), r"a pickle.*state_dict"),
    "array": (b"\x93NUMPY\x01\0v\0{", "a single array of numpy"),
    "named arrays": (arrays(conv1=np.ones(2)), "names of their own"),
    "picture": (b"\x89PNG\r\n\x1a\n", "a picture"),
    "bitstream": (b"\x00\x09\x0f\xf0\x0f\xf0", "bitstream"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_import_and_load_say_what_a_file_is(tmp_path, kind) -> None:
    content, message = OTHERS[kind]
    # By content: a name that fits is no proof.
    for name in ("model.npz", "model.pth"):
        (tmp_path / name).write_bytes(content)
        for use in (lambda path: read_trained(path, "W1A1"), bnncore.load):
            with pytest.raises(BnnError, match=rf"{name}: expected .*{message}") as caught:
                use(tmp_path / name)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reader"),
    [
        (zipped("best/data.pkl", "best/data/0"), "checkpoint"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.", "checkpoint"),
        (arrays(arr_0=np.ones((2, 2)), arr_1=np.ones(2)), "lasagne"),
        (b"\x08\x08\x12\x07pytorch", "qonnx"),
        (b"\x08\x04:\x02\x12\0", "qonnx"),
        (b"\x02\0\0\0\0\0\0\0{}", "safetensors"),
    ],
)
def test_what_import_reads_is_known_by_its_content(tmp_path, content, reader) -> None:
    path = tmp_path / "model.dat"
    path.write_bytes(content)
    kind = recognise(path)
    assert kind is not None
    assert kind.reader == reader
    with pytest.raises(BnnError, match=r"bnncore import .*model\.dat"):
        bnncore.load(path)


def test_folders_are_told_apart(tmp_path) -> None:
    for name, file in (("saved", "saved_model.pb"), ("params", "0-0-weights.bin"), ("state", "data.pkl")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(b"")
    with pytest.raises(BnnError, match="a SavedModel folder of TensorFlow"):
        bnncore.load(tmp_path / "saved")
    with pytest.raises(BnnError, match=r"a parameter folder of BNN-PYNQ; it needs no import: bnncore classify"):
        read_trained(tmp_path / "params")
    with pytest.raises(BnnError, match="an unpacked checkpoint of PyTorch"):
        read_trained(tmp_path / "state")
    # load reads these, so it says what is wrong with this one.
    with pytest.raises(BnnError, match="does not say its topology"):
        bnncore.load(tmp_path / "params")


def test_what_is_unknown_or_not_there_is_said_without_a_guess(tmp_path) -> None:
    (tmp_path / "noise").write_bytes(b"qqqqqqqqqqqqq")
    assert recognise(tmp_path / "noise") is None
    assert recognise(tmp_path / "missing") is None
    (tmp_path / "letters").write_bytes(b"BM of 2020, a table")
    assert recognise(tmp_path / "letters") is None
    with pytest.raises(BnnError, match=r"noise: expected a QONNX graph, .* found none of them"):
        read_trained(tmp_path / "noise", "W1A1")
