"""Write what the root's ``pyproject.toml`` decides into every file that repeats it.

::

    python tools/metadata.py                  write it
    python tools/metadata.py --version 0.2.0  decide on a version, then write it
    python tools/metadata.py --check          change nothing; exit code 1 and the names of the files that differ

Decided there are ``version`` and ``authors`` of ``[project]``, and ``repository`` and ``report`` of
``[tool.bnncore.project]``. Five distributions are built, each from its own folder alone, so each must hold its version
literally; and ``__version__`` is a literal because importing bnncore reads no metadata.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "PROJECTS",
    "ROOT",
    "Decided",
    "MetadataError",
    "bounds",
    "decided",
    "differing",
    "main",
    "repeated",
    "with_version",
]

ROOT = Path(__file__).resolve().parent.parent
# Distribution -> its folder.
PROJECTS = {
    "bnncore": ".",
    "bnncore-hw": "hw",
    "bnn-cifar10": "plugins/cifar10",
    "bnn-cucumber9": "plugins/cucumber9",
    "bnn-mnist-lfc": "plugins/mnist_lfc",
}
_SOURCE = "pyproject.toml"
_VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.\d+(?P<early>(a|b|rc)\d+|\.dev\d+)?")


class MetadataError(Exception):
    """What is decided, or a file that repeats it, is not as it must be."""


@dataclass(frozen=True)
class Decided:
    """What the root's ``pyproject.toml`` decides.

    Attributes:
        version: of all distributions, for example ``0.2.0`` or ``0.2.0rc1``.
        authors: their line in ``[project]``, as it is written there.
        repository: https address of the sources; empty while it is not decided.
        report: https or mailto address for weaknesses; empty while it is not decided.
    """

    version: str
    authors: str
    repository: str
    report: str


def decided(root: Path = ROOT) -> Decided:
    """Return what the root's ``pyproject.toml`` decides.

    Raises:
        MetadataError: if something is missing there or cannot be a version.
    """
    text = (root / _SOURCE).read_text("utf-8")
    content: dict[str, Any] = tomllib.loads(text)
    authors = re.search(r"^authors = .*$", text, re.MULTILINE)
    if authors is None:
        raise MetadataError(f"{_SOURCE}: expected a line 'authors = [...]' in [project], found none")
    try:
        version, settings = content["project"]["version"], content["tool"]["bnncore"]["project"]
        found = Decided(version, authors[0], settings["repository"], settings["report"])
    except KeyError as error:
        raise MetadataError(
            f"{_SOURCE}: expected version in [project], and repository and report in [tool.bnncore.project], "
            f"which may be empty; found no {error}"
        ) from error
    _parsed(version)
    return found


def bounds(version: str) -> str:
    """Return what one distribution asks of another: all versions that keep this one's promises.

    >>> bounds("0.1.3"), bounds("1.2.0"), bounds("0.2.0rc1")
    ('>=0.1,<0.2', '>=1.2,<2', '>=0.2.0rc1,<0.3')
    """
    found = _parsed(version)
    major, minor = int(found["major"]), int(found["minor"])
    # 0.2.0rc1 comes before 0.2, which would keep it out.
    lowest = version if found["early"] else f"{major}.{minor}"
    return f">={lowest},<{major + 1}" if major else f">={lowest},<0.{minor + 1}"


def repeated(root: Path = ROOT) -> dict[Path, str]:
    """Return the text that each file must have that repeats what is decided.

    Raises:
        MetadataError: if a file has lost the place where it stands.
    """
    what = decided(root)
    return {root / path: make(path, (root / path).read_text("utf-8"), what) for path, make in _places()}


def differing(root: Path = ROOT) -> list[str]:
    """Return the files, relative to the root, that say something else than what is decided."""
    return [
        path.relative_to(root).as_posix()
        for path, text in repeated(root).items()
        if path.read_text("utf-8") != text
    ]


def with_version(text: str, version: str) -> str:
    """Return a ``pyproject.toml`` with another version.

    Raises:
        MetadataError: if that cannot be a version.
    """
    _parsed(version)
    return _replaced(_SOURCE, r'^version = ".*"$', f'version = "{version}"', text)


def _parsed(version: str) -> re.Match[str]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise MetadataError(f"expected a version such as 0.2.0, 0.2.0rc1 or 0.2.0.dev1, found {version!r}")
    return found


def _places() -> Iterator[tuple[str, Callable[[str, str, Decided], str]]]:
    for folder in PROJECTS.values():
        yield (Path(folder) / "pyproject.toml").as_posix(), _project
    yield "bnncore/__init__.py", _module
    yield "hw/bnnhw/__init__.py", _module
    yield "CITATION.cff", _citation
    yield "SECURITY.md", _reporting
    yield "docs/security.md", _reporting


def _project(path: str, text: str, what: Decided) -> str:
    text = with_version(text, what.version)
    text = _replaced(path, r"^authors = .*$", what.authors, text)
    names = "|".join(map(re.escape, PROJECTS))
    text = re.sub(rf'"({names})[<>=~!][^"]*"', rf'"\g<1>{bounds(what.version)}"', text)
    text = re.sub(r"^\[project\.urls\]\n(?:[^\[\n].*\n)*\n", "", text, flags=re.MULTILINE)
    urls = {"Repository": what.repository, "Security": what.report}
    # Indexes take no mailto address.
    lines = [f'{label} = "{url}"\n' for label, url in urls.items() if url.startswith("https:")]
    if not lines:
        return text
    head, mark, rest = text.partition("\n\n[project.")
    return f"{head}\n\n[project.urls]\n{''.join(lines)}{mark[1:]}{rest}"


def _module(path: str, text: str, what: Decided) -> str:
    return _replaced(path, r'^__version__ = ".*"$', f'__version__ = "{what.version}"', text)


def _citation(path: str, text: str, what: Decided) -> str:
    text = _replaced(path, r"^version: .*$", f"version: {what.version}", text)
    text = re.sub(r"^repository-code: .*\n", "", text, flags=re.MULTILINE)
    return text + (f'repository-code: "{what.repository}"\n' if what.repository else "")


def _reporting(path: str, text: str, what: Decided) -> str:
    """Write where to report between the two comments."""
    if what.report:
        where = f"Write to <{what.report}>."
    else:
        where = (
            "This copy names no address for that yet (`report` in the root's `pyproject.toml`).\n"
            "Tell whoever gave it to you, in private; a release cannot be made without an address."
        )
    pattern = r"(?<=<!-- report: make metadata writes this -->\n).*?(?=<!-- /report -->)"
    return _replaced(path, pattern, where + "\n", text, re.DOTALL)


def _replaced(path: str, pattern: str, by: str, text: str, flags: re.RegexFlag = re.MULTILINE) -> str:
    """Replace the one place that fits."""
    changed, count = re.subn(pattern, lambda _: by, text, flags=flags)
    if count != 1:
        raise MetadataError(f"{path}: expected one place that fits {pattern!r}, found {count}")
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--version", help="decide on this version first")
    mode.add_argument("--check", action="store_true", help="change nothing, say what differs")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout, if not this one")
    options = parser.parse_args(arguments)
    root: Path = options.root.resolve()
    try:
        if options.version is not None:
            source = root / _SOURCE
            source.write_text(with_version(source.read_text("utf-8"), options.version), "utf-8")
        names = differing(root)
        if options.check:
            for name in names:
                print(f"{name}: says something else than {_SOURCE}; make metadata writes it")
            return 1 if names else 0
        texts = repeated(root)
        for name in names:
            (root / name).write_text(texts[root / name], "utf-8")
            print(name)
    except MetadataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
