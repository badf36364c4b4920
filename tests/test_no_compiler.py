"""Where no C compiler is, the install succeeds, numpy does the work, and one warning says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent

# The finder of an editable install would find the compiled module of the checkout.
CLASSIFY_TWICE = """
import sys
import warnings
sys.meta_path[:] = [each for each in sys.meta_path if "editable" not in str(each).lower()]
import bnncore

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = [bnncore.get("mnist_lfc").classify(PICTURE) for _ in range(2)]
assert [(each.label, each.backend) for each in found] == [("7", "numpy")] * 2, found
assert ["without a C compiler" in str(each.message) for each in caught] == [True], caught
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install bnncore-hw into a folder with a compiler that always fails."""
    place = tmp_path_factory.mktemp("no_compiler")
    source = shutil.copytree(ROOT / "hw", place / "hw", ignore=shutil.ignore_patterns("*.so", "build"))
    target = place / "installed"
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", target, source]
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "CC": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    compiled = list((target / "bnnhw" / "cpu").glob("_compiled*"))
    assert not compiled, "the compiler that always fails has compiled something"
    return target


def test_numpy_does_the_work_and_one_warning_says_so(installed: Path) -> None:
    picture = str(ROOT / "examples" / "digit.png")
    done = subprocess.run(
        [sys.executable, "-c", CLASSIFY_TWICE.replace("PICTURE", repr(picture))],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
