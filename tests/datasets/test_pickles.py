"""Pickles are read without being run, and without the memory and the time that a hostile one asks for."""

from __future__ import annotations

import contextlib
import pickle
import re
import tracemalloc

import numpy as np
import pytest

from bnncore.datasets import DatasetError
from bnncore.datasets.pickles import read_pickle


@pytest.fixture
def pickled(tmp_path):
    """Return a function that writes bytes to a file and reads it as a pickle."""

    def read(data: bytes):
        path = tmp_path / "batch"
        path.write_bytes(data)
        return read_pickle(path)

    return read


# What Python 2.7 with numpy 1.11 wrote for {"data": zeros (2, 2) of uint8 holding 0, 1, 254, 255; "labels": [3, 1]}.
PYTHON_2 = (
    b"(dp0\nS'data'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntS'b'\ntRp4\n"
    b"(I1\n(I2\nI2\ntcnumpy\ndtype\np5\n(S'u1'\nI0\nI1\ntRp6\n(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\n"
    b"S'\\x00\\x01\\xfe\\xff'\ntbsS'labels'\np7\n(lp8\nI3\naI1\nas."
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_protocol_come_back(pickled, protocol, order) -> None:
    data = np.asarray(np.arange(12, dtype=np.uint8).reshape(3, 4), order=order)
    content = {"data": data, "labels": [1, 2], "names": ["a", b"b"], "mean": np.float32(0.5)}
    read = pickled(pickle.dumps(content, protocol))
    assert np.array_equal(read["data"], data)
    assert (read["labels"], read["names"], read["mean"]) == ([1, 2], ["a", b"b"], 0.5)


def test_an_array_of_python_2_comes_back(pickled) -> None:
    read = pickled(PYTHON_2)
    assert read["data"].tolist() == [[0, 1], [254, 255]]
    assert read["data"].dtype == np.uint8
    assert read["labels"] == [3, 1]


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_both_names_of_numpys_core_are_known(pickled, module) -> None:
    assert pickled(PYTHON_2.replace(b"numpy.core.multiarray", module.encode()))["data"].shape == (2, 2)


def test_byte_order_is_honoured(pickled) -> None:
    data = np.array([1, 256], ">i4")
    assert pickled(pickle.dumps({"data": data}, 2))["data"].tolist() == [1, 256]


class _Evil:
    def __reduce__(self):
        return (eval, ("__import__('os').mkdir('evil')",))


# A list that holds a list twice, that one another, forty deep: 2**40 lists to whoever walks each.
# The smaller ones are put away, the last is fetched.
SHARED = b"(]q\x00"
for depth in range(1, 41):
    SHARED += b"]q" + bytes([depth]) + 2 * (b"h" + bytes([depth - 1]) + b"a")
SHARED += b"1h" + bytes([40])

# The same of tuples, as the key of a dictionary: a hash walks all of them.
TUPLES = b"}(I1\nI1\n\x86q\x00"
for depth in range(1, 41):
    TUPLES += b"h" + bytes([depth - 1]) + b"\x86q" + bytes([depth])
TUPLES += b"I1\nu."
DOUBLED = b"}(I1\nI1\n\x86" + b"2\x86" * 40 + b"I1\nu."
# What stores the tuple hides what it is: a number was on top of it a moment ago.
HIDDEN = TUPLES.replace(b"\x86q", b"\x86N0q")

HOSTILE = {
    "endless tuples as a key": TUPLES,
    "endless tuples, doubled on the stack": DOUBLED,
    "endless tuples, stored later": HIDDEN,
    "endless tuples, numbered by order": b"\x80\x04" + re.sub(rb"q.", b"\x94", TUPLES),
    "a call": pickle.dumps(_Evil()),
    "os.system": b"cos\nsystem\n(S'true'\ntR.",
    "nested in an attribute": b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'__class__'\ntR.",
    "numpy.load": b"cnumpy\nload\n(S'/etc/passwd'\ntR.",
    "an array of objects": pickle.dumps(np.array([{}], dtype=object)),
    "an array of dates": pickle.dumps(np.array(["2000-01-01"], "M8[s]")),
    "a record array": pickle.dumps(np.zeros(1, [("a", "u1")])),
    "a persistent id": b"Pabc\n.",
    "an extension": b"\x82\x01.",
    "a shape without data": PYTHON_2.replace(b"I2\nI2\nt", b"I99999999\nI99999999\nt"),
    "a negative shape": PYTHON_2.replace(b"I2\nI2\nt", b"I-2\nI-2\nt"),
    "a call of the class": b"cnumpy\nndarray\n((I1\ntctR.",
    "nothing": b"",
    "half a pickle": pickle.dumps({"data": np.zeros(100, np.uint8)})[:-30],
    "noise": bytes(range(256)),
    "deep nesting": b"(" * 100_000 + b".",
    "endless lists as a type": b"cnumpy\ndtype\n(" + SHARED + b"tR.",
    "endless lists as a shape": PYTHON_2.replace(b"(I2\nI2\nt", SHARED),
    "endless lists as a byte order": PYTHON_2.replace(b"S'|'\n", SHARED),
    "a huge side": PYTHON_2.replace(b"I2\nI2\nt", b"I0\n\x8a\x09" + b"\x7f" * 9 + b"t"),
    "many sides": PYTHON_2.replace(b"I2\nI2\nt", b"I2\n" * 99 + b"t"),
    "a negative place in the memo": b"Np-1\n.",
    "a place in the memo that is no number": b"Npx\n.",
    "a far place of the memo asked for": b"j\x00\x00\x00\x08.",
    "many digits": b"I" + b"1" * 1000 + b"\n.",
    "many digits of a place": b"Np" + b"1" * 1000 + b"\n.",
    "endless tuples, one as wide as the file": b"}("
    + b"("
    + b"N" * 2000
    + b"tq\x00"
    + b"h\x00\x86" * 20
    + b"I1\nu.",
    "a number of a megabyte as a key": b"}(\x8b" + (10**6).to_bytes(4, "little") + b"\x01" * 10**6 + b"I1\nu.",
    "a number of 65 bits as a key": b"}(\x8a\x09" + b"\x01" * 9 + b"I1\nu.",
    "a set": pickle.dumps({1, 2}, 4),
    "a frozen set": pickle.dumps(frozenset({1, 2}), 4),
    "a state of a function": b"c_codecs\nencode\n}X\x01\x00\x00\x00aI1\nsb.",
    "a state of a class": b"cnumpy\nndarray\n}X\x01\x00\x00\x00aI1\nsb.",
    "a long text announced": b"\x8d" + b"\xff" * 7 + b"\x00.",
    "a negative length": b"T\xff\xff\xff\xff.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_anything_else_is_refused(pickled, data, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="batch"):
        pickled(data)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"Nr\x00\x00\x00\x08.",
        b"Np134217728\n.",
        b"\x8d" + b"\xff" * 7 + b"\x00.",
        b"\x96" + b"\xff" * 7 + b"\x00.",
    ],
    ids=["a far place in the memo", "as text", "a long text", "a long bytearray"],
)
def test_what_is_announced_takes_no_memory(pickled, data) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(DatasetError):
            pickled(data)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_text_is_not_turned_into_bytes_again_and_again(pickled) -> None:
    again = b"h\x00(h\x01tR" * 100
    data = b"(c_codecs\nencode\nq\x00X\x00\x10\x00\x00" + b"x" * 4096 + b"q\x01" + again + b"l."
    with pytest.raises(DatasetError, match="more bytes than it is long"):
        pickled(data)


@pytest.mark.parametrize("protocol", range(6))
def test_what_a_dataset_shares_is_read(pickled, protocol) -> None:
    names, kind = ["a" * 70_000, "b"] * 50, np.dtype("<i4")
    sizes = [(32, 32, 3) for _ in range(50)]
    rows = [np.arange(3, dtype=kind) for _ in range(50)]
    numbers = [kind.type(each) for each in range(50)]
    found = pickled(
        pickle.dumps(
            {"names": names, "rows": rows, "labels": numbers, "sizes": sizes, "none": [b"", np.zeros((0, 3))]},
            protocol,
        )
    )
    assert found["sizes"] == sizes
    assert (found["none"][0], found["none"][1].shape) == (b"", (0, 3))
    assert found["names"] == names
    assert [row.tolist() for row in found["rows"]] == [[0, 1, 2]] * 50
    assert found["labels"] == list(range(50))


def test_lists_that_share_lists_are_walked_once(pickled) -> None:
    found = pickled(SHARED + b".")
    assert found[0] is found[1]


def test_arrays_in_shared_lists_come_back(pickled) -> None:
    inner = [np.arange(3, dtype=np.uint8)]
    found = pickled(pickle.dumps({"one": inner, "two": (inner, (inner,))}, 2))
    assert found["one"][0].tolist() == [0, 1, 2]
    assert found["two"][0] is found["two"][1][0] is found["one"]


def test_every_truncation_is_an_error(pickled) -> None:
    whole = pickle.dumps({"data": np.arange(6, dtype=np.uint8), "labels": [1]}, 2)
    for end in range(len(whole)):
        with pytest.raises(DatasetError):
            pickled(whole[:end])


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        read_pickle(tmp_path / "nowhere")
