"""Check what people really get: the wheel, built from the sdist, in an environment with nothing else in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from bnncore.conformance.reporting import CheckError
from bnncore.diagnosis.finding import Finding
from bnncore.diagnosis.supervised import SECONDS
from bnncore.discovery.installed import find_installed

__all__ = ["check_wheel"]

_SECONDS = 1800


def check_wheel(target: Path, extra: Sequence[str] = (), seconds: float = SECONDS) -> Iterator[Finding]:
    """Install a wheel in a clean environment, run every check there, uninstall it, and look for leftovers.

    Args:
        target: a wheel, or a project folder, of which the sdist and from it the wheel are built.
        extra: further requirements for the clean environment, as pip takes them: what the plugin depends on
            and no index has yet.
        seconds: how long one call of the plugin's code may take.

    Raises:
        CheckError: if it cannot be built or installed.
    """
    # pip runs elsewhere.
    extra = [str(Path(each).resolve()) if Path(each).exists() else each for each in extra]
    with tempfile.TemporaryDirectory(prefix="bnncore-check-") as scratch:
        place = Path(scratch)
        if not target.exists():
            raise CheckError(f"{target}: there is no such project folder or wheel")
        wheel = _build(target, place / "dist") if target.is_dir() else target.resolve()
        yield Finding("ok", "wheel", f"{wheel.name}, {wheel.stat().st_size:,} bytes")
        python = _environment(place / "environment")
        _run([python, "-m", "pip", "install", "--quiet", *_own(), *extra, str(wheel)], place, "pip install")
        name = wheel.name.split("-")[0]
        uninstall = [python, "-m", "pip", "uninstall", "--quiet", "--yes", name]
        _run(uninstall, place, "pip uninstall")
        before = _files(place / "environment")
        _run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], place, "pip install")
        for item in _checked(python, name, place, seconds):
            yield Finding(item["state"], item["check"], item["text"])
        _run(uninstall, place, "pip uninstall")
        left = sorted(_files(place / "environment") - before)
        if left:
            yield Finding("problem", "uninstall", f"left behind: {', '.join(left[:5])}")
        else:
            yield Finding("ok", "uninstall", "nothing is left behind")


def _build(project: Path, target: Path) -> Path:
    """Build the sdist, and from it the wheel: build back ends lose files on either way."""
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(project.resolve())]
    try:
        # Elsewhere, as a folder or file called build would go before the module.
        _run(command, target.parent, "building")
    except CheckError as error:
        if "No module named build" in str(error):
            raise CheckError("to build a wheel, first: pip install build") from error
        raise
    return next(target.glob("*.whl"))


def _environment(folder: Path) -> str:
    _run([sys.executable, "-m", "venv", str(folder)], folder.parent, "making an environment")
    scripts = "Scripts" if os.name == "nt" else "bin"
    return str(folder / scripts / "python")


def _own() -> list[str]:
    """Return what to install so that the clean environment has the bnncore that runs this check."""
    return [_requirement(name) for name in ("bnncore-hw", "bnncore")]


def _requirement(name: str) -> str:
    """Return where an installed distribution came from: a local path, or else its version on an index."""
    found = find_installed(name)
    if found is None:
        raise CheckError(f"{name} has no metadata in this environment; reinstall it")
    address = urlparse(str(found.origin().get("url", "")))
    if address.scheme == "file":
        path = Path(url2pathname(address.path))
        if path.exists():
            return str(path)
    return f"{name}=={found.version}"


def _checked(python: str, name: str, place: Path, seconds: float) -> list[dict[str, Any]]:
    """Run ``bnncore check`` in the clean environment and return its outcomes."""
    # Exit code 1 means problems; they are in the report.
    command = [python, "-m", "bnncore", "check", name, "--json", "--timeout", str(seconds)]
    text = _run(command, place, "bnncore check", allowed=(0, 1))
    try:
        outcomes: list[dict[str, Any]] = json.loads(text)["outcomes"]
    except (ValueError, KeyError) as error:
        raise CheckError(f"bnncore check in the clean environment did not report: {text[-500:]}") from error
    return outcomes


def _files(environment: Path) -> set[str]:
    """Return every file of an environment, but for caches of Python and traces of the installer."""
    return {
        path.relative_to(environment).as_posix()
        for path in environment.rglob("*")
        if not path.is_dir() and "__pycache__" not in path.parts
    }


def _run(command: Sequence[str], folder: Path, what: str, allowed: Sequence[int] = (0,)) -> str:
    """Run a command outside the project's folder, so that nothing is imported from its sources."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PYTHONNOUSERSITE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(  # noqa: S603  pip, venv and ourselves
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode not in allowed:
        raise CheckError(f"{what} failed: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout
