"""What outsiders work with: environments and commands, away from the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

__all__ = ["Environment", "run", "uv"]

# What shows in every output of a clean environment must be its own.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "BNNCORE_DISABLE", "BNNCORE_ALLOW", "BNNCORE_STRICT")


@frozen
class Environment:
    """A virtual environment and what can be done with it."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def run(
        self, *command: str, cwd: Path | None = None, code: int | None = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python`` with arguments; another exit code than the expected one fails the test."""
        return run([self.python, *command], cwd or self.folder, code, **variables)

    def bnncore(self, *arguments: str, cwd: Path | None = None, code: int | None = 0, **variables: str) -> str:
        """Run ``bnncore`` and return what it printed: standard output, or both where it must fail."""
        done = self.run("-m", "bnncore", *arguments, cwd=cwd, code=code, **variables)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def site(self) -> Path:
        return next(self.folder.glob("lib/python*/site-packages"))


def run(
    command: Sequence[str], cwd: Path, code: int | None = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command, away from the repository and from this environment."""
    environment = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    # Checks use threads of their own; BLAS's on top only get in each other's way.
    environment["OPENBLAS_NUM_THREADS"] = "1"
    done = subprocess.run(
        command, cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    shown = f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert code is None or done.returncode == code, shown
    return done


def uv(*arguments: str, cwd: Path) -> None:
    run([sys.executable, "-m", "uv", "--no-progress", *arguments], cwd)
