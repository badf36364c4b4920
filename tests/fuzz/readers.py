"""The readers that are tried: what each takes, and how it is called on the bytes of one file."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from fuzz.seeds import FOLDING, PICTURES, TOPOLOGY, seeds

__all__ = ["READERS", "Reader"]


@frozen
class Reader:
    """One reader.

    Attributes:
        kinds: of seeds that it is given.
        read: called with the bytes of a file and an empty folder of its own.
        share: how often it is tried, beside the others.
        needs: modules without which it is not tried.
    """

    kinds: tuple[str, ...]
    read: Callable[[bytes, Path], object]
    share: float = 1.0
    needs: tuple[str, ...] = ()


def _npz(data: bytes, folder: Path) -> None:
    from bnnhw.reference import scores

    from bnncore.formats.npz import npz_bytes, parse_npz

    network = parse_npz(data, "x.npz").network
    npz_bytes(network)
    # What is taken can be run.
    if network.topology.operations < 10**7:
        scores(network, np.zeros((1, *network.topology.input.shape), np.uint8))


def _golden(data: bytes, folder: Path) -> object:
    from bnncore.formats.golden import parse_golden

    return parse_golden(data, "x.npz", TOPOLOGY)


def _card(data: bytes, folder: Path) -> None:
    from bnncore.formats.card import card_bytes, parse_card

    card = parse_card(data, "card.json")
    card._repr_html_()
    card_bytes(card)


def _recipe(data: bytes, folder: Path) -> None:
    from bnncore.formats.recipe import parse_recipe, recipe_bytes

    entry = parse_recipe(data, "seed", "recipe.json")
    entry.recipe.lasting(1)
    recipe_bytes({"seed": entry})


def _metrics(data: bytes, folder: Path) -> object:
    from bnncore.formats.evaluation import parse_metrics

    return parse_metrics(data, "evaluation.json")


def _manifest(data: bytes, folder: Path) -> None:
    from bnncore.formats.manifest import parse_manifest
    from bnncore.records import Resource

    for path, entry in parse_manifest(data, "manifest.json").items():
        if isinstance(entry, dict):
            try:
                Resource(package="p", path=path, size=entry["size"], sha256=entry["sha256"])
            # Which is what ``packaged`` catches.
            except (KeyError, TypeError, ValueError):
                continue


def _classes(data: bytes, folder: Path) -> object:
    from bnncore.formats.classes import parse_classes

    return parse_classes(data, "classes.txt", 4)


def _binparam(data: bytes, folder: Path) -> object:
    """Put the bytes in the place of one of a folder's files."""
    from bnncore.formats.binparam import read_binparam

    names = [
        f"{layer}-{pe}-{what}.bin" for layer in range(3) for pe in range(2) for what in ("thres", "weights")
    ]
    names = [name for name in names if not (name.startswith("2-") and "thres" in name)]
    for name, content in zip([*names, "classes.txt"], seeds("binparam")):
        (folder / name).write_bytes(content)
    (folder / [*names, "classes.txt"][sum(data[:64]) % (len(names) + 1)]).write_bytes(data)
    return read_binparam(folder, TOPOLOGY, FOLDING)


def _idx(data: bytes, folder: Path) -> object:
    from bnncore.datasets.idx import read_idx_file

    return read_idx_file(_put(data, folder), 3)


def _old_idx(data: bytes, folder: Path) -> object:
    from bnncore.compat.oldfiles import read_idx3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_idx3(_put(data, folder))


def _cifar(data: bytes, folder: Path) -> None:
    from bnncore.compat.oldfiles import read_cifar
    from bnncore.datasets import read

    read(_put(data, folder, "data_batch_1.bin").parent)
    read_cifar(folder / "data_batch_1.bin")


def _pickle(data: bytes, folder: Path) -> object:
    from bnncore.datasets import read

    return read(_put(data, folder, "data_batch_1").parent)


def _archive(data: bytes, folder: Path) -> None:
    from bnncore.datasets.unpacking import is_archive, unpack

    path = _put(data, folder)
    try:
        is_archive(path)
        unpack(path, folder / "out")
        assert all(each.is_file() or each.is_dir() for each in (folder / "out").rglob("*"))
    finally:
        shutil.rmtree(folder / "out", ignore_errors=True)


def _table(data: bytes, folder: Path) -> object:
    from bnncore.datasets import read

    for name in ("a.png", "b,b.png"):
        (folder / name).write_bytes(b"")
    return read(_put(data, folder, "t.csv"), prepare=lambda path: np.zeros((2, 2), np.uint8))


def _picture(data: bytes, folder: Path) -> object:
    from bnnhw.topology import Input

    from bnncore.pictures.preprocessing import Pipeline
    from bnncore.records import Preprocessing

    given = Input(height=32, width=32, channels=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of pictures whose depth is a guess.
        return Pipeline(Preprocessing.default(given), given)(data)


def _checkpoint(data: bytes, folder: Path) -> object:
    from bnncore.importing.brevitas import read_brevitas

    return read_brevitas(_put(data, folder, "x.pth"), "W1A1")


def _lasagne(data: bytes, folder: Path) -> object:
    from bnncore.importing.trained import read_trained

    return read_trained(_put(data, folder, "x.npz"), "W1A1")


def _safetensors(data: bytes, folder: Path) -> object:
    from bnncore.importing.trained import read_trained

    return read_trained(_put(data, folder, "x.safetensors"), "W1A1")


def _graph(data: bytes, folder: Path) -> object:
    from bnncore.importing.qonnx import read_qonnx

    return read_qonnx(_put(data, folder, "x.onnx"))


def _put(data: bytes, folder: Path, name: str = "x") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@lru_cache
def _table_of_readers() -> dict[str, Reader]:
    return {
        "npz": Reader(("npz",), _npz, 2.0),
        "golden": Reader(("golden",), _golden),
        "card": Reader(("card",), _card),
        "recipe": Reader(("recipe",), _recipe),
        "metrics": Reader(("metrics",), _metrics),
        "manifest": Reader(("manifest",), _manifest),
        "classes": Reader(("classes",), _classes, 0.3),
        "binparam": Reader(("binparam",), _binparam),
        "idx": Reader(("idx",), _idx),
        "old idx": Reader(("idx",), _old_idx, 0.3),
        "cifar": Reader(("cifar",), _cifar, 0.5),
        "pickle": Reader(("pickle",), _pickle, 2.0),
        "archive": Reader(("archive",), _archive, 2.0),
        "table": Reader(("table",), _table),
        **{f"picture {kind}": Reader((kind,), _picture, 0.5) for kind in PICTURES},
        "lasagne": Reader(("lasagne",), _lasagne),
        "safetensors": Reader(("safetensors",), _safetensors),
        "checkpoint": Reader(("checkpoint",), _checkpoint, 1.0, ("torch",)),
        "graph": Reader(("graph",), _graph, 1.0, ("onnx",)),
    }


READERS: dict[str, Any] = _table_of_readers()
