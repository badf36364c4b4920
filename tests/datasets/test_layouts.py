"""The table of layouts, and what is said of a path that holds none of them."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bnncore.datasets import DatasetError, LabelledImages, Survey, has_splits, read, survey
from bnncore.datasets.collection import Layout
from bnncore.datasets.layouts import LAYOUTS


class Columns:
    """A layout of somebody's own: one .npy a split, whose last column is the label."""

    def __init__(self, path: Path, known) -> None:
        self._path = path
        self.survey = Survey(path=path, layout=MINE.name, splits=("train", "test"))

    def read(self, split, prepare, skip_broken) -> LabelledImages:
        rows = np.load(self._path / f"{split}.npy")
        return LabelledImages(images=rows[:, :4].reshape(-1, 2, 2), labels=rows[:, 4].astype(np.int64))


MINE = Layout(
    name="columns",
    example="train.npy",
    recognises=lambda path: (path / "train.npy").is_file(),
    open=Columns,
)


def test_a_new_layout_is_a_line_in_the_table(tmp_path, monkeypatch) -> None:
    for split, label in (("train", 3), ("test", 5)):
        np.save(tmp_path / f"{split}.npy", np.array([[1, 2, 3, 4, label]], np.uint8))
    monkeypatch.setattr("bnncore.datasets.reading.LAYOUTS", [MINE, *LAYOUTS])
    assert has_splits(tmp_path)
    assert read(tmp_path, "test").labels.tolist() == [5]
    assert str(survey(tmp_path)).startswith(f"{tmp_path}: columns")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


IMAGES, LABELS = idx(np.zeros((3, 5, 4), np.uint8)), idx(np.array([0, 1, 9], np.uint8))
RECORD = bytes(3073)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("images", "labels", "split"),
    [
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte", "train"),
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "test"),
        ("test-images-idx3-ubyte", "test-labels-idx1-ubyte", "test"),
        ("Train_Images_idx3_ubyte", "Train_Labels_idx1_ubyte", "train"),
        ("train-images.idx", "train-labels.idx", "train"),
        ("val-images-idx3-ubyte", "val-labels-idx1-ubyte", "validation"),
        (
            "train-images-idx3-ubyte/train-images-idx3-ubyte",
            "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
            "train",
        ),
        ("MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte", "train"),
    ],
)
def test_copies_of_mnist_are_read(tmp_path, images, labels, split) -> None:
    packed = gzip.compress if images.endswith(".gz") else bytes
    put(tmp_path, {images: packed(IMAGES), labels: packed(LABELS)})
    assert read(tmp_path, split).labels.tolist() == [0, 1, 9]


@pytest.mark.parametrize("folder", ["cifar-10-batches-bin", "data/cifar/cifar-10-batches-bin"])
def test_a_set_in_a_folder_below_is_read(tmp_path, folder) -> None:
    put(tmp_path, {f"{folder}/data_batch_1.bin": RECORD, "readme.html": b"<html>"})
    assert len(read(tmp_path)) == 1


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("cifar-10-batches-bin/readme"))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("files", "given", "message"),
    [
        ({"train": b"x", "test": b"x", "meta": b"x"}, "", "found CIFAR-100, .* save its pictures"),
        (
            {"cifar/train": b"x", "cifar/test": b"x", "cifar/meta": b"x"},
            "",
            "in 'cifar' found CIFAR-100, .* save its pictures",
        ),
        ({"a/b/emnist-letters-train-images-idx3-ubyte.gz": gzip.compress(IMAGES)}, "a", "in 'b' found EMNIST"),
        ({"mnist.npz": zipped()}, "mnist.npz", "found 'mnist.npz', which is not read; save its pictures"),
        ({"train.bin": b"x", "test.bin": b"x", "fine_label_names.txt": b"x"}, "", "found CIFAR-100"),
        ({"emnist-letters-train-images-idx3-ubyte": IMAGES}, "", "found EMNIST, .* turned upright"),
        ({"qmnist-train-images-idx3-ubyte.gz": IMAGES}, "", "begin with 'qmnist-train'; .* rename them"),
        ({"train-images-idx3-ubyte.xz": b"x"}, "", "'train-images-idx3-ubyte.xz', still compressed; unpack"),
        ({"data_batch_1.bin.bz2": b"x"}, "", "still compressed; unpack"),
        (
            {"cifar-10-binary.tar.gz": tar()},
            "",
            "'cifar-10-binary.tar.gz', not unpacked; .*bnncore data NAME --from",
        ),
        ({"cifar.data": tar()}, "cifar.data", "found an archive; unpack it"),
        ({"photos.zip": zipped()}, "photos.zip", "found an archive; unpack it"),
        ({"train_32x32.mat": b"x"}, "", "'train_32x32.mat', which is not read; .*TrainingData.of_images"),
        ({"data_batch_1.bin": RECORD}, "data_batch_1.bin", "found one file of a set; give its folder"),
        (
            {"t10k-images-idx3-ubyte": IMAGES},
            "t10k-images-idx3-ubyte",
            "found one file of a set; give its folder",
        ),
        ({"cat.png": png()}, "cat.png", "found one picture; give the folder"),
        ({"labels.csv": b"path,label\n"}, "", "a table of pictures is given itself, .*labels.csv"),
        ({"words.txt": b"x", "more.txt": b"x"}, "", "found 'more.txt', 'words.txt'"),
        ({"empty/words.txt": b"x"}, "empty/..", "found 'empty'"),
        (
            {"py/data_batch_1": b"x", "bin/data_batch_1.bin": RECORD},
            "",
            "several sets, 'bin', 'py'; give the folder",
        ),
    ],
)
def test_what_is_there_instead_is_said(tmp_path, files, given, message) -> None:
    path = put(tmp_path, files) / given
    with pytest.raises(DatasetError, match=message) as caught:
        survey(path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_looked_into_hides_no_other(tmp_path, monkeypatch) -> None:
    put(tmp_path, {"closed/x": b"x", "open/test_batch.bin": RECORD})

    def recognises(path: Path) -> bool:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return False

    shy = Layout(name="shy", example="x", recognises=recognises, open=LAYOUTS[0].open, certain=True)
    monkeypatch.setattr("bnncore.datasets.reading.LAYOUTS", [shy, *LAYOUTS])
    assert len(read(tmp_path, "test")) == 1
