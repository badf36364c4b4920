"""``bnncore pack PROJECT [PARAMETERS]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bnncore.cli.output import json_option, print_json, say_lines, table

__all__ = ["command"]


@click.command("pack")
@click.argument("project", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("parameters", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--topology", help="Of a BNN-PYNQ parameter folder, which does not say it.")
@click.option("--into", default="", help="Folder inside the package, for a dataset's second network.")
@click.option(
    "--metrics",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measured figures for the card: evaluation.json of bnncore evaluate --out, or a list of metrics.",
)
@click.option(
    "--bit", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A bitstream to put in."
)
@click.option("--hwh", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its hand-off file.")
@json_option
def command(
    project: Path,
    parameters: Path | None,
    topology: str | None,
    into: str,
    metrics: Path | None,
    bit: Path | None,
    hwh: Path | None,
    as_json: bool,
) -> None:
    """Put trained PARAMETERS into the plugin PROJECT, and bring its hashes up to date.

    PARAMETERS is an .npz file, a folder with weights.npz (and recipe.json, which is put in too), or a BNN-PYNQ
    parameter folder. Golden vectors and the card's figures are written with them. Without PARAMETERS only
    manifest.json is written anew. All of it is written, or, where something is wrong, nothing.
    """
    from bnncore.errors import InputError, ResourceError
    from bnncore.files import reading
    from bnncore.places import check_folder
    from bnncore.publishing.pack import find_package, pack

    package = find_package(project)
    check_folder(package, ResourceError)
    designs = {}
    for given, name in ((bit, "design.bit"), (hwh, "design.hwh")):
        if given is not None:
            with reading(given, InputError):
                designs[name] = given.read_bytes()
    trained = {} if parameters is None else _trained(package, parameters, topology, into, metrics)
    files = pack(package, files=designs, **trained)
    if as_json:
        print_json({"package": str(package), "files": files})
        return
    rows = [(name, f"{entry['size']:,}", str(entry["sha256"])[:16]) for name, entry in files.items()]
    say_lines(table(rows, ("FILE", "BYTES", "SHA-256")))


def _trained(
    package: Path, parameters: Path, topology: str | None, into: str, metrics: Path | None
) -> dict[str, Any]:
    """Return what is to be put in of the parameters, as ``pack`` takes it."""
    from bnncore import ParameterError, load
    from bnncore.formats.classes import CLASSES, read_classes
    from bnncore.formats.evaluation import read_metrics
    from bnncore.formats.npz import WEIGHTS, read_npz
    from bnncore.formats.recipe import RECIPE

    if (parameters / WEIGHTS).is_file():
        parameters /= WEIGHTS
    if parameters.is_dir():
        classifier = load(parameters, topology=topology)
        network, names, provenance = classifier.job.network(), classifier.classes, classifier.provenance
    else:
        file = read_npz(parameters)
        network, names, provenance = file.network, file.classes or (), file.provenance
    ours = read_classes(package / CLASSES, network.topology.outputs)
    if names and names != ours:
        raise ParameterError(
            f"{parameters}: trained for the classes {', '.join(names)}, but {package / CLASSES} lists "
            f"{', '.join(ours)}; they must be the same, in the same order"
        )
    recipe = parameters.parent / RECIPE
    return {
        "network": network,
        "provenance": provenance,
        "into": into,
        "metrics": None if metrics is None else read_metrics(metrics),
        "recipe": recipe if parameters.name == WEIGHTS and recipe.is_file() else None,
    }
