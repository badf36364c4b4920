"""What ``params`` meant: a folder by absolute path, one in the parameter folder, or a data set's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Union

import numpy as np

import bnncore
from bnncore.backends import choose
from bnncore.classifier import Classifier
from bnncore.discovery.names import canonical, is_name
from bnncore.errors import BackendError, ParameterError, PluginError, UnknownNameError
from bnncore.formats.classes import CLASSES, read_classes_bytes

__all__ = ["Found", "available", "find", "open_found", "read_old_classes"]

Found = Union[Path, str]
"""A folder of BNN-PYNQ's parameters, or the name of an installed dataset."""

# What may run for each runtime, best first.
_BACKENDS = {"python_hw": ("fpga",), "python_sw": ("cpu", "numpy")}

# A file that only one of the first version's two networks has, by which it told them apart.
_FIRST_VERSION = {"cnvW1A1": "8-3-weights.bin", "lfcW1A1": "1-63-weights.bin"}


def available(network: str, folder: Path) -> list[str]:
    """Return what ``params`` can be for a network: the parameter folder's sets, then installed datasets.

    A dataset that is named after its kind of network too goes by its old name: ``mnist`` for ``mnist_lfc``.
    """
    sets = sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []
    names = [place.name for place in sets if (place / network).is_dir() or _is_first_version(place, network)]
    for name in _installed(network):
        old = name.removesuffix(f"_{network[:3]}")
        if old not in names:
            names.append(old)
    return names


def find(params: str, network: str, folder: Path) -> Found:
    """Return what ``params`` means for a network.

    Args:
        params: an absolute path, or a name, in the parameter folder or of an installed dataset. Either
            may end in the network's name.
        network: name of the topology.
        folder: the parameter folder, whose sets go before installed datasets.

    Raises:
        ParameterError: if there is no such folder, or it has no set for the network.
        UnknownNameError: if nothing has that name.
    """
    place = Path(params)
    if place.is_absolute() or (folder / place).is_dir():
        found = _set_in(folder / place, network)
        if found is None:
            raise ParameterError(
                f"{folder / place}: expected a parameter folder of {network}, or one with a folder "
                f"{network} in it; found neither"
            )
        return found
    name = place.parts[0] if place.name == network and len(place.parts) == 2 else params
    if is_name(name):
        known = bnncore.names()
        for candidate in (canonical(name), f"{canonical(name)}_{network[:3]}"):
            if candidate in known:
                return candidate
    raise UnknownNameError(
        f"no parameters {params!r} for {network}: there are {', '.join(available(network, folder)) or 'none'}. "
        f"Install a dataset (pip install bnn-…), give an absolute path, or put the folder into {folder}"
    )


def open_found(found: Found, network: str, runtime: str) -> Classifier:
    """Return a classifier on the first backend of a runtime that can run, ready: a device is programmed.

    Raises:
        BackendError: if none can, with the reasons.
    """
    if runtime not in _BACKENDS:
        raise BackendError(f"expected RUNTIME_HW or RUNTIME_SW as the runtime, found {runtime!r}")
    opener = _opener(found, network)
    reasons = []
    for backend in _BACKENDS[runtime]:
        try:
            classifier = opener(backend)
        except UnknownNameError as error:
            reasons.append(str(error))
            continue
        considered = choose(bnncore.registry, classifier.job, backend)
        obstacle = next((each.obstacle for each in considered if each.backend.name == backend), None)
        if obstacle is None:
            # Libraries and the device were made ready here, so that no later call's time has that in it.
            classifier.scores(np.zeros((1, *classifier.topology.input.shape), np.uint8))
            return classifier
        reasons.append(f"{backend}: {obstacle}")
    hint = "; without a board use RUNTIME_SW" if runtime == "python_hw" else ""
    raise BackendError(f"runtime {runtime!r} cannot run here: {'; '.join(reasons)}{hint}")


def read_old_classes(folder: Path) -> list[str]:
    """Return the lines of ``classes.txt``, stripped; blank ones are classes without a name, as they were.

    Raises:
        ParameterError: if it cannot be read.
    """
    data = read_classes_bytes(folder / CLASSES)
    return [line.strip() for line in data.decode("utf-8-sig", "replace").splitlines()]


def _opener(found: Found, network: str) -> Callable[[str], Classifier]:
    """Return a function that opens the parameters on a named backend."""
    if isinstance(found, str):
        return lambda backend: bnncore.get(found, backend, topology=network)
    # Names that today's reader refuses (none, or twice the same) only matter to ``class_name``.
    numbers = [str(index) for index in range(len(read_old_classes(found)))]
    return lambda backend: bnncore.load(found, topology=network, classes=numbers, backend=backend)


def _set_in(place: Path, network: str) -> Path | None:
    """Return the set for a network in a folder: ``<place>/<network>``, or the place itself."""
    if (place / network).is_dir():
        return place / network
    return place if place.name == network or (place / "0-0-weights.bin").is_file() else None


def _is_first_version(place: Path, network: str) -> bool:
    """Say whether a folder is a set as the first version had them, without a folder a network."""
    return network in _FIRST_VERSION and (place / _FIRST_VERSION[network]).is_file()


def _installed(network: str) -> Iterator[str]:
    for name in bnncore.names():
        try:
            topologies = bnncore.registry.offers(bnncore.registry.dataset(name)).claims
        except PluginError as error:
            bnncore.registry.warn(error)
            continue
        if canonical(network) in map(canonical, topologies):
            yield name
