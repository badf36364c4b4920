"""``bnncore explain NAME``."""

from __future__ import annotations

from typing import Any

import click

from bnncore import get, registry
from bnncore.backends import candidates
from bnncore.cli.output import json_option, print_json, table
from bnncore.index import BACKENDS, DATASETS, TOPOLOGIES

__all__ = ["command"]


@click.command("explain")
@click.argument("name")
@click.option("--topology", help="One of the dataset's networks; its first if left out.")
@click.option("--board", help="Explain the choice for this board, for example pynq-z1.")
@json_option
def command(name: str, topology: str | None, board: str | None, as_json: bool) -> None:
    """Show who supplies each part of NAME, and why its backend is chosen."""
    dataset = registry.dataset(name)
    classifier = get(name, topology=topology, board=board)
    network = classifier.topology
    parameters = registry.parameters(dataset, network.name)
    preprocessing = registry.preprocessing(dataset, network.name)
    owner = registry.owner(DATASETS, name)
    steps = (
        "the default of the input"
        if preprocessing is None
        else preprocessing.function or ", ".join(step.operation for step in preprocessing.steps)
    )
    parts = [
        ("dataset", dataset.name, owner.owner),
        ("parameters", parameters.resource.path, owner.owner),
        ("topology", network.name, registry.owner(TOPOLOGIES, network.name).owner),
        ("preprocessing", steps, owner.owner),
    ]
    considered: list[dict[str, Any]] = []
    chosen = None
    for candidate in candidates(registry, classifier.job):
        usable = candidate.obstacle is None and candidate.backend.priority > 0
        if usable and chosen is None:
            chosen = candidate.backend.name
        considered.append(
            {
                "backend": candidate.backend.name,
                "owner": registry.owner(BACKENDS, candidate.backend.name).owner,
                "priority": candidate.backend.priority,
                "obstacle": candidate.obstacle,
                "chosen": chosen == candidate.backend.name,
            }
        )
    if as_json:
        print_json(
            {
                "name": dataset.name,
                "parts": [{"part": part, "what": what, "owner": by} for part, what, by in parts],
                "backend": chosen,
                "backends": considered,
            }
        )
        return
    click.echo(table(parts, ("PART", "WHAT", "FROM")))
    click.echo("")
    rows = [(each["backend"], each["owner"], _verdict(each)) for each in considered]
    click.echo(table(rows, ("BACKEND", "FROM", "VERDICT")))


def _verdict(considered: dict[str, Any]) -> str:
    if considered["chosen"]:
        return "chosen by auto"
    if considered["obstacle"]:
        return str(considered["obstacle"])
    return "can run, lower priority" if considered["priority"] > 0 else "can run, only by name"
