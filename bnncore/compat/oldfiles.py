"""The two files through which BNN-PYNQ took its images.

Their layouts: docs/reference/bnn-pynq-preprocessing.md#cifar-records and
docs/reference/bnn-pynq-preprocessing.md#idx-files.

They are read as leniently as it did, where the outcome was of use: an incomplete CIFAR record at the end is
ignored, and images that an idx file promises but does not hold are blank. Where it crashed or
answered nonsense, there is an ``InputError``.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Input

from bnncore.errors import InputError
from bnncore.files import read_limited
from bnncore.pictures.decoding import Source, open_image
from bnncore.pictures.preprocessing import letterbox

__all__ = ["cifar_record", "read_cifar", "read_idx3"]

_SIDE = 32
_RECORD = 1 + 3 * _SIDE * _SIDE
_CIFAR = Input(height=_SIDE, width=_SIDE, channels=3, bits=8)
_MNIST_SIDE = 28
_IDX3_MAGIC = 0x00000803
# A header that promises more than this beyond the file's end is garbled, not merely cut short.
_MOST_BLANK = 100_000
_LIMIT = 2**30


def cifar_record(image: Source) -> npt.NDArray[np.uint8]:
    """Return uint8 [32, 32, 3], RGB: an image, or an RGB array, as ``CnvClassifier`` prepared it.

    Shrunk with aspect kept, never enlarged, centred on white. The EXIF orientation is not applied, as it
    was not then; the caller's image is not changed, though it was then.

    Raises:
        InputError: if it cannot be read.
    """
    picture = open_image(image, upright=False)
    try:
        return np.asarray(letterbox(picture, _CIFAR))
    except (OSError, ValueError) as error:
        raise InputError(f"a picture of mode {picture.mode} cannot be prepared: {error}") from error


def read_cifar(path: str | Path) -> npt.NDArray[np.uint8]:
    """Return uint8 [N, 32, 32, 3], RGB, from a file of CIFAR-10 records; labels are ignored.

    Raises:
        InputError: if it cannot be read or holds no whole record.
    """
    data = _read(path)
    count = len(data) // _RECORD
    if count == 0:
        raise InputError(f"{path}: expected CIFAR records of {_RECORD} bytes, found {len(data)} bytes")
    records = np.frombuffer(data, np.uint8, count * _RECORD).reshape(count, _RECORD)
    planes = records[:, 1:].reshape(count, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


def read_idx3(path: str | Path) -> npt.NDArray[np.uint8]:
    """Return uint8 [N, 28, 28] from an idx3 file of MNIST.

    Raises:
        InputError: if it cannot be read, is of another kind or size, or promises no image.
    """
    data = _read(path)
    if len(data) < 16:
        raise InputError(f"{path}: expected an idx3 file with a header of 16 bytes, found {len(data)} bytes")
    magic, count, rows, columns = (int(word) for word in np.frombuffer(data, ">u4", 4))
    if magic != _IDX3_MAGIC:
        raise InputError(
            f"{path}: expected an idx3 file (magic {_IDX3_MAGIC:#010x}), found {magic:#010x}; "
            "unpack it first if it is compressed"
        )
    if (rows, columns) != (_MNIST_SIDE, _MNIST_SIDE):
        raise InputError(f"{path}: expected images of 28 by 28 pixels, found {rows} by {columns}")
    if count == 0:
        raise InputError(f"{path}: expected at least one image, its header says 0")
    size = _MNIST_SIDE * _MNIST_SIDE
    held = (len(data) - 16) // size
    if count > held + _MOST_BLANK:
        raise InputError(f"{path}: its header promises {count} images, but it holds {held}; it is damaged")
    if held < count:
        warnings.warn(
            f"{path}: its header promises {count} images, but it holds {held}; the rest is taken as blank",
            stacklevel=2,
        )
    pixels = np.zeros(count * size, np.uint8)
    found = np.frombuffer(data, np.uint8, offset=16)[: count * size]
    pixels[: len(found)] = found
    return pixels.reshape(count, _MNIST_SIDE, _MNIST_SIDE)


def _read(path: str | Path) -> bytes:
    return read_limited(Path(path), _LIMIT, InputError, "the limit for one file of images")
