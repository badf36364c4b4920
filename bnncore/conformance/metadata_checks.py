"""Metadata, names and contents of the distribution."""

from __future__ import annotations

import re

from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.blocklist import same_distribution
from bnncore.discovery.kinds import DATASET, offered_kinds

__all__ = ["check_conflicts", "check_contents", "check_description", "check_names", "check_requirements"]

_OWN = ("bnncore", "bnncore-hw")


def check_names(subject: Subject) -> Finding:
    """Check that groups exist, and that names are spelt as bnncore will compare them."""
    groups = [kind.group for kind in offered_kinds() if kind.group]
    for entry in subject.entries:
        if entry.group not in groups:
            raise CheckError(
                f"entry-point group {entry.group!r} does not exist; the groups are {', '.join(groups)}"
            )
    if subject.faults:
        raise CheckError("; ".join(subject.faults))
    for claim in subject.claims:
        if claim.kind == DATASET and claim.declared != claim.name:
            raise CheckError(f"dataset {claim.declared!r} must be spelt {claim.name!r} in its entry point")
    names = ", ".join(claim.declared for claim in subject.claims)
    if not subject.name.lower().startswith("bnn") and subject.name not in _OWN:
        return seen(f"offers {names}; call the distribution bnn-… so that people find it", "note")
    return seen(f"offers {names}")


def check_requirements(subject: Subject) -> Finding:
    """Check that bnncore is required within bounds, and a version of Python is stated."""
    if subject.name in _OWN:
        return seen("part of bnncore", "skipped")
    metadata = subject.metadata
    requires = subject.distribution.requires or []
    own = [each for each in requires if re.match(r"bnncore\s*([<>=!~(;]|$)", each)]
    if not own:
        raise CheckError("it does not require bnncore; add a dependency such as 'bnncore>=0.1,<0.2'")
    if not any(bound in own[0] for bound in ("<", "==", "~=")):
        raise CheckError(
            f"{own[0]!r} has no upper bound; the contract may change with the next minor version: "
            "write, for example, 'bnncore>=0.1,<0.2'"
        )
    if not metadata["Requires-Python"]:
        raise CheckError("Requires-Python is missing; add requires-python = '>=3.10'")
    return seen(f"{own[0]}, Python {metadata['Requires-Python']}")


def check_description(subject: Subject) -> Finding:
    """Check that people can see what it is and what they may do with it."""
    metadata = subject.metadata
    missing = [key for key in ("Summary",) if not metadata[key]]
    if not (metadata["License"] or metadata["License-Expression"]):
        missing.append("License")
    if missing:
        raise CheckError(f"metadata lack {' and '.join(missing)}; add them to pyproject.toml")
    readme = metadata.get_payload() or metadata["Description"]
    if not readme:
        return seen("no README in the metadata; its page on the package index will be empty", "note")
    return seen(f"{metadata['Summary']} ({metadata['License-Expression'] or metadata['License']})")


def check_contents(subject: Subject) -> Finding:
    """Check that it installs its own packages and nothing beside them."""
    if subject.editable:
        return seen(
            "installed as a link to its sources; bnncore check --wheel looks at what people get", "note"
        )
    files = subject.files
    allowed = {*subject.packages, *(f"{name}.py" for name in subject.packages)}
    tops = {file.parts[0] for file in files}
    strange = sorted(
        top
        for top in tops - allowed
        if not top.endswith((".dist-info", ".egg-info")) and top not in ("..", "__pycache__")
    )
    if strange:
        raise CheckError(
            f"it installs {', '.join(strange)} beside {', '.join(subject.packages)}, where any other "
            "distribution may put the same; keep tests and documents out of the wheel"
        )
    return seen(f"{len(files)} files, all in {', '.join(subject.packages)}")


def check_conflicts(subject: Subject) -> Finding:
    """Check that nobody else who is installed offers the same names."""
    rivals = []
    for claim in subject.claims:
        if claim.blocked:
            raise CheckError(f"{claim.declared!r} is blocked: {claim.blocked}")
        for other in subject.registry.index.of(claim.kind, claim.name):
            if not claim.kind.shared and not same_distribution(other.distribution, subject.name):
                rivals.append(f"{claim.declared!r} by {other.owner}")
    if rivals:
        raise CheckError(f"also offered: {', '.join(rivals)}; choose another name or uninstall the other one")
    return seen("no other installed distribution offers these names")
