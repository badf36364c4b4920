"""``bnncore explain NAME``."""

from __future__ import annotations

import click

from bnncore import registry
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import json_option, print_json, say, say_lines, table

__all__ = ["command"]


@click.command("explain")
@click.argument("name")
@network_options
@json_option
def command(name: str, asked: Asked, as_json: bool) -> None:
    """Show who supplies each part of NAME, what else was considered, and why it is not used.

    The choices are those that bnncore classify makes with the same options. NAME may be a path, too.
    """
    from bnncore.diagnosis.explain import explain

    choices = explain(registry, asked.open(name))
    if as_json:
        print_json({"name": name, "choices": [choice._asdict() for choice in choices]})
        return
    for title, wanted in (("USED", True), ("ALSO CONSIDERED", False)):
        rows = [(each.part, each.what, each.owner, each.reason) for each in choices if each.chosen is wanted]
        if rows:
            say_lines(table(rows, (title, "WHAT", "FROM", "WHY" if wanted else "WHY NOT")))
        if rows and wanted:
            say()
