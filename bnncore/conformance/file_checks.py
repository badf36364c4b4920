"""The files that the records declare: there, of the right size and hash, and in the wheel."""

from __future__ import annotations

from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject
from bnncore.diagnosis.finding import Finding
from bnncore.errors import ResourceError
from bnncore.formats.manifest import MANIFEST, read_manifest
from bnncore.resources import package_folder, packaged, read_resource

__all__ = ["check_manifest", "check_resources"]

# Formats that run code when they are opened.
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy.pkl")


def check_resources(subject: Subject) -> Finding:
    """Check that every declared file can be read, has its size and SHA-256, and was installed with the rest."""
    recorded = {file.as_posix() for file in subject.distribution.files or ()}
    count = 0
    for what, resource in subject.resources():
        if resource.url is not None:
            # Fetched when first used; nothing to read before.
            continue
        try:
            read_resource(resource)
        except ResourceError as error:
            raise CheckError(f"{what}: {error}") from error
        own = resource.package.split(".")[0] in subject.packages
        name = f"{resource.package.replace('.', '/')}/{resource.path}"
        if own and not subject.editable and name not in recorded:
            raise CheckError(
                f"{what}: {name} is not in the wheel's RECORD; the build left it out, look at the build "
                "back end's include rules and at .gitignore"
            )
        count += 1
    if not count:
        return seen("declares no files", "skipped")
    return seen(f"{count} files with the declared size and SHA-256")


def check_manifest(subject: Subject) -> Finding:
    """Check that the manifests list what is there, and that nothing needs a pickle."""
    count = 0
    for package in subject.packages:
        try:
            path = package_folder(package) / MANIFEST
        except ResourceError:
            continue
        if not path.is_file():
            continue
        for name in read_manifest(path):
            try:
                read_resource(packaged(package, name))
            except ResourceError as error:
                raise CheckError(f"{path}: {error}; after a change run bnncore pack") from error
            if name.endswith(_PICKLES):
                raise CheckError(f"{path}: {name} is a pickle, which runs code when it is opened; use .npz")
            count += 1
    if not count:
        return seen(f"no {MANIFEST}", "skipped")
    return seen(f"{count} files as listed")
