"""Golden vectors: inputs and the exact scores they must give."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from batches import random_batch
from bnnhw import reference
from bnnhw.topology import Dense, Input, Topology
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds, topologies

from bnncore.errors import ParameterError
from bnncore.formats.golden import golden_bytes, parse_golden, write_golden
from bnncore.publishing.random_network import random_network

TOPOLOGY = Topology(name="t", input=Input(height=2, width=3, channels=3), layers=(Dense(outputs=4),))


def vectors(count: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "inputs": rng.integers(0, 256, (count, 2, 3, 3)).astype(np.uint8),
        "scores": rng.integers(-99, 99, (count, 4)).astype(np.int32),
    }


def packed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    given = vectors()
    write_golden(tmp_path / "new" / "golden.npz", given["inputs"], given["scores"])
    inputs, scores = parse_golden((tmp_path / "new" / "golden.npz").read_bytes(), "golden.npz", TOPOLOGY)
    assert np.array_equal(inputs, given["inputs"])
    assert np.array_equal(scores, given["scores"])


@settings(max_examples=30, deadline=None)
@given(topologies(), seeds, st.integers(1, 4))
def test_the_scores_of_any_network_are_read_back(topology: Topology, seed: int, count: int) -> None:
    given_inputs = random_batch(topology, count, seed)
    given_scores = reference.scores(random_network(topology, seed), given_inputs)
    inputs, scores = parse_golden(golden_bytes(given_inputs, given_scores), "g.npz", topology)
    assert np.array_equal(inputs, given_inputs)
    assert np.array_equal(scores, given_scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"inputs": np.zeros((5, 2, 3), np.uint8)},
            r"inputs: expected uint8 \[N, 2, 3, 3\], found uint8 \[5, 2, 3\]",
        ),
        ({"inputs": np.zeros((5, 2, 3, 3), np.int8)}, r"inputs: expected uint8 .*, found int8"),
        ({"inputs": np.zeros((4, 2, 3, 3), np.uint8)}, "4 inputs and 5 scores"),
        ({"inputs": np.uint8(3)}, r"inputs: expected uint8"),
        ({"scores": np.zeros((5, 3), np.int32)}, r"scores: expected int32 \[N, 4\], found int32 \[5, 3\]"),
        ({"scores": np.zeros((5, 4), np.int64)}, r"scores: expected int32 \[N, 4\], found int64"),
        ({"scores": np.array([{}] * 5)}, "expected plain numbers|expected a .npy array"),
        (vectors(0), "0 inputs and 0 scores"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=rf"^g\.npz.*{message}"):
        parse_golden(packed(**{**vectors(), **change}), "g.npz", TOPOLOGY)


@pytest.mark.parametrize("name", ["inputs", "scores"])
def test_a_missing_array_is_refused(name: str) -> None:
    given = vectors()
    del given[name]
    with pytest.raises(ParameterError, match=rf"^g\.npz.*{name}"):
        parse_golden(packed(**given), "g.npz", TOPOLOGY)


def test_truncated_anywhere_it_is_refused() -> None:
    data = packed(**vectors(1))
    for length in range(len(data)):
        with pytest.raises(ParameterError, match=r"^g\.npz"):
            parse_golden(data[:length], "g.npz", TOPOLOGY)


def test_flipped_bytes_are_refused_or_harmless() -> None:
    given = vectors(1)
    data = packed(**given)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        try:
            inputs, scores = parse_golden(bytes(damaged), "g.npz", TOPOLOGY)
        except ParameterError:
            continue
        assert np.array_equal(inputs, given["inputs"])
        assert np.array_equal(scores, given["scores"])


@pytest.mark.parametrize("data", [b"", b"no zip", b"\x93NUMPY\1\0v\0{", b"PK\5\6" + bytes(18)])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ParameterError, match=r"^g\.npz"):
        parse_golden(data, "g.npz", TOPOLOGY)


def test_a_bare_array_is_refused() -> None:
    buffer = io.BytesIO()
    np.save(buffer, vectors()["inputs"])
    with pytest.raises(ParameterError, match=r"^g\.npz"):
        parse_golden(buffer.getvalue(), "g.npz", TOPOLOGY)


def test_more_than_golden_vectors_need_is_refused_unread() -> None:
    """Golden vectors come from packages, but a bomb among them is no reason to fall over."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("inputs.npy", bytes(2**26 + 1))
        archive.writestr("scores.npy", b"")
    with pytest.raises(ParameterError, match=rf"^g\.npz, member 'inputs': expected .*, found {2**26 + 1}"):
        parse_golden(buffer.getvalue(), "g.npz", TOPOLOGY)
