"""``bnncore doctor``."""

from __future__ import annotations

import warnings

import click
from attrs import asdict

from bnncore import registry
from bnncore.cli.ending import EXIT_ERROR
from bnncore.cli.output import finding_line, json_option, print_json, say
from bnncore.diagnosis.doctor import examine

__all__ = ["command"]


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Check this machine, every plugin and every backend.

    Every plugin is imported and its golden vectors are replayed. The exit code is 1 if there is a problem.
    """
    with warnings.catch_warnings():
        # What would be warned of is shown as a finding.
        warnings.simplefilter("ignore")
        findings = list(examine(registry))
    problems = [finding for finding in findings if finding.state == "problem"]
    if as_json:
        print_json({"healthy": not problems, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            say(finding_line(finding))
        say()
        say(f"{len(problems)} problems found." if problems else "All is well.")
    if problems:
        click.get_current_context().exit(EXIT_ERROR)
