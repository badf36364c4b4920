"""The binparam directory of BNN-PYNQ: read and written exactly, every damage named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batches import random_batch
from bnnhw.errors import NetworkError, TopologyError
from bnnhw.network import LayerParameters, Network
from bnnhw.reference import scores
from bnnhw.topology import Conv, Dense, Folding, Input, Topology, matrix_stages
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import foldings, seeds, topologies

import bnncore
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.errors import ParameterError
from bnncore.formats.binparam import read_binparam, write_binparam
from bnncore.publishing.random_network import random_network

SETS = ["cifar10/cnvW1A1", "cifar10/cnvW1A2", "cifar10/cnvW2A2", "mnist/lfcW1A1", "mnist/lfcW1A2"]

# Two small accelerators: scores without thresholds at the end, and bits.
CONV = Topology(
    name="conv",
    input=Input(height=4, width=4, channels=3),
    layers=(Conv(outputs=8), Dense(outputs=8), Dense(outputs=16)),
)
BITS = Topology(
    name="bits",
    input=Input(height=3, width=7, bits=1),
    layers=(Dense(outputs=8), Dense(outputs=16)),
    output="bits",
)
FOLDING = {
    "conv": Folding.of((4, 3), (2, 8), (4, 2)),
    "bits": Folding.of((4, 8), (4, 4)),
}
CLASSES = ("cat", "dog", "fish", "bird", "cow", "ant")


def same(one: Network, other: Network) -> bool:
    return all(
        np.array_equal(a.weights, b.weights) and np.array_equal(a.thresholds, b.thresholds)
        for a, b in zip(one.layers, other.layers)
    )


@pytest.fixture(params=[CONV, BITS], ids=lambda topology: topology.name)
def topology(request: pytest.FixtureRequest) -> Topology:
    found = request.param
    assert isinstance(found, Topology)
    return found


@pytest.fixture
def folder(topology: Topology, tmp_path: Path) -> Path:
    """Return a directory that is as it should be."""
    made = random_network(topology, 1, extreme=0.2, largest=1000)
    write_binparam(tmp_path / "good", made, FOLDING[topology.name], CLASSES)
    return tmp_path / "good"


def read(folder: Path, topology: Topology, **options: Any) -> tuple[Network, tuple[str, ...]]:
    return read_binparam(folder, topology, FOLDING[topology.name], **options)


def refused(folder: Path, topology: Topology, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        read(folder, topology)


def words(path: Path) -> np.ndarray:
    return np.fromfile(path, "<u8")


# -- round trip ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_writing_what_was_read_reproduces_every_byte(binparams: Path, tmp_path: Path, name: str) -> None:
    given, network = binparams / name, name.split("/")[1]
    loaded, classes = read_binparam(given, TOPOLOGIES[network], FOLDINGS[network])
    write_binparam(tmp_path / "again", loaded, FOLDINGS[network], classes)
    names = {path.name for path in given.iterdir()}
    assert {path.name for path in (tmp_path / "again").iterdir()} == names
    assert len(names) > 90
    for each in names - {"classes.txt"}:
        assert (tmp_path / "again" / each).read_bytes() == (given / each).read_bytes()
    assert (tmp_path / "again" / "classes.txt").read_text().split() == (
        given / "classes.txt"
    ).read_text().split()


@settings(max_examples=40, deadline=None)
@given(st.data(), topologies(output="bits") | topologies(output="scores"), seeds)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, topology: Topology, seed: int
) -> None:
    folding = data.draw(foldings(topology))
    network = random_network(topology, seed, extreme=0.2, largest=2**15 - 200)
    place = tmp_path_factory.mktemp("binparam") / "new" / "drawn"
    classes = [f"class {number}" for number in range(topology.outputs)]
    write_binparam(place, network, folding, classes)
    found, names = read_binparam(place, topology, folding)
    assert same(found, network)
    assert list(names) == classes


def test_words_are_64_bits_little_endian(tmp_path: Path) -> None:
    """One layer worked out by hand from the format's formulas."""
    topology = Topology(
        name="t", input=Input(height=1, width=4, bits=1), layers=(Dense(outputs=2),), output="bits"
    )
    weights = np.array([[1, -1, -1, 1], [-1, 1, 1, 1]], np.int8)
    layer = LayerParameters(weights=weights, thresholds=np.array([[3], [-2]], np.int32))
    write_binparam(tmp_path / "t", Network(topology=topology, layers=(layer,)), Folding.of((1, 2)), ["a", "b"])
    assert (tmp_path / "t" / "0-0-weights.bin").read_bytes() == b"".join(
        each.to_bytes(8, "little") for each in (0b01, 0b10, 0b10, 0b11)
    )
    assert (tmp_path / "t" / "0-0-thres.bin").read_bytes() == b"".join(
        each.to_bytes(8, "little", signed=True) for each in (3, -2)
    )
    assert (tmp_path / "t" / "classes.txt").read_bytes() == b"a\nb\n"


def test_an_existing_directory_is_not_touched(folder: Path, topology: Topology) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ParameterError, match="exists already"):
        write_binparam(folder, random_network(topology, 2, extreme=0.2), FOLDING[topology.name], CLASSES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_threshold_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    network = random_network(BITS, 1, extreme=0.2, largest=1000)
    layer = network.layers[1]
    too_large = np.full_like(layer.thresholds, 2**15)
    layers = (network.layers[0], LayerParameters(weights=layer.weights, thresholds=too_large))
    with pytest.raises(NetworkError, match="layer 1: threshold 32768"):
        write_binparam(tmp_path / "t", Network(topology=BITS, layers=layers), FOLDING["bits"], CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_too_many_classes_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="17 classes, but the network has 16 outputs"):
        write_binparam(
            tmp_path / "t",
            random_network(BITS, 1, extreme=0.2, largest=1000),
            FOLDING["bits"],
            list("abcdefghijklmnopq"),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_folding_of_another_network_is_refused(folder: Path, topology: Topology) -> None:
    with pytest.raises(TopologyError, match="folding"):
        read_binparam(folder, topology, FOLDINGS["cnvW1A1"])


# -- the two documented short cases ----------------------------------------------------------------


def shorten(folder: Path, number: int, kind: str, size: int) -> None:
    for path in folder.glob(f"{number}-*-{kind}.bin"):
        path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize("count", [10, 11])
def test_the_short_last_layer_of_streetview(tmp_path: Path, count: int) -> None:
    """Layer 8 has 12 rows (12,288 of 65,536 bytes a file), and threshold files that nobody opens."""
    topology, folding = TOPOLOGIES["cnvW1A1"], FOLDINGS["cnvW1A1"]
    network = random_network(topology, 1, extreme=0.2, largest=1000)
    folder = tmp_path / "streetview" / "cnvW1A1"
    write_binparam(folder, network, folding, [str(number) for number in range(count)])
    assert (folder / "8-0-weights.bin").stat().st_size == 65_536
    shorten(folder, 8, "weights", 12_288)
    for pe in range(4):
        (folder / f"8-{pe}-thres.bin").write_bytes(bytes(5))
    found, _ = read_binparam(folder, topology, folding)
    assert np.array_equal(found.layers[8].weights[:12], network.layers[8].weights[:12])
    # Missing words are read as 0, which is -1 for one-bit weights.
    assert np.all(found.layers[8].weights[12:] == -1)
    batch = random_batch(topology, 1, seed=1)
    with bnncore.load(folder, backend="numpy") as classifier:
        assert np.array_equal(classifier.scores(batch), scores(network, batch)[:, :count])


def test_the_short_last_layer_of_chars_merged(tmp_path: Path) -> None:
    """Layer 3 has 48 rows (3,072 of 4,096 bytes; 24 of 32), and row 47 the threshold 65535."""
    topology, folding = TOPOLOGIES["lfcW1A1"], FOLDINGS["lfcW1A1"]
    network = random_network(topology, 1, extreme=0.2, largest=1000)
    folder = tmp_path / "chars_merged" / "lfcW1A1"
    write_binparam(folder, network, folding, [str(number) for number in range(47)])
    assert (folder / "3-0-weights.bin").stat().st_size == 4096
    shorten(folder, 3, "weights", 3072)
    shorten(folder, 3, "thres", 24)
    last = words(folder / "3-15-thres.bin")
    last[2] = 65535
    last.tofile(folder / "3-15-thres.bin")
    found, _ = read_binparam(folder, topology, folding)
    assert np.array_equal(found.layers[3].weights[:48], network.layers[3].weights[:48])
    assert np.array_equal(found.layers[3].thresholds[:47], network.layers[3].thresholds[:47])
    assert found.layers[3].thresholds[47:].ravel().tolist() == [-1] + [0] * 16
    batch = random_batch(topology, 20, seed=1)
    with bnncore.load(folder, backend="numpy") as classifier:
        assert np.array_equal(classifier.scores(batch), scores(network, batch)[:, :47])


def rows(topology: Topology, number: int, count: int) -> tuple[int, int]:
    """Return the bytes that ``count`` rows of a memory take in weights and thresholds."""
    stage, layer = matrix_stages(topology)[number], FOLDING[topology.name].layers[number]
    return 8 * count * -(-stage.fan_in // layer.simd), 8 * count * stage.thresholds


def test_a_last_layer_with_only_the_rows_of_its_classes_is_read(folder: Path, topology: Topology) -> None:
    # Six classes need two rows of each of four memories; the network has four.
    number = len(matrix_stages(topology)) - 1
    weights, thresholds = rows(topology, number, 2)
    shorten(folder, number, "weights", weights)
    shorten(folder, number, "thres", thresholds)
    batch = random_batch(topology, 9, seed=1)
    found = scores(read(folder, topology)[0], batch)
    assert np.array_equal(
        found[:, :8], scores(random_network(topology, 1, extreme=0.2, largest=1000), batch)[:, :8]
    )


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_another_number_of_rows_is_refused(folder: Path, topology: Topology, count: int) -> None:
    number = len(matrix_stages(topology)) - 1
    weights, thresholds = rows(topology, number, count)
    for path in folder.glob(f"{number}-*-weights.bin"):
        path.write_bytes((path.read_bytes() * 2)[:weights])
    for path in folder.glob(f"{number}-*-thres.bin"):
        path.write_bytes((path.read_bytes() * 2)[:thresholds])
    refused(folder, topology, rf"{number}-0-weights.bin: expected \d+ or \d+ bytes, found {weights}")


def test_one_short_memory_among_full_ones_is_refused(folder: Path, topology: Topology) -> None:
    number = len(matrix_stages(topology)) - 1
    path = folder / f"{number}-2-weights.bin"
    path.write_bytes(path.read_bytes()[: rows(topology, number, 2)[0]])
    refused(folder, topology, rf"{number}-2-weights.bin: holds 2 rows, but {number}-0-weights.bin holds 4")


def test_short_weights_with_full_thresholds_are_refused(tmp_path: Path) -> None:
    write_binparam(tmp_path / "t", random_network(BITS, 1, extreme=0.2, largest=1000), FOLDING["bits"], CLASSES)
    shorten(tmp_path / "t", 1, "weights", rows(BITS, 1, 2)[0])
    refused(tmp_path / "t", BITS, r"1-0-thres.bin: holds 4 rows, but 1-0-weights.bin holds 2")


def test_a_short_layer_before_the_last_is_refused(folder: Path, topology: Topology) -> None:
    weights, thresholds = rows(topology, 0, 1)
    shorten(folder, 0, "weights", weights)
    shorten(folder, 0, "thres", thresholds)
    refused(folder, topology, rf"0-0-weights.bin: expected {2 * weights} bytes, found {weights}")


def test_short_for_the_classes_that_are_named_is_refused(folder: Path, topology: Topology) -> None:
    """Nine classes need three rows of each memory."""
    number = len(matrix_stages(topology)) - 1
    weights, thresholds = rows(topology, number, 2)
    shorten(folder, number, "weights", weights)
    shorten(folder, number, "thres", thresholds)
    with pytest.raises(ParameterError, match=rf"{number}-0-weights.bin: expected"):
        read(folder, topology, classes=list("abcdefghi"))


# -- damage ----------------------------------------------------------------------------------------


def every_file(topology: Topology) -> list[str]:
    result = []
    for stage, layer in zip(matrix_stages(topology), FOLDING[topology.name].layers):
        for pe in range(layer.pe):
            result.append(f"{stage.number}-{pe}-weights.bin")
            if stage.thresholds:
                result.append(f"{stage.number}-{pe}-thres.bin")
    return result


FILES = [(topology, name) for topology in (CONV, BITS) for name in every_file(topology)]
IDS = [f"{topology.name}/{name}" for topology, name in FILES]


@pytest.mark.parametrize(("topology", "name"), FILES, ids=IDS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda d: b"",
        lambda d: d[:-1],
        lambda d: d[:-8],
        lambda d: d + b"\0",
        lambda d: d + bytes(8),
        lambda d: d * 2,
    ],
    ids=["empty", "a byte short", "a word short", "a byte long", "a word long", "twice"],
)
def test_a_truncated_or_oversized_file_is_named_with_both_sizes(
    folder: Path, topology: Topology, name: str, damage: Callable[[bytes], bytes]
) -> None:
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    found = path.stat().st_size
    refused(folder, topology, rf"{re.escape(str(path))}: expected .*{len(whole)}.* bytes, found {found}")


@pytest.mark.parametrize(("topology", "name"), FILES, ids=IDS)
def test_a_missing_file_is_named(folder: Path, topology: Topology, name: str) -> None:
    (folder / name).unlink()
    refused(folder, topology, rf"missing '{name}'; .*topology=")


@pytest.mark.parametrize(
    "name",
    ["0-0-weight.bin", "0-00-weights.bin", "00-0-weights.bin", "9-0-thres.bin", "0-9-weights.bin", "x.BIN"],
)
def test_a_misnamed_file_is_named_with_the_one_that_is_missing(
    folder: Path, topology: Topology, name: str
) -> None:
    (folder / "0-0-weights.bin").rename(folder / name)
    refused(folder, topology, f"missing '0-0-weights.bin' and unexpected '{name}'")


def test_surplus_files_are_named(folder: Path, topology: Topology) -> None:
    (folder / "0-4-weights.bin").write_bytes(b"")
    refused(folder, topology, "unexpected '0-4-weights.bin'; expected the")


def test_only_some_of_many_missing_files_are_listed(folder: Path, topology: Topology) -> None:
    for path in folder.glob("*.bin"):
        path.unlink()
    refused(folder, topology, r"missing '0-0-thres.bin', '0-0-weights.bin', '0-1-thres.bin' and \d+ more;")


def test_other_files_do_not_matter(folder: Path, topology: Topology) -> None:
    (folder / "README.txt").write_text("notes")
    (folder / "old").mkdir()
    assert read(folder, topology)[1] == CLASSES


def test_a_folder_in_the_place_of_a_file_is_refused(folder: Path, topology: Topology) -> None:
    (folder / "0-0-weights.bin").unlink()
    (folder / "0-0-weights.bin").mkdir()
    refused(folder, topology, r"0-0-weights.bin: expected a file")


def test_unused_threshold_files_of_the_scores_are_not_opened(tmp_path: Path) -> None:
    write_binparam(tmp_path / "t", random_network(CONV, 1, extreme=0.2, largest=1000), FOLDING["conv"], CLASSES)
    (tmp_path / "t" / "2-3-thres.bin").write_bytes(b"garbage")
    assert same(read(tmp_path / "t", CONV)[0], random_network(CONV, 1, extreme=0.2, largest=1000))


@pytest.mark.parametrize(
    ("topology", "number", "bit"), [(CONV, 0, 3), (CONV, 1, 8), (CONV, 2, 63), (BITS, 0, 8)]
)
def test_bits_that_the_format_does_not_use_show_a_garbled_file(
    folder: Path, topology: Topology, number: int, bit: int
) -> None:
    path = folder / f"{number}-1-weights.bin"
    garbled = words(path)
    garbled[1] |= np.uint64(1 << bit)
    garbled.tofile(path)
    lanes = FOLDING[topology.name].layers[number].simd
    refused(folder, topology, rf"{number}-1-weights.bin.*: word 1 is 0x.*only the low {lanes} bits .* garbled")


@pytest.mark.parametrize(
    ("topology", "number", "value"),
    [
        (CONV, 0, 2**24),
        (CONV, 0, -(2**23) - 1),
        (CONV, 1, 2**16),
        (CONV, 1, -(2**15) - 1),
        (BITS, 0, 2**62),
        (BITS, 1, -(2**63)),
    ],
)
def test_a_threshold_wider_than_the_accelerator_shows_a_garbled_file(
    folder: Path, topology: Topology, number: int, value: int
) -> None:
    path = folder / f"{number}-1-thres.bin"
    garbled = np.fromfile(path, "<i8")
    garbled[1] = value
    garbled.tofile(path)
    refused(folder, topology, rf"{number}-1-thres.bin: threshold 1 is {value}, expected -?\d+ to \d+.* garbled")


@pytest.mark.parametrize(
    ("topology", "number", "value", "meant"),
    [
        (CONV, 0, 2**23 - 1, 2**23 - 1),
        (CONV, 0, 2**24 - 1, -1),
        (CONV, 0, -(2**23), -(2**23)),
        (CONV, 1, 2**15 - 1, 2**15 - 1),
        (CONV, 1, 2**15, -(2**15)),
        (BITS, 1, -(2**15), -(2**15)),
        (BITS, 1, 65535, -1),
    ],
)
def test_a_threshold_wraps_to_the_accelerators_width(
    folder: Path, topology: Topology, number: int, value: int, meant: int
) -> None:
    path = folder / f"{number}-0-thres.bin"
    changed = np.fromfile(path, "<i8")
    changed[0] = value
    changed.tofile(path)
    assert read(folder, topology)[0].layers[number].thresholds[0].tolist() == [meant]


def test_every_size_is_checked_before_any_file_is_read(
    folder: Path, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / every_file(topology)[-1]
    path.write_bytes(b"")
    monkeypatch.setattr("bnncore.formats.binparam._read_words", None)
    refused(folder, topology, re.escape(str(path)))


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", CONV, "nowhere: expected a binparam directory")


# -- classes ---------------------------------------------------------------------------------------


def test_missing_classes_are_named(folder: Path, topology: Topology) -> None:
    (folder / "classes.txt").unlink()
    refused(folder, topology, r"classes.txt: cannot be read: No such file")


def test_more_classes_than_outputs_are_refused(folder: Path, topology: Topology) -> None:
    (folder / "classes.txt").write_text("\n".join("abcdefghijklmnopq"))
    refused(folder, topology, r"classes.txt: 17 classes, but the network has 16 outputs")


def test_given_classes_take_the_place_of_the_file(folder: Path, topology: Topology) -> None:
    (folder / "classes.txt").unlink()
    assert read(folder, topology, classes=["a", "b"])[1] == ("a", "b")


# -- bnncore.load ----------------------------------------------------------------------------------


def test_load_knows_the_topology_by_the_directorys_name(
    binparams: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(binparams / "mnist" / "lfcW1A2")
    for path in (".", binparams / "mnist" / "lfcW1A2", f"{binparams}/mnist/lfcW1A2/"):
        assert bnncore.load(path).topology.name == "lfcW1A2"


def test_load_takes_a_link_by_its_own_name(binparams: Path, tmp_path: Path) -> None:
    shutil.copytree(binparams / "mnist" / "lfcW1A1", tmp_path / "lfc-v2")
    (tmp_path / "lfcW1A1").symlink_to(tmp_path / "lfc-v2")
    assert bnncore.load(tmp_path / "lfcW1A1").topology.name == "lfcW1A1"


def test_load_asks_for_the_topology_where_the_name_is_none(binparams: Path, tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.symlink_to(binparams / "mnist" / "lfcW1A1")
    with pytest.raises(bnncore.BnnError, match="'mine' is none; choose one with topology=, from cnvW1A1"):
        bnncore.load(place)
    assert bnncore.load(place, topology="lfcW1A1").topology.name == "lfcW1A1"


def test_load_refuses_a_set_of_another_topology(binparams: Path) -> None:
    with pytest.raises(ParameterError, match=r"lfcW1A1: missing .* and unexpected .*'cnvW1A1'.*topology="):
        bnncore.load(binparams / "mnist" / "lfcW1A1", topology="cnvW1A1")
