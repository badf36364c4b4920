"""Pickles are read without being run."""

from __future__ import annotations

import pickle

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


HOSTILE = {
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
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_anything_else_is_refused(pickled, data, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="batch"):
        pickled(data)
    assert not (tmp_path / "evil").exists()


def test_every_truncation_is_an_error(pickled) -> None:
    whole = pickle.dumps({"data": np.arange(6, dtype=np.uint8), "labels": [1]}, 2)
    for end in range(len(whole)):
        with pytest.raises(DatasetError):
            pickled(whole[:end])


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        read_pickle(tmp_path / "nowhere")
