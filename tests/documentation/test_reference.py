"""What the reference states is what the code has."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import attrs
import numpy as np
import pytest
from bnnhw import topology as topologies
from bnnhw.fpga import registers
from bnnhw.fpga.batches import ImageFormat
from bnnhw.topology import Conv, Dense, Folding, Topology, matrix_stages
from documentation import made
from documentation.tables import REFERENCE, block, number, section, tables

from bnncore.boards import bitstream_files
from bnncore.boards.detection import PARTS
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.datasets import downloads, limited, picture_tables, picture_tree, unpacking
from bnncore.discovery import metadata_folders
from bnncore.formats import archive, classes, golden, jsontext, npz
from bnncore.formats.card import Card, Metric, parse_card
from bnncore.formats.manifest import write_manifest
from bnncore.formats.provenance import Provenance
from bnncore.formats.recipe import Recipe
from bnncore.importing import chain, qonnx, recognition, tensors, torch_pickle
from bnncore.records import Preprocessing

PARAMETERS = "bnn-pynq-parameters.md"
REGISTERS = "accelerator-registers.md"
CNV, LFC = ("cnvW1A1", "cnvW1A2", "cnvW2A2"), ("lfcW1A1", "lfcW1A2")


@pytest.mark.parametrize("path", made.pages(), ids=lambda path: path.stem)
def test_tables_made_from_the_code_are_up_to_date(path: Path) -> None:
    assert path.read_text("utf-8") == made.current(path), "make docs-output writes them anew"


def test_records_and_variables_have_tables() -> None:
    assert {path.stem for path in made.pages()} >= {"environment", "recipe"}
    with pytest.raises(AssertionError, match="does not explain"):
        made.explained(int)


def _sides(shape: tuple[int, int, int]) -> set[str]:
    return {"x".join(str(side) for side in shape), str(shape[0] * shape[1] * shape[2])}


@pytest.mark.parametrize(("table", "names"), [(0, CNV), (1, LFC)])
def test_the_networks_are_those_that_are_built_in(table: int, names: tuple[str, ...]) -> None:
    rows = tables(PARAMETERS, "Networks")[table]
    for name in names:
        stages = matrix_stages(TOPOLOGIES[name])
        assert len(rows) == len(stages)
        for stage, (layer, kind, inputs, outputs, fan_in) in zip(stages, rows):
            assert number(layer) == stage.number
            assert {"conv": Conv, "dense": Dense}[kind] is type(stage.layer)
            assert inputs in _sides(stage.input_shape)
            assert outputs in _sides(stage.output_shape)
            assert number(fan_in) == stage.fan_in


def _folding_rows(topology: Topology, folding: Folding) -> list[list[int]]:
    rows = []
    for stage, layer in zip(matrix_stages(topology), folding.layers):
        folds = stage.outputs // layer.pe
        rows.append(
            [
                stage.number,
                layer.pe,
                layer.simd,
                folds * -(-stage.fan_in // layer.simd),
                folds if stage.thresholds else 0,
            ]
        )
    return rows


def _found_rows(rows: list[list[str]], column: int) -> list[list[int]]:
    found = []
    for row in rows:
        pe, simd = row[column].split(", ")
        found.append([number(cell) for cell in (row[0], pe, simd, *row[column + 1 : column + 3])])
    return found


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [("cnvW1A1", 0, 1), ("cnvW1A2", 0, 1), ("cnvW2A2", 0, 4), ("lfcW1A1", 1, 1), ("lfcW1A2", 1, 1)],
)
def test_the_foldings_are_those_of_the_accelerators(name: str, table: int, column: int) -> None:
    found = _found_rows(tables(PARAMETERS, "Folding")[table], column)
    assert found == _folding_rows(TOPOLOGIES[name], FOLDINGS[name])


def _words(name: str) -> tuple[int, int]:
    """Return how many words of weights and of thresholds an accelerator stores, by the tables' own rows."""
    rows = _folding_rows(TOPOLOGIES[name], FOLDINGS[name])
    thresholds = [stage.thresholds for stage in matrix_stages(TOPOLOGIES[name])]
    weights = sum(pe * words for _, pe, _, words, _ in rows)
    return weights, sum(pe * words * each for (_, pe, _, _, words), each in zip(rows, thresholds))


def test_the_words_that_an_accelerator_takes() -> None:
    found = {name: number(words) for name, words in tables(REGISTERS, "Storing parameters")[0]}
    assert found == {name: sum(_words(name)) for name in TOPOLOGIES}


def test_the_sizes_of_the_published_sets() -> None:
    """All but the two short ones, and the surplus files of one of these, follow from the folding."""
    (rows,) = tables(PARAMETERS, "Published sets")
    assert {row[1] for row in rows} == set(TOPOLOGIES)
    for name, network, _, size in rows:
        if name not in ("streetview", "chars_merged"):
            assert number(size) == 8 * sum(_words(network)), name
    short = {row[0]: number(row[3]) for row in rows}
    # Of 64 rows, 12 and 48 are there; the first set has as many thresholds for a layer without any.
    weights = 8 * sum(_words("cnvW1A1")) - (64 - 12) * 512 * 8
    assert short["streetview"] - weights == 12 * 8
    assert short["chars_merged"] == 8 * sum(_words("lfcW1A1")) - (64 - 48) * (1024 // 8 + 1) * 8


def test_the_registers_are_those_that_the_driver_uses() -> None:
    found = {
        row[1]: [number(offset) for offset in row[0].split(", ")] for row in tables(REGISTERS, "Registers")[0]
    }
    assert {name: offsets[0] for name, offsets in found.items()} == {
        name: getattr(registers, name) for name in found
    }
    named = set(registers.__all__) - {"DONE", "IDLE", "IP_NAME", "IP_TYPE", "Registers", "START"}
    assert set(found) == named
    wide = {name for name, offsets in found.items() if len(offsets) == 2}
    assert wide == {"INPUT", "OUTPUT", "VALUE"}
    assert all(found[name][1] == found[name][0] + 4 for name in wide)


def test_the_bits_of_control_are_those_that_the_driver_uses() -> None:
    rows = tables(REGISTERS, "CONTROL")[0]
    assert {name: 1 << number(bit) for bit, name, _ in rows if name} == {
        "START": registers.START,
        "DONE": registers.DONE,
        "IDLE": registers.IDLE,
    }


def test_the_block_is_the_one_that_the_driver_looks_for() -> None:
    rows = {row[0]: row[1:] for row in tables(REGISTERS, "The block")[0]}
    assert rows["instance in Overlay.ip_dict"][0] == registers.IP_NAME
    assert rows["type (VLNV)"][0] == registers.IP_TYPE
    assert rows["part"] == [PARTS["pynq-z1"], PARTS["ultra96"]]


def test_the_sizes_of_images_and_answers() -> None:
    for heading, attribute in (("Images", "input_bytes"), ("Answers", "output_bytes")):
        sizes = {
            name: number(size) for names, size, _ in tables(REGISTERS, heading)[0] for name in names.split(", ")
        }
        assert sizes == {
            name: getattr(ImageFormat(TOPOLOGIES[name], FOLDINGS[name]), attribute) for name in TOPOLOGIES
        }


def test_the_pace_is_that_of_the_slowest_layer() -> None:
    for name, cycles, slow, fast in tables(REGISTERS, "Time")[0]:
        rows = _folding_rows(TOPOLOGIES[name], FOLDINGS[name])
        stages = matrix_stages(TOPOLOGIES[name])
        slowest = max(
            row[3] * stage.output_shape[0] * stage.output_shape[1] for row, stage in zip(rows, stages)
        )
        assert number(cycles) == slowest
        assert [number(slow), number(fast)] == [round(1e8 / slowest), round(3e8 / slowest)]


def test_the_limits_of_parameter_files() -> None:
    found = dict(tables("npz.md", "What is refused")[0])
    assert found == {
        "the file": f"{npz._FILE_LIMIT // 2**20} MiB",
        "meta": f"{npz._META_LIMIT // 2**20} MiB",
        "a .npy header": f"{archive.HEADER_LIMIT} bytes",
    }
    asked = {row[0]: row[1] for row in tables("npz.md", "What is refused")[1]}
    assert [
        asked[name].replace(",", "") for name in asked if name.split()[0] not in {"bytes", "characters"}
    ] == [
        str(limit)
        for limit in (
            topologies.MAX_FAN_IN,
            topologies.MAX_LAYERS,
            topologies.MAX_WEIGHTS,
            topologies.MAX_MAP,
            topologies.MAX_MAPS,
            topologies.MAX_OPERATIONS,
        )
    ]
    assert (
        asked["bytes that it unpacks to"]
        == f"{archive._TIMES} times the file, or {archive._ALWAYS // 2**20} MiB"
    )
    assert (
        asked["characters of the topology's name, and of a class's"]
        == str(topologies.MAX_NAME)
        == str(classes._LONGEST)
    )
    assert f"{golden._LIMIT // 2**20} MiB" in section("npz.md", "golden.npz")


def size(count: int) -> str:
    return f"{count // 2**30} GiB" if count >= 2**30 else f"{count // 2**20} MiB"


LIMITS = {
    "JSON": {
        "bytes of a file": size(jsontext.MOST_BYTES),
        "levels": f"{jsontext._DEEPEST}",
        "digits of a whole number": f"{jsontext._MOST_DIGITS}",
        "characters of a text": f"{jsontext._LONGEST_TEXT:,}",
    },
    "Networks trained elsewhere": {
        "bytes": size(recognition.MOST_BYTES),
        "bytes of a checkpoint's pickle": size(tensors._PICKLE_LIMIT),
        "instructions of that": f"{torch_pickle._MOST_INSTRUCTIONS:,}",
        "bytes of a safetensors header": size(tensors._HEADER_LIMIT),
        "numbers of all tensors, for each that is stored": f"{tensors._SHARED}",
        "nodes of an ONNX graph": f"{qonnx._MOST_NODES:,}",
        "neurons": f"{chain._MOST_NEURONS:,}",
    },
    "Data sets": {
        "bytes of a file": size(limited._LIMIT),
        "bytes of a compressed file's content": f"{limited._TIMES} times the file, or {size(limited._UNPACKED)}",
        "bytes of a table": size(picture_tables._TABLE_LIMIT),
        "bytes of a download": size(downloads._MOST_BYTES),
        "bytes that an archive unpacks to": f"{unpacking._TIMES} times the file, or {size(unpacking._BYTES)}, and "
        f"{size(unpacking._MOST_BYTES)}",
        "files, folders and links of an archive": f"1 for each {unpacking._BYTES_A_HEADER} bytes, or "
        f"{unpacking._HEADERS:,}, and {unpacking._MOST_FILES:,}",
        "levels of folders of pictures": f"{picture_tree._DEEPEST}",
        "files in them": f"{picture_tree._MOST_FILES:,}",
        "bytes of a list of classes": size(classes._MAX_BYTES),
    },
    "Packages": {
        "bytes of entry_points.txt": size(metadata_folders._LIMIT),
        "bytes of a bitstream": size(bitstream_files._LIMIT),
    },
}


@pytest.mark.parametrize("heading", LIMITS)
def test_the_limits_of_readers(heading: str) -> None:
    assert {row[0]: row[1] for row in tables("limits.md", heading)[0]} == LIMITS[heading]


def test_the_members_and_keys_of_parameter_files(tmp_path: Path) -> None:
    layer = topologies.Dense(outputs=2)
    given = topologies.Input(height=1, width=3, bits=1)
    topology = Topology(name="t", input=given, layers=(layer, layer), weight_bits=2)
    from bnnhw.network import LayerParameters, Network

    codes = {row[2]: row[1] for row in tables("npz.md", "Weights")[0] if row[0] == "2"}
    first = np.array([[1, 0, -1], [-2, 1, 0]], np.int8)
    last = np.ones((2, 2), np.int8)
    network = Network(
        topology=topology,
        layers=[
            LayerParameters(weights=first, thresholds=np.zeros((2, 1), np.int32)),
            LayerParameters(weights=last, thresholds=np.zeros((2, 0), np.int32)),
        ],
    )
    known = Provenance(preprocessing=Preprocessing.default(given), temperature=1.0, recipe_sha256="0" * 64)
    npz.write_npz(tmp_path / "t.npz", network, ["a", "b"], known)
    with np.load(tmp_path / "t.npz") as file:
        members = {name.replace("0", "<n>") for name in file if "1" not in name}
        assert members == {row[0] for row in tables("npz.md", "Members")[0]}
        meta = json.loads(file["meta"].tobytes())
        bits = np.unpackbits(file["layer0.weights"], axis=1, bitorder="little")
    assert set(meta) == {row[0] for row in tables("npz.md", "meta")[0]}
    for row, weights in zip(bits, first):
        stored = [f"{row[2 * place + 1]}{row[2 * place]}" for place in range(3)]
        assert stored == [codes[f"{weight:+d}" if weight else "0"] for weight in weights]
    assert zipfile.ZipFile(tmp_path / "t.npz").testzip() is None


def test_the_keys_of_a_card() -> None:
    assert [row[0] for row in tables("card.md", "The card")[0]] == [each.name for each in attrs.fields(Card)]
    assert [row[0] for row in tables("card.md", "metrics")[0]] == [each.name for each in attrs.fields(Metric)]


def test_the_example_of_a_card_is_one_with_the_figures_of_its_network() -> None:
    card = parse_card(block("card.md", "An example", "json").encode(), "card.md")
    keys = {row[0] for row in tables("card.md", "networks")[0]}
    for name, figures in card.networks.items():
        assert set(figures) == keys
        assert figures["parameters"] == TOPOLOGIES[name].weights
        assert figures["operations"] == TOPOLOGIES[name].operations


def test_the_example_of_a_manifest_is_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"cat\ndog\nmouse\n")
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / ".hidden").write_text("")
    write_manifest(tmp_path)
    assert (tmp_path / "manifest.json").read_text() == block("manifest.md", "manifest.json", "json")


def test_the_example_of_a_recipe_is_one() -> None:
    for name, entry in json.loads(block("recipe.md", "The recipe", "json")).items():
        assert name in TOPOLOGIES
        assert Recipe.from_dict(entry["recipe"]).topology == name
        assert set(entry) <= {row[0] for row in tables("recipe.md", "The recipe")[0]}


def test_the_glossary_says_each_word_once() -> None:
    lines = (REFERENCE / "glossary.md").read_text("utf-8").splitlines()
    words = [line[4:] for line in lines if line.startswith("### ")]
    assert len(words) == len(set(words)) > 40
