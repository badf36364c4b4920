"""All checks, in the order in which their findings make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

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
from bnncore.diagnosis.supervised import Section
from bnncore.discovery.registry import Registry
from bnncore.errors import BnnError
from bnncore.foreign import describe_error

__all__ = ["CHECKS", "check_distribution", "run_check", "sections"]

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
    """Run every check on an installed distribution, in this process.

    Raises:
        CheckError: if it is not installed or no plugin.
    """
    subject = Subject(name)
    for check in CHECKS:
        yield run_check(check, subject)


def sections(registry: Registry, name: str) -> tuple[Section, ...]:
    """Return the checks of a distribution, each by its name.

    Raises:
        CheckError: if it is not installed or no plugin.
    """
    subject = Subject(name, registry)

    def run(check: Check) -> Iterator[Finding]:
        yield run_check(check, subject)

    return tuple((_name(check), partial(run, check)) for check in CHECKS)


def run_check(check: Check, subject: Subject) -> Finding:
    """Run one check and name it; whatever a plugin raises becomes a problem, not an end."""
    try:
        return evolve(check(subject), subject=_name(check))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # A plugin may raise anything; errors of bnncore already say what to do.
        text = str(error) if isinstance(error, BnnError) else describe_error(error)
        return Finding("problem", _name(check), text)


def _name(check: Check) -> str:
    return check.__name__.partition("_")[2]
