"""``bnncore explain NAME``."""

from __future__ import annotations

import click
from attrs import asdict

from bnncore import registry
from bnncore.cli.output import json_option, print_json, table

__all__ = ["command"]


@click.command("explain")
@click.argument("name")
@click.option("--topology", help="One of the dataset's networks; its first if left out.")
@click.option("--source", help="Distribution that shall supply the parameters.")
@click.option("--board", help="Explain the choice for this board, for example pynq-z1.")
@json_option
def command(name: str, topology: str | None, source: str | None, board: str | None, as_json: bool) -> None:
    """Show who supplies each part of NAME, what else was considered, and why it is not used."""
    from bnncore.diagnosis.explain import explain

    choices = explain(registry, name, topology=topology, source=source, board=board)
    if as_json:
        print_json({"name": name, "choices": [asdict(choice) for choice in choices]})
        return
    for title, wanted in (("USED", True), ("ALSO CONSIDERED", False)):
        rows = [(each.part, each.what, each.owner, each.reason) for each in choices if each.chosen is wanted]
        if rows:
            click.echo(table(rows, (title, "WHAT", "FROM", "WHY" if wanted else "WHY NOT")))
        if rows and wanted:
            click.echo("")
