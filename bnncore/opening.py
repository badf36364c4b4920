"""``get`` and ``load``: from a name or a path to a classifier."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bnnhw.topology import Topology, first_difference

from bnncore import environment
from bnncore.classifier import Classifier, Contents
from bnncore.discovery.names import is_name
from bnncore.discovery.registry import Registry
from bnncore.discovery.resolve import Resolution, resolve
from bnncore.errors import AmbiguousError, ParameterError, PluginError, ResourceError, UnknownNameError
from bnncore.options import Options
from bnncore.records import Preprocessing
from bnncore.resources import read_resource, resource_path
from bnncore.spelling import argument, wrong_type

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from bnnhw.network import Network

    from bnncore.formats.card import Card
    from bnncore.formats.npz import NpzFile
    from bnncore.formats.provenance import Provenance

__all__ = ["load_classifier", "open_classifier", "open_resolved"]

Value = TypeVar("Value")


def open_classifier(
    registry: Registry,
    name: str,
    options: Options = Options(),  # noqa: B008  # frozen
    *,
    topology: str | None = None,
    distribution: str | None = None,
) -> Classifier:
    """Return a classifier for an installed dataset; see ``bnncore.get``."""
    found = resolve(registry, name, topology=topology, distribution=distribution)
    return open_resolved(registry, found, options)


def open_resolved(
    registry: Registry,
    found: Resolution,
    options: Options = Options(),  # noqa: B008  # frozen
) -> Classifier:
    """Return a classifier for what a name was resolved to.

    Raises:
        ParameterError: if the parameters are for another topology.
        PluginError: if the named backend has no usable owner.
    """
    topology, parameters = found.topology, found.parameters
    if parameters.topology_digest != topology.digest:
        raise _mismatch(found)
    _check_options(registry, options)
    classes = _once(partial(_classes, found))
    file = _once(partial(_file, registry, found, classes))
    contents = Contents(
        name=found.dataset.name,
        topology=topology,
        preprocessing=partial(_preprocessing, found, file),
        classes=classes,
        network=lambda: file().network,
        provenance=lambda: file().provenance,
        card=_once(partial(_card, found)),
        golden=partial(_golden, found),
        parameters_id=parameters.resource.sha256,
        resolution=found,
    )
    return Classifier(contents, registry, options)


def load_classifier(
    registry: Registry,
    path: str | os.PathLike[str],
    options: Options = Options(),  # noqa: B008  # frozen
    *,
    topology: str | Topology | None = None,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Classifier:
    """Return a classifier for parameters in a file or folder; see ``bnncore.load``."""
    from bnncore.formats.npz import WEIGHTS
    from bnncore.formats.provenance import Provenance

    try:
        place = Path(path)
    except TypeError:
        raise ParameterError(wrong_type("path", "that of a file or folder", path)) from None
    if topology is not None and not isinstance(topology, (str, Topology)):
        raise UnknownNameError(wrong_type("topology", "a name or a Topology", topology))
    if classes is not None and (isinstance(classes, (str, bytes)) or not isinstance(classes, Iterable)):
        raise ParameterError(wrong_type("classes", "a sequence of names", classes))
    _check_options(registry, options)
    wanted = registry.topology(topology) if isinstance(topology, str) else topology
    if (place / WEIGHTS).is_file():
        # What training leaves.
        place /= WEIGHTS
    if place.is_dir():
        network, names = _load_directory(registry, place, wanted, classes)
        provenance = Provenance()
    elif place.exists():
        network, names, provenance = _load_file(place, wanted, classes)
    else:
        raise ParameterError(f"{place}: expected an .npz file or a binparam directory, found nothing there")
    prepared = preprocessing or _recorded(registry, place, provenance, network.topology)
    contents = Contents(
        name=place.stem if place.is_file() else "/".join(_absolute(place).parts[-2:]),
        topology=network.topology,
        preprocessing=lambda: prepared,
        classes=lambda: names,
        network=lambda: network,
        card=lambda: None,
        golden=lambda: None,
        parameters_id=_content_id(network),
        provenance=lambda: provenance,
    )
    return Classifier(contents, registry, options)


def _once(function: Callable[[], Value]) -> Callable[[], Value]:
    """Return a function that calls another once and remembers the result."""
    return lru_cache(maxsize=1)(function)


def _check_options(registry: Registry, options: Options) -> None:
    """Let a misspelt backend, board, or number of threads, fail before the first picture does."""
    if options.backend != "auto":
        registry.backend(options.backend)
    if options.board is not None:
        # Otherwise the CPU would do the work, many times slower, for a slip of the pen.
        from bnncore.boards.matching import check_board

        check_board(registry, options.board)
    if options.threads is None and environment.THREADS.value:
        # As with a board.
        from bnnhw.cpu.threads import thread_count

        thread_count()


def _classes(found: Resolution) -> tuple[str, ...]:
    from bnncore.formats.classes import parse_classes

    resource = found.dataset.classes
    return parse_classes(read_resource(resource), str(resource_path(resource)), found.topology.outputs)


def _card(found: Resolution) -> Card | None:
    """Return the card of who supplies the parameters, or None if there is none: another's figures are not theirs."""
    from bnncore.formats.card import parse_card

    try:
        resource = found.card
    except ResourceError:
        return None
    return parse_card(read_resource(resource), str(resource_path(resource)))


def _preprocessing(found: Resolution, file: Callable[[], NpzFile]) -> Preprocessing:
    """Return what a plugin declares; only where none does, the file is opened for it."""
    return found.preprocessing if found.declared else found.trained_with(file().provenance.preprocessing)


def _recorded(registry: Registry, path: Path, provenance: Provenance, topology: Topology) -> Preprocessing:
    """Return what a file records, else that of weights that record nothing.

    A file may come from anywhere, and names a function: it is taken from the package of an installed plugin alone.
    """
    recorded = provenance.preprocessing
    if recorded is None:
        return Preprocessing.unrecorded(topology.input)
    if recorded.function is not None:
        package = recorded.function.partition(":")[0].partition(".")[0]
        values = [claim.value for claim in registry.index.claims if not claim.blocked]
        plugins = {value.partition(":")[0].partition(".")[0].strip() for value in values}
        if package not in plugins:
            raise ParameterError(
                f"{path}: its pictures are prepared by {recorded.function}, and no installed plugin has the package "
                f"{package!r}; install the distribution that the weights come from, or give another "
                f"{argument('preprocessing')}"
            )
    return recorded


def _file(registry: Registry, found: Resolution, classes: Callable[[], tuple[str, ...]]) -> NpzFile:
    """Open the parameters; those of another distribution may know other classes."""
    file = _npz(found, found.topology)
    if file.classes is not None and file.classes != classes():
        raise ParameterError(
            f"{resource_path(found.parameters.resource)}: trained for the classes {', '.join(file.classes)}, but "
            f"dataset {found.dataset.name!r} has {', '.join(classes())}, in this order"
        )
    fault = found.contradiction(file.provenance.preprocessing)
    if fault is not None:
        registry.warn(PluginError(fault))
    return file


def _npz(found: Resolution, topology: Topology | None) -> NpzFile:
    from bnncore.formats.npz import parse_npz

    resource = found.parameters.resource
    return parse_npz(read_resource(resource), str(resource_path(resource)), topology)


def _golden(found: Resolution) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]] | None:
    resource = found.parameters.golden
    if resource is None:
        return None
    from bnncore.formats.golden import parse_golden

    return parse_golden(read_resource(resource), str(resource_path(resource)), found.topology)


def _mismatch(found: Resolution) -> ParameterError:
    made_for = _npz(found, None).network.topology
    difference = first_difference(found.topology, made_for) or (
        "the file itself fits, but its record declares another digest"
    )
    return ParameterError(
        f"parameters of {found.dataset.name!r} ({found.parameters_owner.owner}) do not fit topology "
        f"{found.topology.name!r} ({found.topology_owner.owner}): {difference}. Update one of the two distributions"
    )


def _load_file(
    path: Path, topology: Topology | None, classes: Sequence[str] | None
) -> tuple[Network, tuple[str, ...], Provenance]:
    from bnncore.formats.classes import check_classes
    from bnncore.formats.npz import read_npz

    try:
        file = read_npz(path, topology)
    except ParameterError:
        _refuse_others(path)
        raise
    outputs = file.network.topology.outputs
    names = file.classes if classes is None else classes
    if names is None:
        names = tuple(str(index) for index in range(outputs))
    return file.network, check_classes(names, "classes", outputs), file.provenance


def _load_directory(
    registry: Registry, directory: Path, topology: Topology | None, classes: Sequence[str] | None
) -> tuple[Network, tuple[str, ...]]:
    from bnncore.formats.binparam import read_binparam

    if topology is None:
        topology = _topology_of(registry, directory)
    folding = registry.folding(topology.name)
    if folding is None:
        raise ParameterError(
            f"a binparam directory of topology {topology.name!r} needs a folding, and no installed bitstream "
            "gives one; use an .npz file"
        )
    return read_binparam(directory, topology, folding, classes)


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
    _refuse_others(directory)
    raise AmbiguousError(
        f"{directory}: a binparam directory does not say its topology, and {name!r} is none; "
        f"choose one with {argument('topology')}, from {known}"
    )


def _refuse_others(path: Path) -> None:
    """Say what a file or folder is that holds a network, but none that can be loaded, and the way from it.

    Raises:
        ParameterError: if it is of such a kind.
    """
    from bnncore.importing.recognition import recognise

    kind = recognise(path)
    if kind is not None and not kind.ours:
        raise ParameterError(
            f"{path}: expected parameters of bnncore (.npz) or a binparam directory, found {kind.name}; "
            f"{kind.way.format(path=path)}"
        )


def _content_id(network: Network) -> str:
    import hashlib

    digest = hashlib.sha256(network.topology.digest.encode())
    for layer in network.layers:
        # Contiguous, as networks keep them: hashed where they lie.
        digest.update(layer.weights.reshape(-1).data)
        digest.update(layer.thresholds.reshape(-1).data)
    return digest.hexdigest()
