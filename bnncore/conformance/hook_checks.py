"""The hooks: signatures, types, stability, and None for what is not theirs."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

from bnncore import hookspecs
from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject, label
from bnncore.diagnosis.finding import Finding
from bnncore.discovery.kinds import PARAMETERS, PREPROCESSING, Kind, hook_names, kinds, offered_kinds
from bnncore.foreign import describe_error, foreign_code
from bnncore.hookspecs import API_LEVEL, PROJECT

__all__ = [
    "check_api_level",
    "check_foreign_names",
    "check_results",
    "check_signatures",
    "check_stable_results",
]

_MARK = f"{PROJECT}_impl"
_FOREIGN = "no_such_name"


def check_api_level(subject: Subject) -> Finding:
    """Check that each module states which level of the contract it was written for."""
    silent = [name for name, plugin in subject.plugins.items() if not hasattr(plugin, "BNNCORE_API")]
    if silent:
        return seen(f"state BNNCORE_API = {API_LEVEL} in {', '.join(silent)}", "note")
    return seen(f"written for level {', '.join(str(_level(each)) for each in subject.plugins.values())}")


def check_signatures(subject: Subject) -> Finding:
    """Check that every hook is in the contract, marked, and takes the contract's arguments without defaults."""
    for value, plugin in subject.plugins.items():
        for name in dir(plugin):
            if name.startswith(f"{PROJECT}_") and callable(getattr(plugin, name)):
                _check_signature(value, name, getattr(plugin, name))
    for kind in offered_kinds():
        if subject.of(kind) and not any(kind == found for found, _ in _hooks(subject)):
            raise CheckError(f"it declares names in {kind.group} but has no hook {kind.hook}")
    names = sorted({kind.hook for kind, _ in _hooks(subject)})
    return seen(", ".join(names))


def check_results(subject: Subject) -> Finding:
    """Check that each name gets the record it promises; the registry checks the types."""
    found = []
    for claim in subject.claims:
        if claim.kind != PARAMETERS:
            subject.registry.describe(claim)
            found.append(f"{claim.kind.word} {claim.declared}")
    found += [f"parameters of {label(each)}" for each in subject.networks]
    return seen(", ".join(found))


def check_stable_results(subject: Subject) -> Finding:
    """Check that a hook answers the same question the same way twice."""
    asked = 0
    for kind, function in _hooks(subject):
        for arguments in _questions(subject, kind):
            with foreign_code(subject.owner, _fault(kind, arguments)):
                first, second = function(*arguments), function(*arguments)
            asked += 1
            if first != second:
                raise CheckError(
                    f"{kind.hook}{arguments} returned two different records; a hook must be a pure function"
                )
    return seen(f"{asked} questions, each answered the same twice")


def check_foreign_names(subject: Subject) -> Finding:
    """Check that every hook returns None for names that are not its own."""
    asked = 0
    for kind, function in _hooks(subject):
        for arguments in _foreign(subject, kind):
            asked += 1
            with foreign_code(subject.owner, _fault(kind, arguments)):
                found = function(*arguments)
            if found is not None:
                raise CheckError(
                    f"{kind.hook}{arguments} returned {type(found).__name__}, expected None for a name that is not "
                    "its own"
                )
    return seen(f"None for {asked} foreign names")


def _fault(kind: Kind, arguments: tuple[str, ...]) -> Callable[[BaseException], BaseException]:
    return lambda error: CheckError(f"{kind.hook}{arguments} raised {describe_error(error)}")


def _foreign(subject: Subject, kind: Kind) -> list[tuple[str, ...]]:
    """Return arguments that are nobody's, also such that are half the plugin's own."""
    result = [(_FOREIGN,) * len(kind.parts)]
    # How pictures are prepared may be said for a dataset on any network.
    if len(kind.parts) > 1 and kind != PREPROCESSING:
        for own in _questions(subject, kind):
            result += [(*own[:at], _FOREIGN, *own[at + 1 :]) for at in range(len(own))]
    return result


def _level(plugin: object) -> Any:
    return getattr(plugin, "BNNCORE_API", None)


def _hooks(subject: Subject) -> Iterator[tuple[Kind, Callable[..., Any]]]:
    """Yield every hook that a plugin implements, with its kind."""
    for plugin in subject.plugins.values():
        for kind in kinds():
            function = getattr(plugin, kind.hook, None)
            if function is not None:
                yield kind, function


def _check_signature(value: str, name: str, function: Any) -> None:
    where = f"{value}: {name}"
    if name not in hook_names():
        raise CheckError(f"{where} is no hook of the contract; the hooks are {', '.join(hook_names())}")
    if not isinstance(function, (types.FunctionType, types.MethodType)) or not hasattr(function, _MARK):
        raise CheckError(f"{where} is not marked; decorate it with @bnncore.hookimpl")
    expected = tuple(inspect.signature(getattr(hookspecs.Hooks, name)).parameters)[1:]
    parameters = inspect.signature(function).parameters
    if tuple(parameters) != expected:
        raise CheckError(f"{where}({', '.join(parameters)}) must be {name}({', '.join(expected)})")
    for parameter in parameters.values():
        if parameter.default is not parameter.empty:
            raise CheckError(f"{where}: argument {parameter.name!r} has a default value; remove it")


def _questions(subject: Subject, kind: Kind) -> list[tuple[str, ...]]:
    """Return the arguments with which bnncore will call a hook of this distribution."""
    if kind in (PARAMETERS, PREPROCESSING):
        # A dataset's own parameters are offered by its name alone.
        return [(each.owner.name, each.topology.name) for each in subject.networks]
    return [tuple(claim.parts.values()) for claim in subject.of(kind)]
