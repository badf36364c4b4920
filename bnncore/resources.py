"""Opening the files that plugins declare: size and SHA-256 are checked before a byte is used."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from bnncore.errors import ResourceError
from bnncore.files import read_limited
from bnncore.foreign import describe_error, foreign_code
from bnncore.formats.manifest import MANIFEST, read_manifest
from bnncore.records import Resource

__all__ = ["package_folder", "packaged", "read_resource", "resource_path"]


def packaged(package: str, path: str) -> Resource:
    """Return the record of a file that a package's ``manifest.json`` lists.

    ``bnncore pack`` writes the manifest: ``{"files": {"weights.npz": {"size": 1, "sha256": "…"}}}``.

    Args:
        package: import name of the package; a plugin passes ``__package__`` or ``__name__``.
        path: of the file inside the package, with ``/``.

    Raises:
        ResourceError: if the manifest cannot be read or does not list the file.
    """
    files = read_manifest(package_folder(package) / MANIFEST)
    entry = files.get(path)
    if not isinstance(entry, dict):
        listed = ", ".join(sorted(files)) or "nothing"
        raise ResourceError(f"{package}/{MANIFEST} does not list {path!r}, only {listed}; run bnncore pack")
    try:
        return Resource(package=package, path=path, size=entry["size"], sha256=entry["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise ResourceError(f"{package}/{MANIFEST}, {path!r}: expected size and sha256: {error}") from error


def resource_path(resource: Resource) -> Path:
    """Return where a resource lies, without importing its package.

    Raises:
        ResourceError: if the package is not installed as files.
    """
    return package_folder(resource.package) / resource.path


def read_resource(resource: Resource) -> bytes:
    """Return the bytes of a resource.

    Raises:
        ResourceError: if it is missing, or its size or SHA-256 is not the declared one.
    """
    path = resource_path(resource)
    advice = (
        f"declared by {resource.package}, so the distribution was built without it or was damaged: reinstall it"
    )
    data = read_limited(path, resource.size, ResourceError, "its declared size", advice)
    if len(data) != resource.size:
        raise ResourceError(
            f"{path}: expected {resource.size} bytes, found {len(data)}; reinstall {resource.package}"
        )
    digest = hashlib.sha256(data).hexdigest()
    if digest != resource.sha256:
        raise ResourceError(
            f"{path}: expected SHA-256 {resource.sha256}, found {digest}; the file was altered: "
            f"reinstall {resource.package}"
        )
    return data


def package_folder(package: str) -> Path:
    """Return the folder of an installed package, without importing it; Python imports those that it lies in.

    Raises:
        ResourceError: if it is not installed, or not as files.
    """
    with foreign_code(
        "", lambda error: ResourceError(f"package {package!r} cannot be found: {describe_error(error)}")
    ):
        spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ResourceError(f"package {package!r} cannot be found, or is no package with files")
    return Path(next(iter(spec.submodule_search_locations)))
