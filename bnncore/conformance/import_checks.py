"""Importing and describing in a fresh process: light, quiet, and without effect on anybody else."""

from __future__ import annotations

import json
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from attrs import asdict

from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject
from bnncore.diagnosis.finding import Finding
from bnncore.diagnosis.supervised import fresh_python, seconds_for_plugins
from bnncore.plain_text import brief

__all__ = ["check_describing_is_light", "check_import_is_light", "check_import_is_quiet"]


def check_import_is_light(subject: Subject) -> Finding:
    """Check that importing the plugin imports nothing heavy."""
    report, _ = _probe(subject)
    added = _added(report["before"], report["imported"])
    if added:
        raise CheckError(
            f"importing it imports {added}; import them inside the functions that need them, so that listing "
            "and describing stay quick on a board"
        )
    return seen("importing it imports nothing heavy")


def check_import_is_quiet(subject: Subject) -> Finding:
    """Check that importing and describing print nothing and change nothing outside the plugin."""
    report, output = _probe(subject)
    if report["changed"]:
        raise CheckError(f"importing it changes {', '.join(report['changed'])}; a plugin must leave them alone")
    if output:
        raise CheckError(f"importing or describing it prints {output[:200]!r}; return or raise instead")
    return seen("importing and describing it print and change nothing")


def check_describing_is_light(subject: Subject) -> Finding:
    """Check that its hooks import nothing heavy."""
    report, _ = _probe(subject)
    added = _added(report["before"], report["described"])
    if added:
        raise CheckError(
            f"its hooks import {added}; they return records, and what needs those packages comes later"
        )
    return seen("its hooks import nothing heavy")


def _added(before: list[str], after: list[str]) -> str:
    return ", ".join(name for name in after if name not in before)


def _probe(subject: Subject) -> tuple[dict[str, Any], str]:
    report, output, problem = _run_probe(subject)
    if problem is not None:
        raise CheckError(f"it cannot be imported and described in a fresh process: {problem}")
    return report, output


# Three checks look at one run.
@lru_cache(maxsize=8)
def _run_probe(subject: Subject) -> tuple[dict[str, Any], str, str | None]:
    """Return the report of a fresh process, what it printed, and why there is no report."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        seconds = seconds_for_plugins()
        try:
            done = subprocess.run(  # noqa: S603  our own interpreter and module
                fresh_python("bnncore.publishing.probe", str(report)),
                input=json.dumps([asdict(claim) for claim in subject.claims]).encode(),
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {}, "", f"no answer within {seconds:g} s"
        # A plugin may print any bytes.
        output = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        if done.returncode or not report.exists():
            last = f"{brief(output.splitlines()[-1])}; " if output else ""
            return {}, output, f"{last}exit code {done.returncode}"
        return json.loads(report.read_text()), output, None
