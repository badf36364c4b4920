"""``manifest.json``: size and SHA-256 of every data file of a plugin's package.

    {"files": {"weights.npz": {"size": 209646, "sha256": "…"}, "second/weights.npz": {…}}}

A plugin's records state a file by what stands here (``bnncore.packaged``), so that nobody copies digests by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bnncore.errors import ResourceError
from bnncore.files import fingerprint, fingerprint_of, read_limited
from bnncore.formats.jsontext import MOST_BYTES, parse_json
from bnncore.plain_text import brief
from bnncore.writing import write_together

__all__ = ["MANIFEST", "manifest_bytes", "parse_manifest", "read_manifest", "write_manifest"]

MANIFEST = "manifest.json"

_LIMIT_OF = "this is no manifest"
_ADVICE = "run bnncore pack"

# Python's own files are covered by the wheel's RECORD.
_NOT_DATA = {".py", ".pyi", ".pyc", ".pyo", ".typed"}


def read_manifest(path: Path) -> dict[str, object]:
    """Read what a ``manifest.json`` lists; see ``parse_manifest``.

    Raises:
        ResourceError: if it cannot be read, or is no manifest.
    """
    return parse_manifest(read_limited(path, MOST_BYTES, ResourceError, _LIMIT_OF, _ADVICE), str(path))


def parse_manifest(data: bytes, where: str) -> dict[str, object]:
    """Return what the bytes of a ``manifest.json`` list, by path; ``where`` names it in errors.

    An entry is checked by who uses it, so that one that is wrong harms no other.

    Raises:
        ResourceError: if it is no manifest.
    """
    try:
        files = parse_json(data)["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise ResourceError(f"{where}: expected JSON with 'files': {brief(error)}; {_ADVICE}") from error
    if not isinstance(files, dict):
        raise ResourceError(f"{where}: expected a mapping in 'files'; {_ADVICE}")
    return files


def manifest_bytes(files: Mapping[str, Mapping[str, int | str]]) -> bytes:
    """Return the bytes of a ``manifest.json``; ``parse_manifest`` reads them back.

    Args:
        files: ``size`` and ``sha256`` of each path, which has ``/`` on every system.
    """
    return (json.dumps({"files": files}, indent=2, ensure_ascii=False) + "\n").encode()


def write_manifest(
    package: Path, changed: Mapping[Path, bytes] | None = None
) -> dict[str, dict[str, int | str]]:
    """Write ``manifest.json`` for the data files that a package has now, and those that are put in with it.

    Args:
        package: folder of the package.
        changed: files inside it to write, too: these and the manifest, or none of them.

    Returns:
        What it lists, for example ``{"weights.npz": {"size": 1, "sha256": "…"}}``.

    Raises:
        ResourceError: if a file cannot be read.
    """
    changed = changed or {}
    files: dict[str, dict[str, int | str]] = {}
    for path in sorted({*package.rglob("*"), *changed}):
        name = path.relative_to(package).as_posix()
        hidden = any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))
        if hidden or name == MANIFEST or path.suffix in _NOT_DATA or not (path in changed or path.is_file()):
            continue
        found = fingerprint_of(changed[path]) if path in changed else fingerprint(path, ResourceError)
        files[name] = found._asdict()
    write_together({**changed, package / MANIFEST: manifest_bytes(files)})
    return files
