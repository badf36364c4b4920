"""``get`` and ``load``: from a name or a path to a classifier."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bnnhw.topology import Folding, Topology, first_difference

from bnncore.builtin.topologies import FOLDINGS
from bnncore.classifier import Classifier, Sources
from bnncore.discovery.index import BITSTREAMS, TOPOLOGIES
from bnncore.discovery.names import canonical, is_name
from bnncore.discovery.registry import Registry
from bnncore.errors import AmbiguousError, ParameterError, UnknownNameError
from bnncore.formats.card import Card, parse_card
from bnncore.records import Dataset, Parameters
from bnncore.resources import read_resource, resource_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from bnnhw.network import Network

    from bnncore.formats.npz import NpzFile

__all__ = ["load_classifier", "open_classifier"]

Value = TypeVar("Value")


def open_classifier(
    registry: Registry,
    name: str,
    *,
    backend: str = "auto",
    topology: str | None = None,
    board: str | None = None,
    threads: int | None = None,
    bitstreams: str | os.PathLike[str] | None = None,
    source: str | None = None,
) -> Classifier:
    """Return a classifier for an installed dataset; see ``bnncore.get``."""
    dataset = registry.dataset(name)
    chosen = registry.topology(registry.choose_topology(dataset, topology, source))
    parameters = registry.parameters(dataset, chosen.name, source)
    if parameters.topology_digest != chosen.digest:
        owner = registry.offers(dataset).choose_owner(chosen.name, source).owner
        raise _mismatch(registry, dataset, chosen, parameters, owner)
    classes = _once(partial(_classes, dataset, chosen))
    _check_backend(registry, backend)
    sources = Sources(
        name=dataset.name,
        topology=chosen,
        preprocessing=registry.preprocessing(dataset, chosen.name, source),
        classes=classes,
        network=_once(partial(_network, parameters, chosen, classes)),
        card=_once(partial(_card, dataset)),
        golden=partial(_golden, parameters, chosen),
        parameters_id=parameters.resource.sha256,
    )
    folder = None if bitstreams is None else Path(bitstreams)
    return Classifier(sources, registry, backend=backend, board=board, threads=threads, bitstreams=folder)


def load_classifier(
    registry: Registry,
    path: str | os.PathLike[str],
    *,
    topology: str | Topology | None = None,
    classes: Sequence[str] | None = None,
    backend: str = "auto",
    board: str | None = None,
    threads: int | None = None,
    bitstreams: str | os.PathLike[str] | None = None,
) -> Classifier:
    """Return a classifier for parameters in a file or folder; see ``bnncore.load``."""
    place = Path(path)
    _check_backend(registry, backend)
    wanted = registry.topology(topology) if isinstance(topology, str) else topology
    if place.is_dir():
        network, names = _load_directory(registry, place, wanted, classes)
    elif place.exists():
        network, names = _load_file(place, wanted, classes)
    else:
        raise ParameterError(f"{place}: expected an .npz file or a binparam directory, found nothing there")
    sources = Sources(
        name=place.stem if place.is_file() else "/".join(_absolute(place).parts[-2:]),
        topology=network.topology,
        preprocessing=None,
        classes=lambda: names,
        network=lambda: network,
        card=lambda: None,
        golden=lambda: None,
        parameters_id=_content_id(network),
    )
    folder = None if bitstreams is None else Path(bitstreams)
    return Classifier(sources, registry, backend=backend, board=board, threads=threads, bitstreams=folder)


def _once(function: Callable[[], Value]) -> Callable[[], Value]:
    """Return a function that calls another once and remembers the result."""
    return lru_cache(maxsize=1)(function)


def _check_backend(registry: Registry, backend: str) -> None:
    """Let a misspelt backend fail before the first picture does."""
    if backend != "auto":
        registry.backend(backend)


def _classes(dataset: Dataset, topology: Topology) -> tuple[str, ...]:
    from bnncore.formats.classes import parse_classes

    where = str(resource_path(dataset.classes))
    return parse_classes(read_resource(dataset.classes), where, topology.outputs)


def _card(dataset: Dataset) -> Card:
    return parse_card(read_resource(dataset.card), str(resource_path(dataset.card)))


def _network(parameters: Parameters, topology: Topology, classes: Callable[[], tuple[str, ...]]) -> Network:
    """Open the parameters; those of another distribution may know other classes."""
    file = _npz(parameters, topology)
    if file.classes is not None and file.classes != classes():
        raise ParameterError(
            f"{resource_path(parameters.resource)}: trained for the classes {', '.join(file.classes)}, but "
            f"dataset {parameters.dataset!r} has {', '.join(classes())}, in this order"
        )
    return file.network


def _npz(parameters: Parameters, topology: Topology | None) -> NpzFile:
    from bnncore.formats.npz import parse_npz

    where = str(resource_path(parameters.resource))
    return parse_npz(read_resource(parameters.resource), where, topology)


def _golden(
    parameters: Parameters, topology: Topology
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]] | None:
    if parameters.golden is None:
        return None
    from bnncore.formats.golden import parse_golden

    where = str(resource_path(parameters.golden))
    return parse_golden(read_resource(parameters.golden), where, topology)


def _mismatch(
    registry: Registry, dataset: Dataset, topology: Topology, parameters: Parameters, owner: str
) -> ParameterError:
    made_for = _npz(parameters, None).network.topology
    difference = first_difference(topology, made_for) or (
        "the file itself fits, but its record declares another digest"
    )
    theirs = registry.owner(TOPOLOGIES, topology.name).owner
    return ParameterError(
        f"parameters of {dataset.name!r} ({owner}) do not fit topology {topology.name!r} ({theirs}): "
        f"{difference}. Update one of the two distributions"
    )


def _load_file(
    path: Path, topology: Topology | None, classes: Sequence[str] | None
) -> tuple[Network, tuple[str, ...]]:
    from bnncore.formats.classes import check_classes
    from bnncore.formats.npz import read_npz

    file = read_npz(path, topology)
    outputs = file.network.topology.outputs
    names = file.classes if classes is None else classes
    if names is None:
        names = tuple(str(index) for index in range(outputs))
    return file.network, check_classes(names, "classes", outputs)


def _load_directory(
    registry: Registry, directory: Path, topology: Topology | None, classes: Sequence[str] | None
) -> tuple[Network, tuple[str, ...]]:
    from bnncore.formats.binparam import read_binparam

    if topology is None:
        topology = _topology_of(registry, directory)
    return read_binparam(directory, topology, _folding(registry, topology), classes)


def _absolute(path: Path) -> Path:
    """Return the path with its last parts named, and links as the caller names them."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links


def _topology_of(registry: Registry, directory: Path) -> Topology:
    """A binparam directory is named after its topology; its files do not say."""
    name = _absolute(directory).name
    known = ", ".join(registry.topology_names())
    try:
        if is_name(name):
            return registry.topology(name)
    except UnknownNameError:
        pass
    raise AmbiguousError(
        f"{directory}: a binparam directory does not say its topology, and {name!r} is none; "
        f"choose one with topology=, from {known}"
    )


def _folding(registry: Registry, topology: Topology) -> Folding:
    for name, folding in FOLDINGS.items():
        if canonical(name) == canonical(topology.name):
            return folding
    prefix = f"{canonical(topology.name)}."
    for claim in registry.index.of(BITSTREAMS):
        if claim.name.startswith(prefix) and not claim.blocked:
            bitstream = registry.bitstream(topology.name, claim.name[len(prefix) :])
            if bitstream is not None:
                return bitstream.folding
    raise ParameterError(
        f"a binparam directory of topology {topology.name!r} needs a folding, and no installed bitstream "
        "gives one; use an .npz file"
    )


def _content_id(network: Network) -> str:
    import hashlib

    digest = hashlib.sha256(network.topology.digest.encode())
    for layer in network.layers:
        digest.update(layer.weights.tobytes())
        digest.update(layer.thresholds.tobytes())
    return digest.hexdigest()
