"""New plugin projects, complete and passing their own checks, from the texts in ``bnncore.publishing.templates``."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from attrs import field, frozen
from bnnhw.topology import Folding, Topology, matrix_stages

from bnncore.discovery.blocklist import same_distribution
from bnncore.discovery.index import Claim
from bnncore.discovery.kinds import DATASET, TOPOLOGY, offered_kinds
from bnncore.discovery.names import canonical
from bnncore.discovery.registry import Registry
from bnncore.errors import InputError, UnknownNameError
from bnncore.hookspecs import API_LEVEL
from bnncore.places import check_folder
from bnncore.publishing import templates
from bnncore.records import Preprocessing
from bnncore.spelling import argument
from bnncore.unfinished import is_unfinished
from bnncore.writing import new_folder, write_atomically

__all__ = ["NewProject", "classes_of", "write_project"]

_PLACEHOLDER = b"A placeholder: put the design in with bnncore pack . --bit FILE --hwh FILE\n"


def _plain(instance: object, attribute: Any, value: str) -> None:
    """Allow what can stand between quotes in TOML and Python."""
    if not value.isprintable() or not value.strip() or any(sign in value for sign in '"\\'):
        raise InputError(f"{attribute.name} {value!r} must be one line of text without quotes and backslashes")


def _offered(instance: object, attribute: Any, value: str) -> None:
    words = [kind.word for kind in offered_kinds()]
    if value not in words:
        raise InputError(f"{attribute.name} {value!r} must be one of {', '.join(words)}")


@frozen(kw_only=True)
class NewProject:
    """What a new project shall be.

    Attributes:
        name: of the dataset, topology or backend; for parameters and bitstreams, of the distribution.
        kind: what it offers, one of the words of ``bnncore.discovery.kinds``.
        title: one line for people.
        author: for licence and metadata.
        topology: that a dataset's parameters, or a bitstream, are for.
        dataset: that parameters are for.
        classes: of a dataset, in the order of the network's outputs.
        source: where a dataset's pictures are from.
        board, part, clock_mhz: of a bitstream.
        bit, hwh: files of a bitstream, or None for placeholders.
    """

    name: str
    kind: str = field(default="dataset", validator=_offered)
    title: str = field(validator=_plain)
    author: str = field(validator=_plain)
    topology: str = "cnvW1A1"
    dataset: str = ""
    classes: tuple[str, ...] = ()
    source: str = "not stated"
    board: str = "my-board"
    part: str = "xc7z020clg400"
    clock_mhz: float = 100.0
    bit: Path | None = None
    hwh: Path | None = None

    @property
    def distribution(self) -> str:
        """Name of the distribution, for example ``bnn-pets``."""
        return f"bnn-{canonical(self.name).replace('_', '-')}"

    @property
    def package(self) -> str:
        """Import name of the package, for example ``bnn_pets``."""
        return f"bnn_{canonical(self.name)}"


def classes_of(images: Path) -> dict[str, int]:
    """Return the classes of pictures as ``bnncore train`` takes them, sorted, each with its pictures' count.

    They lie in one folder a class, or are listed in a table. Where they are split, the classes are those of all splits.

    Raises:
        DatasetError: if there is none.
    """
    from bnncore.datasets.picture_folders import PictureFolders
    from bnncore.datasets.reading import open_collection

    counts: dict[str, int] = {}
    survey = open_collection(images).survey if images.is_file() else PictureFolders(images).survey
    for found in survey.counts.values():
        for name, pictures in found.items():
            counts[name] = counts.get(name, 0) + pictures
    return dict(sorted(counts.items()))


def write_project(folder: Path, project: NewProject, registry: Registry) -> Path:
    """Write a project; its parameters are random until ``bnncore pack`` puts trained ones in.

    Args:
        folder: to make; it must not exist yet, or be empty.
        project: what it shall be.
        registry: where topologies and datasets are looked up.

    Returns:
        The folder of its package.

    Raises:
        InputError: if the folder is taken or cannot be written, or the description is impossible; no half of a project
            is ever left.
        UnknownNameError: if the name is none, or names something that is not installed.
    """
    if "." in canonical(project.name):
        raise UnknownNameError(f"{project.name!r}: use letters, digits, '-' and '_'")
    if folder.exists() and (
        not folder.is_dir() or any(not is_unfinished(each.name) for each in folder.iterdir())
    ):
        place = argument("folder", option="out")
        raise InputError(f"{folder}: is there already; choose another place with {place}, or remove it")
    check_folder(folder.parent, InputError)
    values = _values(project, registry)
    root = Path(templates.__file__).parent
    with new_folder(folder) as begun:
        for kind in ("common", project.kind):
            for path in sorted((root / kind).rglob("*.template")):
                target = begun / _target(path.relative_to(root / kind), project.package)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(Template(path.read_text("utf-8")).substitute(values).encode())
        _write_data(begun / project.package, project, registry)
    return folder / project.package


def _target(path: Path, package: str) -> Path:
    parts = [package if part == "package" else part for part in path.parts]
    parts = [f".{part[4:]}" if part.startswith("dot-") else part for part in parts]
    return Path(*parts).with_suffix("")


def _values(project: NewProject, registry: Registry) -> dict[str, Any]:
    """Return what the templates' placeholders stand for."""
    (kind,) = (each for each in offered_kinds() if each.word == project.kind)
    values: dict[str, Any] = {
        "api_level": API_LEVEL,
        "author": project.author,
        "distribution": project.distribution,
        "group": kind.group,
        "hook": kind.hook,
        "name": project.name,
        "package": project.package,
        "title": project.title.rstrip("."),
        "year": datetime.date.today().year,
    }
    needed = [registry.owner(TOPOLOGY, "cnvW1A1")]
    if "topology" in kind.parts or kind == DATASET:
        topology = registry.topology(project.topology)
        operation = Preprocessing.default(topology.input).steps[0].operation
        needed.append(registry.owner(TOPOLOGY, topology.name))
        values |= {"topology": topology.name, "digest": topology.digest, "operation": operation}
    if "name" in kind.parts and "name" not in kind.spelt:
        values["name"] = canonical(project.name)
    if "dataset" in kind.parts:
        dataset = registry.dataset(project.dataset)
        needed.append(registry.owner(DATASET, dataset.name))
        values["dataset"] = dataset.name
    if "board" in kind.parts:
        folding = _folding(registry, topology)
        # As the entry point and the hook spell it; people may use any case, ``-`` or ``_``.
        board = canonical(project.board).replace("_", "-")
        values |= {
            "board": board,
            "clock": project.clock_mhz,
            "digest": folding.digest(topology),
            "folding": ", ".join(f"({layer.pe}, {layer.simd})" for layer in folding.layers),
            "part": project.part,
        }
    entry = ".".join(values[part] for part in kind.parts)
    # TOML takes a name without a dot as it is.
    values["entry"] = f'"{entry}"' if "." in entry else entry
    values["dependencies"] = ", ".join(f'"{bounds}"' for bounds in _bounds(needed))
    return values


def _folding(registry: Registry, topology: Topology) -> Folding:
    """Return the folding that an installed bitstream gives a topology, else one word at a time."""
    return registry.folding(topology.name) or Folding.of(*((1, 1) for _ in matrix_stages(topology)))


def _bounds(claims: Sequence[Claim]) -> list[str]:
    """Return a requirement with both bounds for each distribution that is built upon."""
    found: dict[str, str] = {}
    for claim in claims:
        if any(same_distribution(claim.distribution, name) for name in found):
            continue
        major, minor = (int(part) for part in claim.version.split(".")[:2])
        # Below 1.0 a minor version may change anything.
        upper = f"{major + 1}" if major else f"0.{minor + 1}"
        found[claim.distribution] = f"{claim.distribution}>={major}.{minor},<{upper}"
    return list(found.values())


def _write_data(package: Path, project: NewProject, registry: Registry) -> None:
    from bnncore.formats.card import CARD, card_bytes
    from bnncore.formats.classes import CLASSES, classes_bytes
    from bnncore.formats.manifest import write_manifest
    from bnncore.publishing.pack import pack_network
    from bnncore.publishing.random_network import random_network
    from bnncore.resources import read_resource

    if project.kind == "bitstream":
        for name, given in (("design.bit", project.bit), ("design.hwh", project.hwh)):
            if given is None:
                write_atomically(package / name, _PLACEHOLDER)
            else:
                shutil.copyfile(given, package / name)
        write_manifest(package)
    if project.kind in ("dataset", "parameters"):
        if project.kind == "parameters":
            classes = read_resource(registry.dataset(project.dataset).classes)
        else:
            classes = classes_bytes(project.classes)
        write_atomically(package / CLASSES, classes)
        write_atomically(package / CARD, card_bytes(_card(project)))
        pack_network(package, random_network(registry.topology(project.topology)))


def _card(project: NewProject) -> Any:
    from bnncore.formats.card import Card

    recipe: Mapping[str, Any] = {"made": "at random by bnncore new, not trained"}
    return Card(
        title=project.title,
        description=project.title,
        source=project.source,
        licenses={"weights": "BSD-3-Clause", "data": "not stated"},
        metrics=(),
        recipe=recipe,
    )
