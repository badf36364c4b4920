"""The kernels' primitives compute what their plain twins say, and bits are packed as plain loops pack them.

``tests/kernels/run.sh`` does the same with sanitizers, other compilers and for other processors.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")

pytestmark = pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="there is no C compiler")


@pytest.mark.parametrize("program", ["bits", "primitives_avx512", "primitives_avx2"])
def test_primitives_agree_with_their_plain_twins(program: str, tmp_path: Path) -> None:
    folders = (ROOT / "hw" / "bnnhw" / "cpu" / "_kernels", ROOT / "tests" / "kernels")
    command = [
        *COMPILER,
        "-std=c11",
        "-O1",
        "-D_POSIX_C_SOURCE=200809L",
        *(f"-I{folder}" for folder in folders),
    ]
    source, target = ROOT / "tests" / "kernels" / f"{program}.c", tmp_path / program
    subprocess.run([*command, str(source), "-o", str(target)], check=True, timeout=120)
    done = subprocess.run([str(target), "200"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
