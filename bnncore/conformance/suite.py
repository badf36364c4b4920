"""All checks, in the order in which their findings make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import evolve

from bnncore.conformance.answer_checks import (
    check_backends,
    check_golden_vectors,
    check_isolation,
    check_threads,
)
from bnncore.conformance.card_checks import check_card
from bnncore.conformance.file_checks import check_manifest, check_resources
from bnncore.conformance.hook_checks import (
    check_api_level,
    check_foreign_names,
    check_results,
    check_signatures,
    check_stable_results,
)
from bnncore.conformance.import_checks import (
    check_describing_is_light,
    check_import_is_light,
    check_import_is_quiet,
)
from bnncore.conformance.metadata_checks import (
    check_conflicts,
    check_contents,
    check_description,
    check_names,
    check_requirements,
)
from bnncore.conformance.network_checks import (
    check_bitstreams,
    check_classes,
    check_parameters,
    check_topologies,
)
from bnncore.conformance.picture_checks import check_preprocessing
from bnncore.conformance.subject import Subject
from bnncore.diagnosis.finding import Finding

__all__ = ["CHECKS", "check_distribution", "run_check"]

Check = Callable[[Subject], Finding]

CHECKS: tuple[Check, ...] = (
    check_names,
    check_requirements,
    check_description,
    check_contents,
    check_conflicts,
    check_import_is_light,
    check_import_is_quiet,
    check_describing_is_light,
    check_api_level,
    check_signatures,
    check_results,
    check_stable_results,
    check_foreign_names,
    check_resources,
    check_manifest,
    check_classes,
    check_topologies,
    check_bitstreams,
    check_parameters,
    check_card,
    check_preprocessing,
    check_golden_vectors,
    check_isolation,
    check_threads,
    check_backends,
)


def check_distribution(name: str) -> Iterator[Finding]:
    """Run every check on an installed distribution.

    Raises:
        CheckError: if it is not installed or no plugin.
    """
    subject = Subject(name)
    for check in CHECKS:
        yield run_check(check, subject)


def run_check(check: Check, subject: Subject) -> Finding:
    """Run one check and name it; whatever a plugin raises becomes a problem, not an end."""
    name = check.__name__.partition("_")[2]
    try:
        return evolve(check(subject), subject=name)
    except Exception as error:
        # A plugin may raise anything; errors of bnncore already say what to do.
        return Finding("problem", name, str(error) or type(error).__name__)
