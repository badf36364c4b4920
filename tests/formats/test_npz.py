"""The .npz parameter file: what is written is read back, and every damage is one clear error."""

from __future__ import annotations

import io
import json
import pickle
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from bnnhw.network import Network
from bnnhw.topology import Conv, Dense, Input, Pool, Topology
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds, topologies

from bnncore.errors import ParameterError
from bnncore.formats import npz
from bnncore.formats.archive import open_archive
from bnncore.formats.npz import npz_bytes, parse_npz, read_npz, write_npz
from bnncore.formats.provenance import Provenance
from bnncore.publishing.random_network import random_network
from bnncore.records import Preprocessing, Step

TOPOLOGY = Topology(
    name="tiny",
    input=Input(height=6, width=6, channels=3),
    layers=(Conv(outputs=4), Pool(), Dense(outputs=5), Dense(outputs=3)),
)
NETWORK = random_network(TOPOLOGY, 1, extreme=0.2)
CLASSES = ("cat", "dog", "Kürbis")
BYTES = npz_bytes(NETWORK, CLASSES)
NAMED = re.compile(r"^w\.npz[:,]")
MEMBERS = [
    "meta",
    "layer0.weights",
    "layer0.thresholds",
    "layer1.weights",
    "layer1.thresholds",
    "layer2.weights",
]


def same(one: Network, other: Network) -> bool:
    return one.topology == other.topology and all(
        np.array_equal(a.weights, b.weights) and np.array_equal(a.thresholds, b.thresholds)
        for a, b in zip(one.layers, other.layers)
    )


def members(data: bytes = BYTES) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def zipped(content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), **options)
    return buffer.getvalue()


def with_array(name: str, array: Any, **options: Any) -> bytes:
    return zipped({**members(), f"{name}.npy": npy(array, **options)})


def with_meta(change: Callable[[dict[str, Any]], object]) -> bytes:
    meta = json.loads(np.load(io.BytesIO(members()["meta.npy"])).tobytes())
    change(meta)
    return with_array("meta", np.frombuffer(json.dumps(meta).encode(), np.uint8))


def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(BYTES)) as file:
        return {name: file[name] for name in file.files}


# -- round trip ------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(topologies(), seeds)
def test_a_network_is_read_back_as_it_was_written(topology: Topology, seed: int) -> None:
    network = random_network(topology, seed, extreme=0.2)
    found = parse_npz(npz_bytes(network), "x.npz")
    assert same(found.network, network)
    assert found.classes is None
    assert same(parse_npz(npz_bytes(network), "x.npz", topology).network, network)


def test_classes_are_read_back(tmp_path: Path) -> None:
    write_npz(tmp_path / "new" / "w.npz", NETWORK, CLASSES)
    found = read_npz(tmp_path / "new" / "w.npz")
    assert found.classes == CLASSES
    assert same(found.network, NETWORK)


PREPROCESSING = st.one_of(
    st.builds(
        Preprocessing,
        steps=st.lists(
            st.builds(
                Step,
                operation=st.text(st.characters(exclude_categories=["Cs"])),
                options=st.dictionaries(
                    st.text(st.characters(exclude_categories=["Cs"])),
                    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.tuples(st.integers()),
                ),
            ),
            min_size=1,
            max_size=16,
        ),
        jpeg_side=st.none() | st.integers(1, 9999),
    ),
    st.just(Preprocessing(function="bnn_mine.pictures:prepare")),
)


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        Provenance,
        preprocessing=st.none() | PREPROCESSING,
        temperature=st.none() | st.floats(0, 1e300, exclude_min=True),
        recipe_sha256=st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    )
)
def test_what_is_known_of_the_training_is_read_back(provenance: Provenance) -> None:
    found = parse_npz(npz_bytes(NETWORK, CLASSES, provenance), "w.npz")
    assert found.provenance == provenance
    assert same(found.network, NETWORK)


def test_a_file_of_version_1_records_nothing() -> None:
    def older(meta: dict[str, Any]) -> None:
        meta.update(version=1, preprocessing={"function": "os:system"}, temperature=-1)

    found = parse_npz(with_meta(older), "w.npz")
    assert found.provenance == Provenance()
    assert same(found.network, NETWORK)


def test_the_same_network_gives_the_same_bytes() -> None:
    assert npz_bytes(random_network(TOPOLOGY, 1, extreme=0.2), CLASSES) == BYTES


def test_the_members_are_the_documented_ones() -> None:
    assert list(members()) == [f"{name}.npy" for name in MEMBERS]


def test_weights_lie_as_documented() -> None:
    """Written out by hand: one bit a weight, lowest bit first, +1 as 1; two bits in two's complement."""
    for bits in (1, 2):
        topology = attrs.evolve(TOPOLOGY, weight_bits=bits)
        network = random_network(topology, 2, extreme=0.2)
        with np.load(io.BytesIO(npz_bytes(network))) as file:
            rows = file["layer0.weights"].tolist()
        for row, weights in zip(rows, network.layers[0].weights.tolist()):
            number = int.from_bytes(bytes(row), "little")
            codes = [number >> i * bits & (1 << bits) - 1 for i in range(27)]
            assert codes == [int(w > 0) if bits == 1 else w % 4 for w in weights]
            assert number >> 27 * bits == 0


def test_numpy_alone_reads_the_file() -> None:
    with np.load(io.BytesIO(BYTES), allow_pickle=False) as file:
        assert np.array_equal(file["layer0.thresholds"], NETWORK.layers[0].thresholds)


def test_a_compressed_file_is_read() -> None:
    assert same(parse_npz(zipped(members(), zipfile.ZIP_DEFLATED), "x").network, NETWORK)


def test_classes_that_do_not_fit_are_not_written() -> None:
    with pytest.raises(ParameterError, match="4 classes, but the network has 3 outputs"):
        npz_bytes(NETWORK, ("a", "b", "c", "d"))
    with pytest.raises(ParameterError, match="'a' stands in line 1"):
        npz_bytes(NETWORK, ("a", "a"))


def test_writing_replaces_the_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(b"old")
    write_npz(path, NETWORK)
    assert path.read_bytes() == npz_bytes(NETWORK)
    assert [each.name for each in tmp_path.iterdir()] == ["w.npz"]


# -- damage ----------------------------------------------------------------------------------------


def test_truncated_anywhere_it_is_refused() -> None:
    for length in range(len(BYTES)):
        with pytest.raises(ParameterError, match=NAMED):
            parse_npz(BYTES[:length], "w.npz")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(BYTES) - 1), st.integers(1, 255)), min_size=1, max_size=4, unique=True
    )
)
def test_flipped_bytes_are_refused_or_harmless(flips: list[tuple[int, int]]) -> None:
    """zip checks its members' content; what it does not check (dates, …) cannot change the network."""
    data = bytearray(BYTES)
    for position, mask in flips:
        data[position] ^= mask
    try:
        found = parse_npz(bytes(data), "w.npz")
    except ParameterError:
        return
    assert same(found.network, NETWORK)
    assert found.classes == CLASSES


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ParameterError, match=NAMED):
        parse_npz(data, "w.npz")
    with pytest.raises(ParameterError, match=NAMED):
        parse_npz(zipped({"meta.npy": data}), "w.npz")


@pytest.mark.parametrize("name", MEMBERS)
def test_a_missing_member_is_named(name: str) -> None:
    content = members()
    del content[f"{name}.npy"]
    with pytest.raises(ParameterError, match=rf"^w\.npz.*{name}"):
        parse_npz(zipped(content), "w.npz")


@pytest.mark.parametrize("name", ["layer9.weights", "layer2.thresholds", "notes.txt", "../evil"])
def test_a_surplus_member_is_named(name: str) -> None:
    member = name if name.endswith(".txt") else f"{name}.npy"
    with pytest.raises(ParameterError, match=f"unexpected '{name}'"):
        parse_npz(zipped({**members(), member: npy(np.zeros(1))}), "w.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_that_occurs_twice_is_refused(name: str) -> None:
    buffer = io.BytesIO(BYTES)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(f"{name}.npy", members()[f"{name}.npy"])
    with pytest.raises(ParameterError, match=f"'{name}' occurs twice"):
        parse_npz(buffer.getvalue(), "w.npz")


@pytest.mark.parametrize(
    ("name", "change", "expected", "found"),
    [
        ("layer0.weights", lambda a: a[:, :-1], r"uint8 \[4, 4\]", r"uint8 \[4, 3\]"),
        ("layer0.weights", lambda a: a.T.copy().reshape(2, 8), r"uint8 \[4, 4\]", r"uint8 \[2, 8\]"),
        ("layer0.weights", lambda a: a.ravel(), r"uint8 \[4, 4\]", r"uint8 \[16\]"),
        ("layer0.weights", lambda a: a.view(np.int8), r"uint8 \[4, 4\]", r"int8 \[4, 4\]"),
        ("layer0.weights", lambda a: a.astype(bool), r"uint8 \[4, 4\]", r"bool \[4, 4\]"),
        ("layer0.thresholds", lambda a: a.astype("<i2"), r"int32 \[4, 1\]", r"int16 \[4, 1\]"),
        ("layer0.thresholds", lambda a: a.astype("<i8"), r"int32 \[4, 1\]", r"int64 \[4, 1\]"),
        ("layer0.thresholds", lambda a: a.astype("<u4"), r"int32 \[4, 1\]", r"uint32 \[4, 1\]"),
        ("layer0.thresholds", lambda a: a.astype(">i4"), r"int32 \[4, 1\]", r">i4 \[4, 1\]"),
        ("layer0.thresholds", lambda a: a.astype("<f4"), r"int32 \[4, 1\]", r"float32 \[4, 1\]"),
        ("layer1.thresholds", lambda a: np.tile(a, 2), r"int32 \[5, 1\]", r"int32 \[5, 2\]"),
        ("layer1.thresholds", lambda a: a[:0], r"int32 \[5, 1\]|to 1044 bytes", r"int32 \[0, 1\]|128"),
    ],
)
def test_an_array_of_another_shape_or_type_is_refused(
    name: str, change: Callable[[np.ndarray], np.ndarray], expected: str, found: str
) -> None:
    data = with_array(name, change(arrays()[name]))
    with pytest.raises(
        ParameterError, match=rf"^w\.npz, member '{name}': expected ({expected}), found ({found})"
    ):
        parse_npz(data, "w.npz")


def test_fortran_order_is_refused() -> None:
    data = with_array("layer0.weights", np.asfortranarray(arrays()["layer0.weights"]))
    with pytest.raises(ParameterError, match=r"'layer0.weights': expected .* in C order"):
        parse_npz(data, "w.npz")


def test_surplus_data_after_an_array_are_refused() -> None:
    content = members()
    content["layer0.weights.npy"] += b"\0"
    with pytest.raises(ParameterError, match=r"layer0.weights'.*size"):
        parse_npz(zipped(content), "w.npz")


def test_bits_past_the_last_input_are_refused() -> None:
    weights = arrays()["layer0.weights"].copy()
    weights[3, 3] |= 0x80
    with pytest.raises(ParameterError, match="layer 0, weights: bits past the last of 27 inputs"):
        parse_npz(with_array("layer0.weights", weights), "w.npz")


class Bomb:
    """An object whose unpickling is seen."""

    exploded = False

    def __reduce__(self) -> Any:
        return (_explode, ())


def _explode() -> int:
    Bomb.exploded = True
    return 5


@pytest.mark.parametrize("name", ["meta", "layer0.weights"])
def test_pickles_are_never_opened(name: str) -> None:
    content = members()
    objects = npy(np.array([[Bomb()] * 4] * 4, object), allow_pickle=True)
    for hostile in (objects, pickle.dumps(Bomb())):
        content[f"{name}.npy"] = hostile
        with pytest.raises(ParameterError, match=rf"^w\.npz.*{name}"):
            parse_npz(zipped(content), "w.npz")
    with pytest.raises(ParameterError, match=NAMED):
        parse_npz(pickle.dumps(Bomb()), "w.npz")
    assert not Bomb.exploded


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4), 'more': 1, }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4, -4), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2**40, 4), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 16, }",
        "{'descr': '|V4', 'fortran_order': False, 'shape': (4,), }",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (4, 4), }",
        "{'descr': '|nonsense', 'fortran_order': False, 'shape': (4, 4), }",
        "__import__('os').abort()",
        "[" * 500,
        "\0",
        "",
    ],
)
def test_a_header_that_is_no_header_is_refused(header: str) -> None:
    content = members()
    text = header.encode() + b"\n"
    content["layer0.weights.npy"] = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + bytes(16)
    with pytest.raises(ParameterError, match=r"^w\.npz, member 'layer0.weights'"):
        parse_npz(zipped(content), "w.npz")


def test_a_long_header_is_refused_before_it_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", None)
    content = members()
    text = b"[" * 60_000
    content["meta.npy"] = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text
    with pytest.raises(ParameterError, match="header of more than 1024 bytes"):
        parse_npz(zipped(content), "w.npz")


@pytest.mark.parametrize("version", [b"\2\0", b"\3\0", b"\0\0", b"\xff\xff"])
def test_an_unknown_npy_version_is_refused(version: bytes) -> None:
    content = members()
    old = content["layer0.weights.npy"]
    content["layer0.weights.npy"] = old[:6] + version + old[8:]
    with pytest.raises(ParameterError, match=r"^w\.npz, member 'layer0.weights'"):
        parse_npz(zipped(content), "w.npz")


# -- hostile sizes ---------------------------------------------------------------------------------


def forge_size(data: bytes, name: str, size: int) -> bytes:
    """Return the archive with another uncompressed size declared for a member."""
    raw = name.encode()
    result = bytearray(data)
    central = result.index(b"PK\1\2")
    position = result.index(raw, central) - 46
    struct.pack_into("<I", result, position + 24, size)
    return bytes(result)


@pytest.mark.parametrize("name", ["meta", "layer0.weights"])
def test_a_member_that_declares_too_much_is_refused_unread(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({**members(), f"{name}.npy": bytes(2**24)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**18
    opened = []
    open_member = zipfile.ZipFile.open

    def noted(self: zipfile.ZipFile, info: zipfile.ZipInfo) -> object:
        opened.append(info.filename)
        return open_member(self, info)

    monkeypatch.setattr(zipfile.ZipFile, "open", noted)
    with pytest.raises(ParameterError, match=rf"^w\.npz, member '{name}': expected .* bytes, found {2**24}"):
        parse_npz(bomb, "w.npz")
    assert f"{name}.npy" not in opened


@pytest.mark.parametrize("name", ["meta.npy", "layer0.weights.npy"])
def test_a_member_that_declares_less_than_it_unpacks_to_is_refused(name: str) -> None:
    content = {**members(), name: members()[name] + bytes(2**26)}
    bomb = forge_size(zipped(content, zipfile.ZIP_DEFLATED), name, len(members()[name]))
    tracemalloc.start()
    try:
        with pytest.raises(ParameterError, match=NAMED):
            parse_npz(bomb, "w.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What it unpacks to would be 64 MiB.
    assert peak < 2**23


def test_huge_meta_is_refused() -> None:
    data = with_meta(lambda meta: meta.update(comment="x" * 2**20))
    with pytest.raises(ParameterError, match=r"member 'meta': expected 0 to 1048576 bytes"):
        parse_npz(data, "w.npz")


def test_weights_that_unpack_to_many_times_their_file_are_refused_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nearly as many weights as a topology may have: 256 MB in memory, and their zeros 32 KB in the file."""
    layers = (Dense(outputs=65536), Dense(outputs=4000))
    topology = Topology(name="wide", input=Input(height=1, width=8, bits=1), layers=layers).to_dict()
    shapes = {"layer0.weights": (65536, 1), "layer1.weights": (4000, 8192)}
    meta = {"format": "bnncore-parameters", "version": 1, "topology": topology}
    content = {"meta.npy": npy(np.frombuffer(json.dumps(meta).encode(), np.uint8))}
    content |= {f"{name}.npy": npy(np.zeros(shape, np.uint8)) for name, shape in shapes.items()}
    content["layer0.thresholds.npy"] = npy(np.zeros((65536, 1), np.int32))
    data = zipped(content, zipfile.ZIP_DEFLATED)
    assert len(data) < 2**16
    tracemalloc.start()
    try:
        with pytest.raises(
            ParameterError, match=r"'layer1.weights': its 32768128 bytes are more than .* may unpack to"
        ):
            parse_npz(data, "w.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**22


def test_members_that_are_too_large_together_are_said_to_be() -> None:
    """None of them is by itself, so its own size would explain nothing."""
    file = zipped({f"{name}.npy": npy(np.zeros(2**21, np.uint8)) for name in "ab"}, zipfile.ZIP_DEFLATED)
    message = r"member 'b': with the members before it, 4194560 bytes are more than .* \(4194304\)"
    with open_archive(file, "w.npz") as archive:
        archive.array("a")
        with pytest.raises(ParameterError, match=message):
            archive.array("b")


def test_a_network_is_read_in_little_more_memory_than_its_weights_take() -> None:
    network = random_network(attrs.evolve(TOPOLOGY, layers=(Dense(outputs=65536), Dense(outputs=128))), 1)
    data = npz_bytes(network)
    tracemalloc.start()
    try:
        parse_npz(data, "w.npz")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    weights = sum(layer.weights.nbytes for layer in network.layers)
    assert peak < 1.5 * weights + 2**23


@pytest.mark.parametrize(
    ("given", "layers", "message"),
    [
        # A kilobyte that asks for 4 TiB, one that would run for days, and one whose pool would.
        ((4096, 4096, 1), [{"kind": "conv", "outputs": 65536, "kernel": 1}], "values in maps"),
        (
            (1024, 1024, 1),
            [{"kind": "conv", "outputs": 16}, {"kind": "conv", "outputs": 512, "kernel": 90}],
            "operations",
        ),
        (
            (2048, 2048, 1),
            [{"kind": "conv", "outputs": 1, "kernel": 1}, {"kind": "pool", "size": 1024, "stride": 1}],
            "operations",
        ),
        ((4096, 4096, 3), [], "reads a map of 4096x4096 places and 3 channels"),
        (
            (3000, 3000, 1),
            [{"kind": "conv", "outputs": 1, "kernel": 2049, "padding": 2048, "stride": 99}],
            "padded by 2048",
        ),
    ],
)
def test_a_topology_that_asks_for_memory_or_time_without_end_is_refused(
    given: tuple[int, int, int], layers: list[dict[str, Any]], message: str
) -> None:
    def grow(meta: dict[str, Any]) -> None:
        meta["topology"]["input"] |= dict(zip(("height", "width", "channels"), given))
        meta["topology"]["layers"] = [*layers, {"kind": "dense", "outputs": 2}]

    with pytest.raises(ParameterError, match=rf"^w\.npz: topology 'tiny', layer .*{message}"):
        parse_npz(with_meta(grow), "w.npz")


def test_what_a_file_says_is_shown_in_a_few_words() -> None:
    for change in (
        lambda meta: meta["topology"].update(name="x" * 100_000),
        lambda meta: meta["topology"].update(weight_bits="x" * 60_000),
        lambda meta: meta.update(version="x" * 60_000),
        lambda meta: meta.update(classes=["x" * 60_000]),
        lambda meta: meta["topology"]["layers"][0].update({"x" * 60_000: 1}),
    ):
        with pytest.raises(ParameterError) as caught:
            parse_npz(with_meta(change), "w.npz")
        assert len(str(caught.value)) < 500
    with pytest.raises(ParameterError) as caught:
        parse_npz(zipped({**members(), "x" * 60_000: b""}), "w.npz")
    assert len(str(caught.value)) < 500


def test_a_topology_past_the_limits_is_refused() -> None:
    def grow(meta: dict[str, Any]) -> None:
        meta["topology"]["layers"] = [{"kind": "dense", "outputs": 65536}] * 3

    with pytest.raises(ParameterError, match=r"^w\.npz.*limits"):
        parse_npz(with_meta(grow), "w.npz")


def test_a_file_past_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(npz, "_FILE_LIMIT", len(BYTES) - 1)
    (tmp_path / "w.npz").write_bytes(BYTES)
    with pytest.raises(ParameterError, match=r"w.npz: larger than \d+ bytes"):
        read_npz(tmp_path / "w.npz")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_cannot_be_bounded_are_refused(compression: int) -> None:
    with pytest.raises(ParameterError, match=rf"^w\.npz, member 'meta': .* method {compression}"):
        parse_npz(zipped(members(), compression), "w.npz")


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(BYTES)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(ParameterError, match=NAMED):
        parse_npz(bytes(data), "w.npz")


# -- meta ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta.update(version=3), "format version 3, this bnncore reads 1 to 2; a newer"),
        (lambda meta: meta.update(version=0), "format version 0"),
        (lambda meta: meta.update(temperature=0), "temperature must be a finite number above 0, not 0"),
        (lambda meta: meta.update(temperature="1"), "temperature must be a finite number above 0, not '1'"),
        (
            lambda meta: meta.update(recipe_sha256="x"),
            "recipe_sha256 must be 64 lower-case hex digits, not 'x'",
        ),
        (lambda meta: meta.update(preprocessing=5), "preprocessing must have steps or a function"),
        (lambda meta: meta.update(preprocessing={}), "Preprocessing needs either steps or a function"),
        (lambda meta: meta.update(preprocessing={"steps": [{}]}), "operation"),
        (lambda meta: meta.update(preprocessing={"steps": [{"operation": 5}]}), "operation"),
        (lambda meta: meta.update(preprocessing={"steps": ["fit"]}), "a step must have an operation"),
        (lambda meta: meta.update(preprocessing={"steps": [{"operation": "fit"}] * 17}), "at most 16 steps"),
        (
            lambda meta: meta.update(preprocessing={"steps": [{"operation": "fit", "options": {"fill": {}}}]}),
            "an option must be text, a number or several numbers",
        ),
        (
            lambda meta: meta.update(preprocessing={"function": "os system"}),
            "must be like 'package.module:name'",
        ),
        (
            lambda meta: meta.update(preprocessing={"function": "a:b", "steps": [{"operation": "fit"}]}),
            "either steps or",
        ),
        (lambda meta: meta.pop("version"), "format version None"),
        (lambda meta: meta.update(format="other"), "expected format 'bnncore-parameters'"),
        (lambda meta: meta.pop("topology"), "expected a topology"),
        (lambda meta: meta["topology"].pop("input"), "not a topology"),
        (lambda meta: meta["topology"].update(weight_bits=3), "weight_bits must be"),
        (lambda meta: meta.update(classes="abc"), "expected a list of classes"),
        (lambda meta: meta.update(classes=[]), "classes: expected one class name a line, found none"),
        (lambda meta: meta.update(classes=["a", 5]), "line 2: expected a class name, found 5"),
        (lambda meta: meta.update(classes=["a", ""]), "line 2: expected a class name, found ''"),
        (lambda meta: meta.update(classes=["a", "a"]), "line 2: 'a' stands in line 1"),
        (lambda meta: meta.update(classes=list("abcd")), "4 classes, but the network has 3 outputs"),
    ],
)
def test_what_the_meta_must_say(change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(ParameterError, match=rf"^w\.npz.*{message}"):
        parse_npz(with_meta(change), "w.npz")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b"[" * 100_000, b'"x"'])
def test_meta_that_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(ParameterError, match=r"^w\.npz, member 'meta'"):
        parse_npz(with_array("meta", np.frombuffer(text, np.uint8)), "w.npz")


@pytest.mark.parametrize("array", [np.zeros((2, 2), np.uint8), np.zeros(4, np.int8), np.array("{}")])
def test_meta_of_another_type_is_refused(array: np.ndarray) -> None:
    with pytest.raises(ParameterError, match=r"^w\.npz, member 'meta'"):
        parse_npz(with_array("meta", array), "w.npz")


def test_unknown_keys_in_the_meta_are_for_later_versions() -> None:
    assert same(parse_npz(with_meta(lambda meta: meta.update(comment="mine")), "w").network, NETWORK)


def test_another_topology_is_refused_naming_the_first_layer_that_differs() -> None:
    wanted = attrs.evolve(
        TOPOLOGY, name="wanted", layers=(*TOPOLOGY.layers[:2], Dense(outputs=6), Dense(outputs=3))
    )
    with pytest.raises(
        ParameterError,
        match=r"^w\.npz: made for topology 'tiny', which is not 'wanted': layer 2: expected 'dense 16->6', "
        "found 'dense 16->5'",
    ):
        parse_npz(BYTES, "w.npz", wanted)


def test_a_topology_of_the_same_shapes_may_have_another_name() -> None:
    other = attrs.evolve(TOPOLOGY, name="other")
    assert parse_npz(BYTES, "w.npz", other).network.topology.name == "other"


# -- paths -----------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"nowhere.npz: cannot be read: No such file"):
        read_npz(tmp_path / "nowhere.npz")


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read: Is a directory"):
        read_npz(tmp_path)
