"""Small files that claim much, or lead elsewhere: one line at once, in little memory."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="needs /proc, for the memory of a process"
    ),
]

# Above what a file costs that is refused at once, in MB, and seconds of the processor.
MOST_MEMORY = 400
MOST_SECONDS = 5

IMPORT = """
import resource, sys
from bnncore.cli import main
try:
    main(["import", sys.argv[1], "--precision", "W1A1", "--out", sys.argv[1] + ".out"])
except SystemExit as stopped:
    code = stopped.code
used = resource.getrusage(resource.RUSAGE_SELF)
# A child's ru_maxrss begins with its parent's.
from pathlib import Path
(peak,) = (line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(code, int(peak) // 1024, used.ru_utime + used.ru_stime)
"""


def imported(path: Path) -> tuple[int, int, float, str]:
    """Return exit code, memory in MB, seconds of the processor and standard error of an import."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT, str(path)],
        capture_output=True,
        text=True,
        cwd=path.parent,
    )
    assert done.stdout, done.stderr
    code, memory, seconds = done.stdout.splitlines()[-1].split()
    return int(code), int(memory), float(seconds), done.stderr


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> int:
    """Return the memory of an import that is refused after the libraries are loaded."""
    path = tmp_path_factory.mktemp("base") / "base.onnx"
    path.write_bytes(b"\x08\x08\x3a\x00")
    return imported(path)[1]


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def tensor(
    key: str, count: int, shape: tuple[int, ...], strides: tuple[int, ...], kind: str = "FloatStorage"
) -> bytes:
    """Return the pickle of a tensor, as PyTorch writes it."""

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value.encode()

    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
    storage += b"J" + struct.pack("<i", count) + b"tQ"
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\x00"
        + numbers(shape)
        + numbers(strides)
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def checkpoint(
    entries: dict[str, bytes], numbers: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    pickled = b"\x80\x02}("
    for name, value in entries.items():
        pickled += b"X" + struct.pack("<I", len(name)) + name.encode() + value
    members = {"a/data.pkl": pickled + b"u.", **{f"a/data/{key}": value for key, value in numbers.items()}}
    return zipped(members, method)


def only_pickle(content: bytes) -> bytes:
    return zipped({"a/data.pkl": content}, zipfile.ZIP_STORED)


def npy(shape: tuple[int, ...], body: bytes, dtype: str = "<f4") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + body


def lasagne(*arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, *arrays)
    return buffer.getvalue()


def huge_steps() -> bytes:
    """Return as many neurons as are allowed, each with numbers of hundreds of digits."""
    count = 16_000
    rng = np.random.default_rng(0)
    wide = [rng.normal(size=count) * 10.0 ** rng.uniform(-300, 300, count) for _ in range(4)]
    return lasagne(
        np.ones((1, count)), *wide, np.abs(wide[0]), np.ones((count, 1)), *(np.ones(1) for _ in range(5))
    )


def described(kind: str, count: int, size: int) -> dict[str, object]:
    return {"dtype": kind, "shape": [count], "data_offsets": [0, size]}


def safetensors(header: bytes, body: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + body


SHARED = {f"t{number}": tensor("0", 250_000, (250_000,), (1,)) for number in range(5000)}

FILES: dict[str, Callable[[], bytes]] = {
    "expanded.pth": lambda: checkpoint({"w": tensor("0", 1, (40_000, 40_000), (0, 0))}, {"0": b"\0\0\0\0"}),
    "overlapping.pth": lambda: checkpoint({"w": tensor("0", 9, (2**20, 2**10), (0, 0))}, {"0": bytes(36)}),
    "deflated.pth": lambda: checkpoint(
        {"w": tensor("0", 2**28 // 4, (2**28 // 4,), (1,))}, {"0": bytes(2**28)}
    ),
    "shared.pth": lambda: checkpoint(SHARED, {"0": bytes(10**6)}),
    "wide.pth": lambda: checkpoint({"w": tensor("0", 2**20, (2**20,), (1,), "ByteStorage")}, {"0": bytes(2**20)}),
    "beyond.pth": lambda: checkpoint({"w": tensor("0", 4, (2, 2), (2**30, 1))}, {"0": bytes(16)}),
    "missing.pth": lambda: checkpoint({"w": tensor("../../etc", 4, (4,), (1,))}, {"0": bytes(16)}),
    "lists.pth": lambda: only_pickle(b"\x80\x04" + b"]\x94" * 499_000 + b"."),
    "marks.pth": lambda: only_pickle(b"\x80\x04" + b"(" * 999_000 + b"."),
    "nested.pth": lambda: only_pickle(b"\x80\x04" + b"]" * 400_000 + b"a" * 399_999 + b"."),
    "twice.pth": lambda: only_pickle(b"\x80\x04)" + b"2\x86" * 300_000 + b"K\x01\x86}\x86s."),
    "keyed.pth": lambda: only_pickle(b"\x80\x04}(" + b")" + b"2\x86" * 60 + b"K\x01u."),
    "digits.pth": lambda: only_pickle(b"\x80\x04I" + b"9" * 900_000 + b"\n."),
    "put.pth": lambda: only_pickle(b"\x80\x04Nr\xff\xff\xff\xff."),
    "long.pth": lambda: only_pickle(b"\x80\x04X\xff\xff\xff\x7fabc."),
    "run.pth": lambda: only_pickle(b"cos\nsystem\n(X\x0a\x00\x00\x00touch ownedtR."),
    "bomb.npz": lambda: zipped({"arr_0.npy": npy((2**14, 2**13), bytes(2**29))}),
    "claims.npz": lambda: zipped({"arr_0.npy": npy((2**20, 2**20), bytes(64))}),
    "pickled.npz": lambda: zipped({"arr_0.npy": npy((1,), b"cos\nsystem\n", "|O")}),
    "steps.npz": huge_steps,
    "header.safetensors": lambda: safetensors(b"{" + b'"a":[' + b"[" * 900_000),
    "same.safetensors": lambda: safetensors(
        json.dumps({f"t{number}": described("U8", 500_000, 500_000) for number in range(5000)}).encode(),
        bytes(500_000),
    ),
    "claims.safetensors": lambda: safetensors(json.dumps({"w": described("F32", 10**12, 4)}).encode(), bytes(4)),
    "zero.onnx": lambda: bytes(10**6),
    "nodes.onnx": lambda: graph(b"\x0a\x00" * 400_000),
    "attributes.onnx": lambda: graph(part(1, b"\x2a\x00" * 400_000)),
    "nested.onnx": lambda: graph(nested(300)),
}  # fmt: skip


def part(number: int, content: bytes) -> bytes:
    """Return a field of a message of protobuf."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def graph(content: bytes) -> bytes:
    return b"\x08\x08" + part(7, content)


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        # A node whose attribute is a graph.
        content = part(1, part(5, part(6, content)))
    return content


@pytest.mark.parametrize("name", FILES)
def test_a_small_file_is_refused_at_once_in_one_line(tmp_path, base, name) -> None:
    if name.endswith(".onnx"):
        pytest.importorskip("onnx", reason="needs the package onnx: pip install bnncore[qonnx]")
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    assert path.stat().st_size < 2**20
    code, memory, seconds, error = imported(path)
    # What is small enough to be read may be a network.
    assert code == (0 if name == "steps.npz" else 1)
    assert memory < base + MOST_MEMORY
    assert seconds < MOST_SECONDS + 2
    if code:
        assert error.startswith(f"bnncore: {path}")
        assert error.count("\n") == 1
        assert len(error) < len(str(path)) + 500
    assert not (tmp_path / "owned").exists()


def model(nodes, constants=(), **more):
    """Return the bytes of a model whose input goes through the given nodes."""
    import onnx

    value = onnx.helper.make_tensor_value_info
    inside = onnx.helper.make_graph(
        nodes,
        "g",
        [value("x", onnx.TensorProto.FLOAT, [1, 1, 2, 2])],
        [value("y", onnx.TensorProto.FLOAT, None)],
        list(constants),
    )
    return onnx.helper.make_model(inside, **more)


def external(name: str):
    import onnx

    away = onnx.TensorProto(
        name=name, data_type=onnx.TensorProto.FLOAT, dims=[2], data_location=onnx.TensorProto.EXTERNAL
    )
    away.external_data.add(key="location", value="secret.txt")
    return away


def constant(name: str, shape, value: float = 1.0):
    import onnx

    return onnx.numpy_helper.from_array(np.full(shape, value, np.float32), name)


def repeated_broadcast():
    import onnx

    nodes = [onnx.helper.make_node("Mul", ["a", "b"], ["c"]), onnx.helper.make_node("Identity", ["x"], ["y"])]
    return model(nodes, [constant("a", (50_000, 1)), constant("b", (1, 50_000))])


def many_products():
    import onnx

    nodes = [onnx.helper.make_node("Mul", ["a", "a"], [f"c{number}"]) for number in range(5000)]
    return model([*nodes, onnx.helper.make_node("Identity", ["x"], ["y"])], [constant("a", (100_000,))])


def one_matrix_often():
    import onnx

    nodes, data = (
        [onnx.helper.make_node("Mul", ["x", "two"], ["m"]), onnx.helper.make_node("Sub", ["m", "one"], ["s"])],
        "s",
    )
    domain = "qonnx.custom_op.general"
    nodes += [
        onnx.helper.make_node("Flatten", [data], ["f"]),
        onnx.helper.make_node("BipolarQuant", ["f", "one"], ["q"], domain=domain),
        onnx.helper.make_node("BipolarQuant", ["w", "one"], ["b"], domain=domain),
    ]
    data = "q"
    for number in range(2000):
        nodes.append(onnx.helper.make_node("MatMul", [data, "b"], [f"p{number}"]))
        nodes.append(
            onnx.helper.make_node("BipolarQuant", [f"p{number}", "one"], [f"a{number}"], domain=domain)
        )
        data = f"a{number}"
    return model(nodes, [constant("two", (), 2.0), constant("one", ()), constant("w", (450, 450))])


def huge_shape(kind: str):
    import onnx

    shape = onnx.numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "s")
    inputs = ["s"] if kind == "ConstantOfShape" else ["a", "s"]
    return model([onnx.helper.make_node(kind, inputs, ["y"])], [shape, constant("a", (1,))])


def empty_dimensions():
    import onnx

    return model([], [onnx.TensorProto(name="a", data_type=1, dims=[10**12])])


def with_external(place: str):
    import onnx

    node = onnx.helper.make_node
    inner = onnx.helper.make_graph([node("Constant", [], ["w"], value=external("w"))], "inner", [], [])
    if place == "initializer":
        return model([node("Identity", ["x"], ["y"])], [external("w")])
    if place == "constant":
        return model([node("Constant", [], ["w"], value=external("w")), node("Identity", ["x"], ["y"])])
    if place == "unused attribute":
        return model([node("Shape", ["x"], ["y"], hidden=external("w"))])
    if place == "sub-graph":
        return model([node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)])
    if place == "tensors":
        return model([node("Shape", ["x"], ["y"], hidden=[external("w"), external("v")])])
    if place == "sparse":
        made = model([node("Identity", ["x"], ["y"])])
        made.graph.sparse_initializer.add().values.CopyFrom(external("w"))
        return made
    made = model([node("Identity", ["x"], ["y"])])
    made.functions.add(name="f", domain="d").node.extend(inner.node)
    return made


GRAPHS: dict[str, Callable[[], object]] = {
    "broadcast": repeated_broadcast,
    "products": many_products,
    "matrix": one_matrix_often,
    "ConstantOfShape": lambda: huge_shape("ConstantOfShape"),
    "Expand": lambda: huge_shape("Expand"),
    "Tile": lambda: huge_shape("Tile"),
    "dimensions": empty_dimensions,
}


@pytest.mark.parametrize("name", GRAPHS)
def test_constants_of_a_graph_do_not_grow_beyond_its_file(tmp_path, base, name) -> None:
    pytest.importorskip("onnx", reason="needs the package onnx: pip install bnncore[qonnx]")
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(GRAPHS[name]().SerializeToString())  # type: ignore[attr-defined]  # a ModelProto
    assert path.stat().st_size < 2**20
    code, memory, seconds, error = imported(path)
    assert code == 1
    assert memory < base + MOST_MEMORY
    assert seconds < MOST_SECONDS
    assert error.startswith(f"bnncore: {path}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "place", ["initializer", "constant", "unused attribute", "sub-graph", "tensors", "sparse", "function"]
)
def test_weights_in_another_file_are_refused_wherever_they_are(tmp_path, monkeypatch, place) -> None:
    pytest.importorskip("onnx", reason="needs the package onnx: pip install bnncore[qonnx]")
    from bnncore.importing.chain import ImportRefused
    from bnncore.importing.qonnx import read_qonnx

    monkeypatch.chdir(tmp_path)
    Path("secret.txt").write_bytes(np.ones(2, np.float32).tobytes())
    Path("away.onnx").write_bytes(with_external(place).SerializeToString())
    with pytest.raises(ImportRefused, match=r"in another file|only .* read"):
        read_qonnx(Path("away.onnx"))
