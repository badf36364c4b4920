"""Putting trained parameters into a plugin's package: weights, golden vectors, card figures, manifest.

Everything that ``packaged`` and the checks rely on is written here and nowhere else. Needs numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
from bnnhw.network import Network
from bnnhw.reference import scores
from bnnhw.topology import Input, Topology

from bnncore.errors import ParameterError, ResourceError
from bnncore.formats.card import CARD, Card, Metric, card_bytes, read_card
from bnncore.formats.classes import CLASSES, read_classes
from bnncore.formats.golden import GOLDEN, golden_bytes
from bnncore.formats.manifest import write_manifest
from bnncore.formats.npz import WEIGHTS, npz_bytes, read_npz
from bnncore.formats.provenance import Provenance
from bnncore.formats.recipe import RECIPE, read_entries, recipe_bytes
from bnncore.spelling import argument

__all__ = [
    "find_package",
    "golden_inputs",
    "network_figures",
    "pack",
    "pack_network",
    "pack_recipe",
]


def find_package(project: Path) -> Path:
    """Return the folder of a project's package.

    Args:
        project: the folder with ``pyproject.toml``, or the package itself.

    Raises:
        ResourceError: if it holds no package or several.
    """
    if (project / "__init__.py").is_file():
        return project
    found = [
        path.parent
        for place in (project, project / "src")
        for path in sorted(place.glob("*/__init__.py"))
        if path.parent.name not in ("tests", "docs")
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ResourceError(f"{project}: expected one package (a folder with __init__.py), found {names}")
    return found[0]


def pack(
    package: Path,
    *,
    network: Network | None = None,
    into: str = "",
    metrics: Iterable[Metric] | None = None,
    provenance: Provenance = Provenance(),  # noqa: B008  # frozen
    recipe: Path | None = None,
    files: Mapping[str, bytes] | None = None,
) -> dict[str, dict[str, int | str]]:
    """Put trained parameters and other files into a package, with everything that follows from them: all or nothing.

    Args:
        package: folder with ``classes.txt`` and ``card.json``.
        network: see ``pack_network``, as for the next three.
        into: folder inside the package for the network's files.
        metrics: measured figures.
        provenance: what the weights record of their training.
        recipe: see ``pack_recipe``.
        files: other files by their names in the package.

    Returns:
        What ``manifest.json`` lists then.

    Raises:
        BnnError: as ``pack_network`` and ``pack_recipe``.
        OSError: if something cannot be written; the package is as it was.
    """
    changed = {package / name: data for name, data in (files or {}).items()}
    if network is None and recipe is None:
        return write_manifest(package, changed)
    card = read_card(package / CARD)
    if network is not None:
        more, card = _network_files(package, network, into, metrics, provenance, card)
        changed.update(more)
    if recipe is not None:
        merged = _merged_recipes(package, recipe)
        changed[package / RECIPE] = recipe_bytes(merged)
        card = attrs.evolve(card, recipe=merged)
    changed[package / CARD] = card_bytes(card)
    return write_manifest(package, changed)


def pack_network(
    package: Path,
    network: Network,
    *,
    into: str = "",
    metrics: Iterable[Metric] | None = None,
    provenance: Provenance = Provenance(),  # noqa: B008  # frozen
) -> None:
    """Write weights and golden vectors, and bring card and manifest up to date.

    Args:
        package: folder with ``classes.txt`` and ``card.json``.
        network: trained, or not.
        into: folder inside the package for the two files, with ``/``; a dataset's second network goes
            into one named after its topology. Empty for the package itself.
        metrics: measured figures that replace those of the same topology in the card; None keeps them,
            unless the weights changed: then the old figures are dropped, since they are of other weights.
        provenance: what the weights record of their training.

    Raises:
        ParameterError: if the classes do not fit the network, or the place holds weights for another topology.
        ResourceError: if ``card.json`` is missing or is no card.
    """
    pack(package, network=network, into=into, metrics=metrics, provenance=provenance)


def pack_recipe(package: Path, recipe: Path) -> None:
    """Put the recipe of a training run into a package and its card, beside those of other topologies.

    Args:
        package: folder with ``card.json``.
        recipe: ``recipe.json`` of a run: ``{"<topology>": {"seed": …, "recipe": {…}}}``.

    Raises:
        ResourceError: if a file cannot be read or is none.
    """
    pack(package, recipe=recipe)


def network_figures(topology: Topology, file_bytes: int) -> dict[str, int]:
    """Return the figures of a card that anybody can recompute.

    Returns:
        ``parameters`` (weights), ``operations`` (multiply-accumulates an image) and ``file_bytes``.
    """
    return {"parameters": topology.weights, "operations": topology.operations, "file_bytes": file_bytes}


def golden_inputs(given: Input, count: int = 16, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return synthetic pictures: plain, slopes, a checkerboard, then noise of several grains.

    They are made, not taken: golden vectors are published, and a publisher's pictures may not be.

    Args:
        given: the network's input.
        count: how many, at least 1.
        seed: of the noise.

    Returns:
        uint8 [count, *input shape].
    """
    rng = np.random.default_rng(seed)
    height, width, channels = given.height, given.width, given.channels
    rows = np.linspace(0, 255, height).astype(np.uint8)[:, None, None]
    columns = np.linspace(255, 0, width).astype(np.uint8)[None, :, None]
    blank = np.zeros((height, width, channels), np.uint8)
    board = (np.indices((height, width)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None]
    pictures = [blank, blank + 128, blank + 255, blank + rows, blank + columns, blank + board]
    while len(pictures) < count:
        # Coarse noise has the edges and areas of photographs, fine noise reaches every weight.
        grain = (1, 2, 4)[len(pictures) % 3]
        coarse = rng.integers(0, 256, (-(-height // grain), -(-width // grain), channels), np.uint8)
        pictures.append(coarse.repeat(grain, axis=0).repeat(grain, axis=1)[:height, :width])
    return np.stack(pictures[:count]).reshape(count, *given.shape)


def _network_files(
    package: Path,
    network: Network,
    into: str,
    metrics: Iterable[Metric] | None,
    provenance: Provenance,
    card: Card,
) -> tuple[dict[Path, bytes], Card]:
    """Return the files of a network, and the card that states it."""
    topology = network.topology
    classes = read_classes(package / CLASSES, topology.outputs)
    place = package / into if into else package
    weights = place / WEIGHTS
    _check_topology(weights, topology)
    data = npz_bytes(network, classes, provenance)
    if metrics is None:
        unchanged = weights.is_file() and _same(read_npz(weights).network, network)
        metrics = [each for each in card.metrics if unchanged and each.topology == topology.name]
    networks = {**card.networks, topology.name: network_figures(topology, len(data))}
    others = [each for each in card.metrics if each.topology != topology.name]
    inputs = golden_inputs(topology.input)
    files = {weights: data, place / GOLDEN: golden_bytes(inputs, scores(network, inputs))}
    return files, attrs.evolve(card, metrics=(*others, *metrics), networks=networks)


def _merged_recipes(package: Path, recipe: Path) -> dict[str, dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for path in (package / RECIPE, recipe):
        if path is recipe or path.is_file():
            merged.update(read_entries(path))
    return merged


def _same(one: Network, other: Network) -> bool:
    """Whether two networks answer alike, whatever version of the format their files have."""
    return one.topology.digest == other.topology.digest and all(
        np.array_equal(ours.weights, theirs.weights) and np.array_equal(ours.thresholds, theirs.thresholds)
        for ours, theirs in zip(one.layers, other.layers)
    )


def _check_topology(weights: Path, topology: Topology) -> None:
    """Refuse to put one topology's weights where another's are: its hook would no longer fit."""
    if not weights.is_file():
        return
    present = read_npz(weights).network.topology
    if present.digest != topology.digest:
        raise ParameterError(
            f"{weights}: holds weights for {present.name!r}, the new ones are for {topology.name!r}; "
            f"to add a second network pack it into a folder of its own ({argument('into', topology.name)})"
        )
