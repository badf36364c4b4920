"""A few seconds of the fuzzer for each reader, and that the fuzzer sees what it looks for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.readers import READERS
from fuzz.run import available, made, trial
from fuzz.seeds import seeds

pytestmark = pytest.mark.slow

# Another range than that of a long run by hand.
SEED = 14
INPUTS = 150


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_or_refuses_whatever_it_is_given(name: str) -> None:
    if name not in available():
        pytest.skip(f"needs {' and '.join(READERS[name].needs) or 'a format that this Pillow cannot write'}")
    tried = 0
    for number, taken, refused, failures in trial(name, tried, INPUTS, SEED):
        assert not failures, f"tests/fuzz/run.py --reader '{name}' --seed {SEED} --number N shows each again"
        tried = number
        assert taken + refused == INPUTS
    assert tried == INPUTS


@pytest.mark.parametrize("name", READERS)
def test_a_number_makes_the_same_input_again(name: str) -> None:
    if name not in available():
        pytest.skip("nothing to make inputs of")
    first = [made(name, number, 0) for number in range(5)]
    assert first == [made(name, number, 0) for number in range(5)]
    assert len(set(first)) > 1


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_taken(name: str, tmp_path: Path) -> None:
    """Else mutations of them would be refused at the door."""
    if name not in available() or name in {"checkpoint", "safetensors", "old idx", "pickle"}:
        pytest.skip("its reader asks for more than a small file has")
    for number, data in enumerate(seeds(READERS[name].kinds[0])):
        (tmp_path / str(number)).mkdir()
        if name == "binparam":
            # Any file is put into the place of one of them.
            continue
        READERS[name].read(data, tmp_path / str(number))


BROKEN = """
import os, sys
from pathlib import Path
from fuzz import run
from fuzz.readers import READERS, Reader

calls = []

def read(data, folder):
    calls.append(data)
    # The two whole files are read before the first input.
    number = len(calls) - 3
    if number == 0:
        raise KeyError("x")
    if number == 1:
        held = b"x" * (500 * 2**20)
        raise run.BnnError("y" * 5000)
    if number == 2 and sys.argv[1] == "crash":
        os.abort()
    if number == 2:
        while True:
            pass

READERS["classes"] = Reader(("classes",), read)
run.SECONDS = 1.0
run.work("classes", 0, 9, 0, Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("end", "by"), [("crash", signal.SIGABRT), ("time", signal.SIGPROF)])
def test_what_is_no_refusal_is_seen(tmp_path: Path, end: str, by: signal.Signals) -> None:
    program = BROKEN.replace("held = ", "# ")
    done = subprocess.run(
        [sys.executable, "-c", program, end, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == -by, done.stderr
    assert "KeyError" in done.stdout
    assert "a message of 5000 characters" in done.stdout


def test_memory_that_is_taken_is_seen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, "crash", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert "took 5" in done.stdout.splitlines()[-1]
