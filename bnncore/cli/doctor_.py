"""``bnncore doctor``."""

from __future__ import annotations

import click
from attrs import asdict

from bnncore.cli.ending import EXIT_ERROR
from bnncore.cli.output import finding_line, json_option, print_json, say
from bnncore.cli.timeout import timeout_option
from bnncore.diagnosis.doctor import examine_safely

__all__ = ["command"]


@click.command("doctor")
@timeout_option
@json_option
def command(timeout: float, as_json: bool) -> None:
    """Check this machine, every plugin and every backend.

    Every plugin is imported and its golden vectors are replayed, in another process: one that hangs or crashes is a
    problem like any other. The exit code is 1 if there is a problem.
    """
    findings = list(examine_safely(timeout))
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
