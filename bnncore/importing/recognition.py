"""What a file or a folder of a trained network is, by its first bytes, and the way from it to a network here.

One table, for ``bnncore import``, which reads some of these, and for ``bnncore.load``, which reads none.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from attrs import field, frozen

from bnncore.importing.torch_pickle import OLD_MARK
from bnncore.pictures.signatures import picture_format

__all__ = ["MOST_BYTES", "Kind", "Reader", "recognise"]

MOST_BYTES = 2**29
"""Of a file with a network; BinaryNet's largest, in float64, has 290 MB."""

Reader = Literal["checkpoint", "lasagne", "qonnx", "safetensors"]

# Enough for the mark of a tar archive, and for the line of a page that follows comments.
_HEAD = 512
_TAR_MARK = 257
# Of an archive that anybody made; a model has some hundred members.
_MOST_MEMBERS = 2**16


@frozen(kw_only=True)
class Kind:
    """A kind of file.

    Attributes:
        name: with its article, as a message says what was found.
        way: from such a file to a network here, an instruction without a full stop.
        reader: which module of this room reads it, or None.
        ours: ``bnncore.load`` reads it; it needs no import.
    """

    name: str
    way: str
    reader: Reader | None = None
    ours: bool = False


@frozen(kw_only=True)
class _Signature:
    kind: Kind
    fits: Callable[[bytes, Path], bool] = field(repr=False)


_OTHER = "networks of that kind are not read: export it to QONNX, or train it again with bnncore train"
_UNPACK = "unpack it, and take the file with the network"
_IMPORT = "turn it into parameters first: bnncore import {path} --precision W1A1 --out weights.npz"

_CHECKPOINT = Kind(name="a checkpoint of PyTorch", way=_IMPORT, reader="checkpoint")
_QONNX = Kind(
    name="an ONNX graph",
    way="turn it into parameters first: bnncore import {path} --out weights.npz",
    reader="qonnx",
)
_LASAGNE = Kind(
    name="the parameters of a network trained with Lasagne, as BNN-PYNQ and BinaryNet save them",
    way=_IMPORT,
    reader="lasagne",
)
_PARAMETERS = Kind(
    name="a parameter file of bnncore", way="it needs no import: bnncore classify {path} PICTURE", ours=True
)
_FOLDER = Kind(
    name="a parameter folder of BNN-PYNQ",
    way="it needs no import: bnncore classify {path} PICTURE --topology cnvW1A1, or the network that it is for",
    ours=True,
)
_TENSORFLOW = Kind(name="a model of TensorFlow", way=_OTHER)


def _starts(*marks: bytes) -> Callable[[bytes, Path], bool]:
    return lambda head, path: head.startswith(marks)


def _page(head: bytes, path: Path) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml"))


def _onnx(head: bytes, path: Path) -> bool:
    # The version of the format, a small number, comes first; then a text, the graph, or the operators' version.
    return path.suffix.lower() == ".onnx" or (
        len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 32 and head[2] in b"\x12\x1a\x22\x2a\x32\x3a\x42"
    )


def _safetensors(head: bytes, path: Path) -> bool:
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32


# In this order: those that could be taken for another come after it.
_SIGNATURES = tuple(
    _Signature(kind=kind, fits=fits)
    for kind, fits in (
        (Kind(name="an empty file", way="fetch or save it again"), lambda head, path: not head),
        (
            Kind(name="a pointer of Git LFS, not the file itself", way="fetch that with: git lfs pull"),
            _starts(b"version https://git-lfs"),
        ),
        (
            Kind(
                name="a web page, not a network",
                way="the download failed: fetch the file again, with its direct address",
            ),
            _page,
        ),
        (Kind(name="a model of Keras or Larq in HDF5", way=_OTHER), _starts(b"\x89HDF\r\n\x1a\n")),
        (
            Kind(name="a model of TensorFlow Lite", way=_OTHER),
            lambda head, path: head[4:8] in (b"TFL3", b"TFL2"),
        ),
        (Kind(name="an archive compressed with gzip", way=_UNPACK), _starts(b"\x1f\x8b")),
        (Kind(name="an archive compressed with bzip2", way=_UNPACK), _starts(b"BZh")),
        (Kind(name="an archive compressed with xz", way=_UNPACK), _starts(b"\xfd7zXZ\0")),
        (Kind(name="an archive compressed with Zstandard", way=_UNPACK), _starts(b"\x28\xb5\x2f\xfd")),
        (Kind(name="an archive of 7-Zip or RAR", way=_UNPACK), _starts(b"7z\xbc\xaf'\x1c", b"Rar!")),
        (
            Kind(name="a tar archive", way=_UNPACK),
            lambda head, path: head[_TAR_MARK : _TAR_MARK + 5] == b"ustar",
        ),
        (
            Kind(
                name="a single array of numpy (.npy)",
                way="save all arrays of the network in one file, with numpy.savez",
            ),
            _starts(b"\x93NUMPY"),
        ),
        (Kind(name="a file of MATLAB", way=_OTHER), _starts(b"MATLAB 5.0")),
        (
            Kind(name="a compiled program or library", way="expected the parameters of a network"),
            _starts(b"\x7fELF"),
        ),
        (
            Kind(
                name="a picture",
                way="write the network's name before it: bnncore classify NAME {path}",
            ),
            lambda head, path: picture_format(head) is not None,
        ),
        (
            Kind(
                name="a bitstream of an FPGA",
                way="it goes with a network: bnncore explain NAME says which one is used, and why",
            ),
            _starts(b"\x00\x09\x0f\xf0"),
        ),
        (_CHECKPOINT, lambda head, path: OLD_MARK in head[:32]),
        (
            Kind(
                name="a pickle, which is a program and is not run",
                way="in Python, save the state dict of the model that it holds: torch.save(model.state_dict(), ...)",
            ),
            lambda head, path: head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1,
        ),
        (_TENSORFLOW, lambda head, path: path.suffix.lower() == ".pb"),
        (_QONNX, _onnx),
        (
            Kind(name="tensors in the format safetensors", way=_IMPORT, reader="safetensors"),
            _safetensors,
        ),
    )
)


def recognise(path: Path) -> Kind | None:
    """Return what a file or folder is, by its content; None if it is nothing known here, or cannot be read.

    Of a file, the first bytes are read, and of a zip archive the list of its members.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(b"PK\x03\x04"):
            return _archive(path)
    except OSError:
        return None
    for signature in _SIGNATURES:
        if signature.fits(head, path):
            return signature.kind
    return None


def _folder(path: Path) -> Kind | None:
    if (path / "saved_model.pb").is_file():
        return Kind(name="a SavedModel folder of TensorFlow", way=_OTHER)
    if next(path.glob("*-weights.bin"), None) is not None:
        return _FOLDER
    # What torch.load writes, unpacked by a file manager.
    if next(path.glob("data.pkl"), None) or next(path.glob("*/data.pkl"), None):
        return Kind(
            name="an unpacked checkpoint of PyTorch",
            way="give the file that PyTorch saved; it is a zip archive, but need not be unpacked",
        )
    return None


def _archive(path: Path) -> Kind:
    # Anything may be wrong with an archive; then it is one that is damaged, as its reader will say.
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()[:_MOST_MEMBERS]
    except Exception:
        return Kind(
            name="a zip archive that is cut short or damaged, as a checkpoint or an .npz that was not fetched whole",
            way="fetch or save it again",
        )
    leaves = {name.rpartition("/")[2] for name in names}
    if "data.pkl" in leaves and "constants.pkl" in leaves:
        return Kind(
            name="a program of TorchScript",
            way="in Python, save its parameters: torch.save(torch.jit.load(...).state_dict(), 'state.pth')",
        )
    if "data.pkl" in leaves:
        return _CHECKPOINT
    if "model.weights.h5" in leaves or {"config.json", "metadata.json"} <= leaves:
        return Kind(name="a model of Keras (.keras)", way=_OTHER)
    if "meta.npy" in names:
        return _PARAMETERS
    if "arr_0.npy" in names:
        return _LASAGNE
    if names and all(name.endswith(".npy") for name in names):
        return Kind(
            name="an .npz of arrays under names of their own",
            way="save the network's arrays as BNN-PYNQ's training does, numpy.savez(file, *arrays), and import that",
        )
    return Kind(name="a zip archive", way=_UNPACK)
