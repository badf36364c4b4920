"""Run the console blocks of the documentation and compare, or write, what they print.

A page takes part if it says so in its first line. It is one session, in a folder with ``photos/``. Of a block
``console`` every line that begins with ``$ `` is run, and the lines up to the next one are its output. A block
after a comment ``<!-- not run: why -->`` is left alone.

``python tests/documentation/session.py`` writes the present output into the pages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from PIL import Image

__all__ = ["DOCS", "blocks", "pages", "played", "sound"]

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(
    r"(?P<excuse><!-- not run: .+? -->\n)?```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_MARK = "<!-- The commands on this page are run"
_INSTALL = re.compile(r"pip install --quiet \./(?P<project>[\w-]+)")


def pages() -> list[Path]:
    """Return the pages that have a block to be run."""
    marked = [path for path in sorted(DOCS.rglob("*.md")) if path.read_text("utf-8").startswith(_MARK)]
    return [path for path in marked if any(not each["excuse"] for each in blocks(path))]


def blocks(path: Path) -> list[re.Match[str]]:
    """Return all console blocks of a page."""
    return list(_BLOCK.finditer(path.read_text("utf-8")))


def played(path: Path) -> str:
    """Return a page with the output that its commands print now."""
    with tempfile.TemporaryDirectory() as scratch:
        session = Session(Path(scratch))
        return _BLOCK.sub(lambda found: _answered(found, session), path.read_text("utf-8"))


def sound(text: str) -> str:
    """Return a page without what differs from machine to machine: hashes, and sizes of compressed files."""
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "<hash>", text)
    return re.sub(r"\b\d{1,3}(,\d{3})+\b(?= bytes|  <hash>)", "<size>", text)


class Session:
    """A shell in a folder with photographs, and with the installed plugins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "work"
        self._site = folder / "site"
        self._site.mkdir()
        for split, count in (("train", 4), ("test", 2)):
            for place, label in enumerate(("daisy", "rose", "tulip")):
                (self._folder / "photos" / split / label).mkdir(parents=True)
                for number in range(count):
                    image = Image.new("RGB", (40, 30), (80 * place, 40 * number, 99))
                    image.save(self._folder / "photos" / split / label / f"{number}.png")

    def run(self, command: str) -> str:
        """Return what a command prints, errors included."""
        install = _INSTALL.fullmatch(command)
        if install:
            return self._install(self._folder / install["project"])
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env={
                **os.environ,
                "PATH": path,
                "PYTHONPATH": str(self._site),
                "COLUMNS": "100",
                "LC_ALL": "C.UTF-8",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def _install(self, project: Path) -> str:
        """Do as pip does, where the session can see it and nobody else."""
        from hatchling.builders.wheel import WheelBuilder

        wheel = next(iter(WheelBuilder(str(project)).build(directory=str(self._folder.parent / "dist"))))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self._site)
        return ""


def _answered(found: re.Match[str], session: Session) -> str:
    if found["excuse"]:
        return found[0]
    commands = [line for line in found["body"].splitlines() if line.startswith("$ ")]
    lines = []
    for command in commands:
        output = session.run(command[2:]).rstrip()
        lines += [command, *(line.rstrip() for line in output.splitlines())]
    return "\n".join(["```console", *lines, "```"])


def _write() -> None:
    for path in pages():
        text = path.read_text("utf-8")
        fresh = played(path)
        if fresh != text:
            path.write_text(fresh, "utf-8")
            print(path.relative_to(DOCS.parent))


if __name__ == "__main__":
    _write()
