"""MNIST's idx files."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from bnncore.datasets import DatasetError, read


def idx(array: np.ndarray) -> bytes:
    """Return the bytes of an idx file."""
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def digits():
    """Return five random images and their labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (5, 28, 28), np.uint8), rng.integers(0, 10, 5, np.uint8)


@pytest.fixture
def folder(tmp_path, digits):
    """Return a folder with a plain training split and a compressed test split."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(digits[0]))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(digits[1]))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(digits[0][::-1].copy())))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(digits[1][::-1].copy())))
    return tmp_path


def test_plain_files_come_back(folder, digits) -> None:
    data = read(folder, "train")
    assert np.array_equal(data.images, digits[0])
    assert np.array_equal(data.labels, digits[1])
    assert data.classes == tuple("0123456789")


def test_compressed_files_come_back(folder, digits) -> None:
    assert np.array_equal(read(folder, "test").images, digits[0][::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "truncated"),
        (lambda data: data + b"0", "too long"),
        (lambda data: data[:7], "header of 16 bytes"),
        (lambda data: b"\x00\x00\x08\x01" + data[4:], "magic number 0x00000803"),
        (lambda data: data[:4] + b"\xff" * 4 + data[8:], "truncated"),
        (lambda data: data[:8] + b"\x00" * 4 + data[12:], "pixels"),
        (lambda data: gzip.compress(data)[:-9], "damaged"),
        (lambda data: b"\x1f\x8b" + data, "damaged"),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(folder, change, message) -> None:
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DatasetError, match=message) as caught:
        read(folder, "train")
    assert path.name in str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_is_too_large_is_refused(folder, monkeypatch, pack) -> None:
    monkeypatch.setattr("bnncore.datasets.limited._LIMIT", 1000)
    (folder / "train-images-idx3-ubyte").write_bytes(pack(bytes(100_000)))
    with pytest.raises(DatasetError, match="train-images-idx3-ubyte: larger than 1000 bytes"):
        read(folder, "train")


def test_a_label_too_few_is_noticed(folder, digits) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(digits[1][:4]))
    with pytest.raises(DatasetError, match="4 labels for the 5 images"):
        read(folder, "train")
