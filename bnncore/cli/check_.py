"""``bnncore check DIST``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from bnncore.cli.ending import EXIT_ERROR
from bnncore.cli.output import finding_line, json_option, print_json, say
from bnncore.cli.timeout import timeout_option
from bnncore.diagnosis.finding import Finding
from bnncore.diagnosis.supervised import look

__all__ = ["command"]


@click.command("check")
@click.argument("dist")
@click.option("--wheel", is_flag=True, help="Build the wheel and test it in a clean environment.")
@click.option(
    "--with", "extra", multiple=True, metavar="REQUIREMENT", help="Also install this in the clean environment."
)
@click.option("--strict", is_flag=True, help="Take notes for problems: before publishing.")
@timeout_option
@json_option
def command(
    dist: str, wheel: bool, extra: tuple[str, ...], strict: bool, timeout: float, as_json: bool
) -> None:
    """Check that the plugin DIST holds to the contract.

    DIST is the name of an installed distribution, or the path of a project folder (./bnn-pets, or .) or a wheel.
    A path is tested in a clean environment, as a name is with --wheel. The plugin is run in another process, where
    the current folder is not looked into. The exit code is 1 if there is a problem.
    """
    bad = ("problem", "note") if strict else ("problem",)
    findings = []
    for finding in _findings(dist, wheel, extra, timeout):
        findings.append(finding)
        if not as_json:
            say(finding_line(finding))
    problems = [finding for finding in findings if finding.state in bad]
    if as_json:
        outcomes = [{"check": each.subject, "state": each.state, "text": each.text} for each in findings]
        print_json({"passed": not problems, "outcomes": outcomes})
    else:
        counts = Counter(finding.state for finding in findings)
        say()
        say(f"{counts['ok']} passed, {counts['note']} notes, {counts['problem']} problems.")
    if problems:
        click.get_current_context().exit(EXIT_ERROR)


def _findings(dist: str, wheel: bool, extra: tuple[str, ...], seconds: float) -> Iterable[Finding]:
    path = Path(dist)
    # As with pip, what has a separator is a path; a project folder beside us may be called like its distribution.
    if path.suffix == ".whl" or dist != path.name or (wheel and (path / "pyproject.toml").is_file()):
        return _wheel(path, extra, seconds)
    if not wheel:
        # The checks import numpy and all: in the other process, where the current folder is not looked into.
        return look("bnncore.conformance.suite:sections", dist, seconds)
    from bnncore.conformance import CheckError, Subject

    origin = Subject(dist).folder
    if origin is None:
        raise CheckError(f"{dist} was not installed from a folder; give the path of its project or wheel")
    return _wheel(origin, extra, seconds)


def _wheel(target: Path, extra: tuple[str, ...], seconds: float) -> Iterable[Finding]:
    from bnncore.conformance.wheel_checks import check_wheel

    return check_wheel(target, extra, seconds)
