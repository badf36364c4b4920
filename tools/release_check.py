"""Say what keeps this checkout from being released; see docs/releasing.md.

::

    python tools/release_check.py    exit code 1 and one line for each thing that is missing

It looks and changes nothing. What must pass on every change (``.ci/run``) is not repeated here.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from metadata import PROJECTS, ROOT, MetadataError, decided, differing

__all__ = ["main", "obstacles"]

_WEB = re.compile(r"https://[^\s<>\"/]+\.[^\s<>\"]+")
_MAIL = re.compile(r"mailto:[^\s<>\"@]+@[^\s<>\"@]+\.[^\s<>\"@]+")


def obstacles(root: Path) -> Iterator[str]:
    """Yield what keeps a checkout from being released, each with what to do.

    Raises:
        MetadataError: if what is decided cannot even be read.
    """
    yield from _addresses(root)
    for name in differing(root):
        yield f"{name} says something else than the root's pyproject.toml: make metadata writes it"
    yield from _changes(root)
    yield from _licences(root)
    yield from _uncommitted(root)


def _addresses(root: Path) -> Iterator[str]:
    what, place = decided(root), "in [tool.bnncore.project] of pyproject.toml"
    if not what.repository:
        yield (
            f"repository {place} is not set. It says where the sources are, and becomes the url in the metadata of all "
            "distributions and in CITATION.cff: an https address"
        )
    elif not _WEB.fullmatch(what.repository):
        yield f"repository {place}: expected an https address, found {what.repository!r}"
    if not what.report:
        yield (
            f"report {place} is not set. It says where to tell of a weakness in private, and is printed in SECURITY.md "
            "and docs/security.md: an https or mailto address that somebody reads"
        )
    elif not _WEB.fullmatch(what.report) and not _MAIL.fullmatch(what.report):
        yield f"report {place}: expected an https or mailto address, found {what.report!r}"


def _changes(root: Path) -> Iterator[str]:
    version = decided(root).version
    text = (root / "CHANGELOG.md").read_text("utf-8")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", text, re.MULTILINE):
        yield (
            f"CHANGELOG.md: expected a heading '## {version} (year-month-day)', found none; 'Unreleased' becomes it, "
            "and a new, empty 'Unreleased' goes above"
        )
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        yield "CHANGELOG.md: 'Unreleased' is not empty; what it lists belongs to the version"


def _licences(root: Path) -> Iterator[str]:
    """A distribution is built from its own folder, so each has a copy."""
    text = (root / "LICENSE").read_bytes()
    for name, folder in PROJECTS.items():
        copy = root / folder / "LICENSE"
        if not copy.is_file() or copy.read_bytes() != text:
            yield f"{name}: expected a copy of LICENSE in {folder}, found {'another' if copy.is_file() else 'none'}"


def _uncommitted(root: Path) -> Iterator[str]:
    if not (root / ".git").exists():
        yield "this is no clone: a release is made from a commit"
        return
    # The checkout is the one that the caller stands in; git is the one on the path.
    done = subprocess.run(
        ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode or done.stdout:
        yield f"git status: expected nothing that is not committed, found\n{(done.stdout or done.stderr).rstrip()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout, if not this one")
    root: Path = parser.parse_args(arguments).root.resolve()
    try:
        found = list(obstacles(root))
    except MetadataError as error:
        found = [str(error)]
    for each in found:
        print(f"- {each}")
    print("Not ready to be released." if found else f"{decided(root).version} is ready to be released.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
