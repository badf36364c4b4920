"""Whole files of every kind that a reader takes, a few kilobytes each, made here: what mutations begin with."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from functools import lru_cache
from typing import Any

import numpy as np
from attrs import evolve
from bnnhw.folding import fold
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology, matrix_stages
from PIL import Image

from bnncore.formats.card import Card, Metric, card_bytes
from bnncore.formats.classes import classes_bytes
from bnncore.formats.golden import golden_bytes
from bnncore.formats.manifest import manifest_bytes
from bnncore.formats.npz import npz_bytes
from bnncore.formats.provenance import Provenance
from bnncore.formats.recipe import Recipe, RecipeEntry, recipe_bytes
from bnncore.publishing.random_network import random_network
from bnncore.records import Preprocessing, Step

__all__ = ["FOLDING", "TOPOLOGY", "seeds"]

TOPOLOGY = Topology(
    name="seed",
    input=Input(height=6, width=6, channels=3),
    layers=(Conv(outputs=4), Pool(), Dense(outputs=6), Dense(outputs=4)),
)
FOLDING = Folding.of((2, 3), (2, 4), (2, 2))
PROVENANCE = Provenance(
    preprocessing=Preprocessing(steps=(Step(operation="letterbox", options={"fill": 9}),), jpeg_side=64),
    temperature=1.5,
    recipe_sha256="0" * 64,
)
CLASSES = ("cat", "dog", "Kürbis", "20 km/h")
PICTURES = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "PPM", "WEBP", "TGA", "ICO", "PCX", "SGI", "JPEG2000")


def seeds(kind: str) -> tuple[bytes, ...]:
    """Return files of a kind."""
    return _MAKERS[kind]()


def _npz() -> tuple[bytes, ...]:
    made = []
    for bits in (1, 2):
        network = random_network(evolve(TOPOLOGY, weight_bits=bits, activation_bits=bits), 1)
        made.append(npz_bytes(network, CLASSES, PROVENANCE))
        with np.load(io.BytesIO(made[-1])) as file:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **{name: file[name] for name in file.files})
        made.append(buffer.getvalue())
    return tuple(made)


def _golden() -> tuple[bytes, ...]:
    inputs = _pixels(5, 6)
    return (golden_bytes(inputs, scores(random_network(TOPOLOGY, 1), inputs)),)


def _recipe() -> tuple[bytes, ...]:
    start = Recipe(topology="seed", epochs=3)
    recipe = Recipe(topology="seed", epochs=9, initial=start, teacher=start)
    return (recipe_bytes({"seed": RecipeEntry(recipe=recipe, seed=1, threads=2, minutes=0.5)}),)


def _card() -> tuple[bytes, ...]:
    metric = Metric(name="accuracy", value=0.5, samples=9, data="d", method="m", topology="seed")
    card = Card(
        title="Seed",
        description="A card.",
        source="made up",
        licenses={"weights": "CC0-1.0", "data": "CC0-1.0"},
        metrics=(metric,),
        recipe=json.loads(_recipe()[0]),
        networks={"seed": {"parameters": 5, "operations": 9}},
    )
    return (card_bytes(card),)


def _metrics() -> tuple[bytes, ...]:
    evaluation = {"name": "n", "topology": "seed", "data": "d", "split": "test", "samples": 4, "accuracy": 0.5}
    metric = {"name": "n", "value": 1, "samples": 2, "data": "d", "method": "m", "topology": "t"}
    return json.dumps(evaluation).encode(), json.dumps([metric]).encode()


def _manifest() -> tuple[bytes, ...]:
    return (manifest_bytes({f"{name}.npz": {"size": 9, "sha256": "0" * 64} for name in "ab"}),)


def _binparam() -> tuple[bytes, ...]:
    """Return the files of a folder one after the other, in the order of their names."""
    network = random_network(TOPOLOGY, 1)
    made = []
    for stage, layer, parameters in zip(matrix_stages(TOPOLOGY), FOLDING.layers, network.layers):
        words = fold(stage, layer, 1, parameters)
        for pe in range(layer.pe):
            if words.thresholds[pe].size:
                made.append(words.thresholds[pe].astype("<i8").tobytes())
            made.append(words.weights[pe].astype("<u8").tobytes())
    return (*made, classes_bytes(CLASSES))


def _idx() -> tuple[bytes, ...]:
    images = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in (4, 28, 28)) + bytes(4 * 784)
    return images, gzip.compress(images)


def _cifar() -> tuple[bytes, ...]:
    return (b"".join(bytes([label]) + bytes(range(256)) * 12 for label in range(3)),)


def _pickles() -> tuple[bytes, ...]:
    data = _pixels(2, 32).reshape(2, -1)
    batch: dict[Any, Any] = {"data": data, "labels": [0, 1], "filenames": ["a.png", "b.png"]}
    old = {key.encode(): value for key, value in batch.items()}
    return (
        *(pickle.dumps(batch, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        pickle.dumps(old, 2),
        pickle.dumps({**batch, "labels": np.array([0, 1]), "data": data.astype(np.uint8, order="F")}, 4),
    )


def _archives() -> tuple[bytes, ...]:
    made = []
    files = {"a/data_batch_1.bin": b"abc" * 100, "a/" + "n" * 120: b"", "a/batches.meta.txt": b"cat\ndog\n"}
    for mode, form in (
        ("w", tarfile.PAX_FORMAT),
        ("w:gz", tarfile.PAX_FORMAT),
        ("w", tarfile.GNU_FORMAT),
        ("w:xz", tarfile.GNU_FORMAT),
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, format=form) as tar:  # type: ignore[call-overload]
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                if form == tarfile.PAX_FORMAT:
                    info.pax_headers = {"comment": "ü"}
                tar.addfile(info, io.BytesIO(data))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.LNKTYPE, "a/data_batch_1.bin"
            tar.addfile(link)
        made.append(buffer.getvalue())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
        made.append(buffer.getvalue())
    return tuple(made)


def _tables() -> tuple[bytes, ...]:
    return (
        b'path,label\na.png,cat\n"b,b.png",dog\n',
        "\ufeffpath,label,split\r\na.png,Kürbis,train\r\n".encode(),
    )


def _pictures(kind: str) -> tuple[bytes, ...]:
    colour = Image.fromarray(_pixels(1, 24)[0])
    options: dict[str, list[tuple[Image.Image, dict[str, Any]]]] = {
        "PNG": [
            (colour.convert("P"), {"transparency": 0}),
            (Image.fromarray(_pixels(1, 9)[0][..., 0].astype(np.uint16)), {}),
        ],
        "JPEG": [(colour, {"progressive": True}), (colour.convert("CMYK"), {"exif": _orientation()})],
        "GIF": [(colour.convert("P"), {"save_all": True, "append_images": [colour.convert("P")]})],
        "TIFF": [
            (colour, {"compression": "tiff_lzw"}),
            (colour, {"compression": "tiff_deflate"}),
            (colour, {"compression": "jpeg"}),
            (colour.convert("1"), {"compression": "group4"}),
        ],
        "PPM": [(colour.convert("1"), {}), (colour.convert("L"), {})],
        "TGA": [(colour, {"compression": "tga_rle"})],
    }
    made = []
    for image, option in [(colour, {}), *options.get(kind, [])]:
        buffer = io.BytesIO()
        try:
            image.save(buffer, kind, **option)
        except (OSError, KeyError, ValueError):
            # This Pillow was built without the format, or the option.
            continue
        made.append(buffer.getvalue())
    return tuple(made)


def _orientation() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _checkpoints() -> tuple[bytes, ...]:
    import torch

    state = {}
    for number, (inputs, outputs) in ((2, (16, 8)), (6, (8, 8)), (10, (8, 8)), (14, (8, 4))):
        state[f"features.{number}.weight"] = torch.linspace(-1, 1, outputs * inputs).reshape(outputs, inputs)
        for key in ("weight", "bias", "running_mean", "running_var"):
            state[f"features.{number + 1}.{key}"] = torch.ones(outputs if number < 14 else 1)
    made = []
    for content, options in ((state, {}), ({"state_dict": state}, {"_use_new_zipfile_serialization": False})):
        buffer = io.BytesIO()
        torch.save(content, buffer, **options)
        made.append(buffer.getvalue())
    return tuple(made)


def _lasagne() -> tuple[bytes, ...]:
    numbers = np.random.default_rng(0)
    arrays: list[Any] = []
    for inputs, outputs in ((16, 8), (8, 6), (6, 4)):
        arrays.append(numbers.uniform(-1, 1, (inputs, outputs)).astype(np.float32))
        arrays += [numbers.uniform(0.5, 2, outputs).astype(np.float32) for _ in range(5)]
    made = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, *arrays)
        made.append(buffer.getvalue())
    return tuple(made)


def _safetensors() -> tuple[bytes, ...]:
    header, data = {}, b""
    for number, (inputs, outputs) in ((2, (16, 8)), (6, (8, 4))):
        shapes = {f"features.{number}.weight": [outputs, inputs]}
        shapes.update({f"features.{number + 1}.{key}": [outputs] for key in ("weight", "bias", "running_mean")})
        for name, shape in shapes.items():
            values = np.linspace(-1, 1, int(np.prod(shape))).astype("<f4").tobytes()
            header[name] = {
                "dtype": "F32",
                "shape": shape,
                "data_offsets": [len(data), len(data) + len(values)],
            }
            data += values
    text = json.dumps(header).encode()
    return (len(text).to_bytes(8, "little") + text + data,)


def _graphs() -> tuple[bytes, ...]:
    from onnx import TensorProto, helper, numpy_helper

    numbers = np.random.default_rng(0)
    domain = "qonnx.custom_op.general"
    constants: dict[str, Any] = {
        "two": 2.0,
        "one": 1.0,
        "step": 1 / 128,
        "zero": 0.0,
        "bits": 8.0,
        "w": numbers.uniform(-1, 1, (5, 2, 3, 3)),
        "v": numbers.uniform(-1, 1, (4, 45)),
        **{f"n{each}": numbers.uniform(0.5, 2, 5) for each in range(4)},
    }
    node = helper.make_node
    quant: dict[str, Any] = {"domain": domain, "signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
    nodes = [
        node("Mul", ["x", "two"], ["a"]),
        node("Sub", ["a", "one"], ["b"]),
        node("Quant", ["b", "step", "zero", "bits"], ["c"], **quant),
        node("BipolarQuant", ["w", "one"], ["w1"], domain=domain),
        node("Conv", ["c", "w1"], ["d"], strides=[1, 1], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        node("BatchNormalization", ["d", "n0", "n1", "n2", "n3"], ["e"], epsilon=1e-3),
        node("BipolarQuant", ["e", "one"], ["f"], domain=domain),
        node("MaxPool", ["f"], ["g"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["g"], ["h"]),
        node("BipolarQuant", ["v", "one"], ["v1"], domain=domain),
        node("Gemm", ["h", "v1"], ["y"], transB=1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, [1, 2, 6, 6])],
        [value("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(each, np.float32), name) for name, each in constants.items()],
    )
    data: bytes = helper.make_model(graph).SerializeToString()
    return (data,)


def _pixels(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


_MAKERS: dict[str, Any] = {
    "npz": lru_cache(_npz),
    "golden": lru_cache(_golden),
    "recipe": lru_cache(_recipe),
    "card": lru_cache(_card),
    "metrics": lru_cache(_metrics),
    "manifest": lru_cache(_manifest),
    "classes": lambda: (classes_bytes(CLASSES), b"\xef\xbb\xbfcat\r\ndog\r\n\r\n"),
    "binparam": lru_cache(_binparam),
    "idx": lru_cache(_idx),
    "cifar": lru_cache(_cifar),
    "pickle": lru_cache(_pickles),
    "archive": lru_cache(_archives),
    "table": lru_cache(_tables),
    "lasagne": lru_cache(_lasagne),
    "safetensors": lru_cache(_safetensors),
    "checkpoint": lru_cache(_checkpoints),
    "graph": lru_cache(_graphs),
    **{kind: lru_cache(lambda kind=kind: _pictures(kind)) for kind in PICTURES},
}
