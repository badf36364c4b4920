"""``bnncore list``."""

from __future__ import annotations

import click

from bnncore import registry
from bnncore.cli.output import json_option, print_json, say, say_lines, table
from bnncore.discovery.kinds import DATASET, TOPOLOGY

__all__ = ["command"]


@click.command("list")
@click.option("--topologies", is_flag=True, help="List networks instead of datasets.")
@json_option
def command(topologies: bool, as_json: bool) -> None:
    """List the installed datasets.

    Reads metadata only: no plugin is imported.
    """
    kind = TOPOLOGY if topologies else DATASET
    offered = registry.index.of(kind)
    claims = [claim for claim in offered if not claim.blocked]
    if as_json:
        print_json(
            [
                {
                    "name": _name(claim.name, claim.declared, topologies),
                    "distribution": claim.distribution,
                    "version": claim.version,
                }
                for claim in claims
            ]
        )
        return
    if offered and not claims:
        say(f"Every {kind.word} that is installed is blocked: {offered[0].blocked}")
        return
    if not claims:
        say("No dataset is installed. A dataset is a package, such as bnn-cifar10, which pip installs")
        return
    rows = [
        (_name(claim.name, claim.declared, topologies), claim.distribution, claim.version) for claim in claims
    ]
    say_lines(table(rows, ("NAME", "DISTRIBUTION", "VERSION")))


def _name(name: str, declared: str, topologies: bool) -> str:
    """Topologies are shown as they are spelt (cnvW1A1), datasets as ``names()`` gives them."""
    return declared if topologies else name
