"""``bnncore plugins``."""

from __future__ import annotations

from collections import Counter

import click

from bnncore import registry
from bnncore.cli.output import json_option, print_json, say, say_lines, table
from bnncore.diagnosis.metadata import examine_metadata
from bnncore.discovery.index import Claim
from bnncore.discovery.source import Reading, read_plugin

__all__ = ["command"]


@click.command("plugins")
@json_option
def command(as_json: bool) -> None:
    """List what each installed distribution offers, with which hooks, and whether it can be used.

    Reads metadata and source files only: no plugin is imported. To try each one, use bnncore doctor.
    """
    index = registry.index
    owners = Counter((claim.group, claim.name) for claim in index.claims if not claim.blocked)
    found = []
    for claim in index.claims:
        reading = read_plugin(claim)
        # Any number may offer parameters: which are used is a matter of --distribution.
        shared = not claim.kind.shared and owners[claim.group, claim.name] > 1
        found.append((claim, reading, _state(claim, reading, shared)))
    faults = [finding.text for finding in examine_metadata(index)]
    if as_json:
        print_json({"plugins": [_as_dict(*each) for each in found], "faults": faults})
        return
    rows = [
        (
            claim.distribution,
            claim.version,
            claim.group,
            claim.declared,
            "?" if reading.hooks is None else ", ".join(hook.partition("_")[2] for hook in reading.hooks),
            state,
        )
        for claim, reading, state in found
    ]
    say_lines(table(rows, ("DISTRIBUTION", "VERSION", "GROUP", "NAME", "HOOKS (bnncore_…)", "STATE")))
    for fault in faults:
        say(f"metadata: {fault}")


def _state(claim: Claim, reading: Reading, shared: bool) -> str:
    if claim.blocked:
        return f"blocked: {claim.blocked}"
    if shared:
        return "conflict: several distributions offer this name"
    return reading.problem or "ok"


def _as_dict(claim: Claim, reading: Reading, state: str) -> dict[str, object]:
    return {
        "distribution": claim.distribution,
        "version": claim.version,
        "group": claim.group,
        "name": claim.declared,
        "module": claim.value,
        "hooks": None if reading.hooks is None else list(reading.hooks),
        "state": state,
    }
