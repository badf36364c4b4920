"""CIFAR's binary and Python layouts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from bnncore.datasets import DatasetError, read

NAMES = ("cat", "dog", "owl")


@pytest.fixture
def images():
    """Return twelve random images and their labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (12, 32, 32, 3), np.uint8), rng.integers(0, 3, 12)


def planes(images):
    """Return the publisher's order: red, green and blue, each row by row."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), 3072)


@pytest.fixture
def binary(tmp_path, images):
    """Return a folder of binary batches: two for training, one for testing."""
    pixels, labels = images
    (tmp_path / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    for name, part in (
        ("data_batch_1", slice(0, 5)),
        ("data_batch_2", slice(5, 8)),
        ("test_batch", slice(8, 12)),
    ):
        records = np.concatenate([labels[part, None].astype(np.uint8), planes(pixels[part])], axis=1)
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    return tmp_path


@pytest.fixture
def python(tmp_path, images):
    """Return a folder of pickled batches."""
    pixels, labels = images
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": list(NAMES)}))
    for name, part in (
        ("data_batch_1", slice(0, 5)),
        ("data_batch_2", slice(5, 8)),
        ("test_batch", slice(8, 12)),
    ):
        write_batch(tmp_path / name, data=planes(pixels[part]), labels=labels[part].tolist())
    return tmp_path


def write_batch(path, **content) -> None:
    path.write_bytes(pickle.dumps(content, 2))


@pytest.mark.parametrize("layout", ["binary", "python"])
def test_both_splits_come_back(layout, images, request) -> None:
    folder = request.getfixturevalue(layout)
    train, test = read(folder, "train"), read(folder, "test")
    assert np.array_equal(np.concatenate([train.images, test.images]), images[0])
    assert np.array_equal(np.concatenate([train.labels, test.labels]), images[1])
    assert train.classes == test.classes == NAMES


def test_keys_may_be_bytes(python, images) -> None:
    (python / "test_batch").write_bytes(
        pickle.dumps({b"data": planes(images[0][8:]), b"labels": np.asarray(images[1][8:])})
    )
    assert np.array_equal(read(python, "test").labels, images[1][8:])


def test_file_names_are_kept(python, images) -> None:
    write_batch(python / "test_batch", data=planes(images[0][:2]), labels=[0, 1], filenames=["a.png", b"b.png"])
    assert read(python, "test").names == ("a.png", "b.png")


def test_batch_10_follows_batch_9(tmp_path, images) -> None:
    for number in range(1, 11):
        write_batch(tmp_path / f"data_batch_{number}", data=planes(images[0][:1]), labels=[number])
    assert read(tmp_path).labels.tolist() == list(range(1, 11))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"labels": [1]}, "'data'"),
        ({"data": np.zeros((1, 3072), np.uint8)}, "'labels'"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "2 images, but 1 labels"),
        ({"data": np.zeros((1, 3071), np.uint8), "labels": [1]}, "3072 bytes an image, found 3071"),
        ({"data": np.zeros((1, 3072), np.float32), "labels": [1]}, "array of bytes"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [3]}, "label 3, expected 0 to 2"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]}, "label -1"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["cat"]}, "whole numbers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [2**70]}, "whole numbers"),
    ],
)
def test_a_wrong_batch_is_named_with_the_reason(python, content, message) -> None:
    write_batch(python / "test_batch", **content)
    with pytest.raises(DatasetError, match=message) as caught:
        read(python, "test")
    assert "test_batch" in str(caught.value)


def test_names_that_are_no_text_are_replaced(python, images) -> None:
    # As text, lists that share lists would be endless.
    names: list[object] = [["x"], ["y"]]
    for _ in range(40):
        names = [names, names]
    write_batch(python / "test_batch", data=planes(images[0][:2]), labels=[0, 1], filenames=names)
    assert read(python, "test").names == ("test_batch:0", "test_batch:1")


@pytest.mark.parametrize("names", [[["x"], ["y"], ["z"]], 3, {"a": 1}])
def test_classes_that_are_no_text_are_refused(python, names) -> None:
    write_batch(python / "batches.meta", label_names=names)
    with pytest.raises(DatasetError, match=r"batches\.meta: expected 'label_names' as a list of texts"):
        read(python)


def test_a_truncated_binary_batch_is_refused(binary) -> None:
    path = binary / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"data_batch_2\.bin: expected whole records of 3073 bytes"):
        read(binary)


def test_a_binary_label_without_a_class_is_refused(binary) -> None:
    path = binary / "data_batch_1.bin"
    path.write_bytes(b"\x07" + path.read_bytes()[1:])
    with pytest.raises(DatasetError, match="image 0 has label 7"):
        read(binary)


def test_a_missing_split_is_refused(binary) -> None:
    (binary / "test_batch.bin").unlink()
    with pytest.raises(DatasetError, match="test_batch"):
        read(binary, "test")


def test_a_folder_of_anything_else_is_refused(tmp_path) -> None:
    with pytest.raises(DatasetError, match="expected CIFAR batches"):
        read(tmp_path)
