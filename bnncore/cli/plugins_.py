"""``bnncore plugins``."""

from __future__ import annotations

import click

from bnncore import registry
from bnncore.cli.output import json_option, print_json, table

__all__ = ["command"]


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List what each installed distribution offers, and whether it is blocked or in conflict.

    Reads metadata only: no plugin is imported. To try each one, use bnncore doctor.
    """
    claims = registry.index.claims
    owners: dict[tuple[str, str], int] = {}
    for claim in claims:
        if not claim.blocked:
            owners[claim.group, claim.name] = owners.get((claim.group, claim.name), 0) + 1
    rows = []
    for claim in claims:
        if claim.blocked:
            state = f"blocked: {claim.blocked}"
        elif owners[claim.group, claim.name] > 1:
            state = "conflict: several distributions offer this name"
        else:
            state = "ok"
        rows.append((claim.distribution, claim.version, claim.group, claim.declared, state))
    if as_json:
        keys = ("distribution", "version", "group", "name", "state")
        print_json({"plugins": [dict(zip(keys, row)) for row in rows], "faults": list(registry.index.faults)})
        return
    click.echo(table(rows, ("DISTRIBUTION", "VERSION", "GROUP", "NAME", "STATE")))
    for fault in registry.index.faults:
        click.echo(f"ignored: {fault}")
