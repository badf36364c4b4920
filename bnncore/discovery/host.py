"""Import one plugin, hold it to the contract, call its hooks; one broken plugin harms nobody else."""

from __future__ import annotations

import inspect
import os
import threading
from typing import Any, TypeVar

import attrs
import pluggy
from bnnhw.locks import new_lock

from bnncore import hookspecs
from bnncore.discovery.imports import import_object, is_being_imported
from bnncore.discovery.index import Claim
from bnncore.errors import PluginError
from bnncore.foreign import describe_error, foreign_code
from bnncore.hookspecs import API_LEVEL, PROJECT
from bnncore.plain_text import brief

__all__ = ["PluginHost", "PluginWarning"]

Record = TypeVar("Record")

# Seconds to wait for another thread that imports a plugin. By the contract that takes milliseconds, and on a board with
# a slow card a second; who waits longer may be waited for.
_PATIENCE = 20.0


class PluginWarning(UserWarning):
    """A plugin that does not work and was left out."""


class PluginHost:
    """Holds the imported plugins. Safe to use from several threads.

    A plugin is imported when one of its names is asked for, once. What went wrong is remembered and
    raised again without another attempt, until the host is replaced.

    No lock is held while a plugin's code runs: one that hangs keeps those waiting who ask for it, and nobody else.
    """

    def __init__(self) -> None:
        # Held for look-ups alone.
        self._lock = new_lock()
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs.Hooks)
        self._plugins: dict[tuple[str, str], _Implementations] = {}
        self._broken: dict[tuple[str, str], PluginError] = {}
        self._condemned: dict[tuple[str, str], PluginError] = {}
        self._faults: dict[str, PluginError] = {}
        self._attempts: dict[tuple[str, str], _Attempt] = {}
        # Which plugin a thread waits for, so that two that need each other are told so.
        self._waiting: dict[int, tuple[str, str]] = {}

    @property
    def faults(self) -> tuple[PluginError, ...]:
        """What went wrong so far, each once."""
        with self._lock:
            return tuple(self._faults.values())

    def loaded(self, claim: Claim) -> bool:
        """Say whether the plugin behind a claim was imported already."""
        with self._lock:
            return _key(claim) in self._plugins

    def condemn(self, claim: Claim, problem: str) -> None:
        """Let every use of a plugin be an error, without importing it: it is known to end or to block the process."""
        error = self._fault(claim, problem)
        with self._lock:
            self._condemned.setdefault(_key(claim), error)

    def plugin(self, claim: Claim) -> object:
        """Return the plugin behind a claim, imported, and not held to the contract: for who wants to see how it fails.

        Raises:
            PluginError: if it cannot be imported.
        """
        with self._lock:
            self._raise_known(self._condemned, claim)
        return self._import(claim)

    def call(self, claim: Claim, hook: str, expected: type[Record], **arguments: str) -> Record | None:
        """Call one hook on the plugin that owns the claim, and on no other.

        Raises:
            PluginError: if the plugin cannot be imported, the hook raises (``SystemExit`` included),
                or returns anything but the expected record or None.
        """
        own = self._load(claim)
        with self._lock:
            others = [each for each in self._manager.get_plugins() if each is not own]
            caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
        shown = f"{hook}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        with foreign_code(
            claim.owner, lambda error: self._fault(claim, f"{shown} raised {describe_error(error)}")
        ):
            result = caller(**arguments)
            if type(result) is expected or result is None:
                return result
            if isinstance(result, expected):
                plain: Record = _plain(result, expected)
                return plain
        raise self._fault(
            claim, f"{shown} returned {type(result).__name__}, expected {expected.__name__} or None"
        )

    def _load(self, claim: Claim) -> _Implementations:
        key, attempt = _key(claim), _Attempt()
        while True:
            with self._lock:
                self._raise_known(self._condemned, claim)
                self._raise_known(self._broken, claim)
                if key in self._plugins:
                    return self._plugins[key]
                running = self._attempts.get(key)
                if running is None or running.process != attempt.process:
                    self._attempts[key] = attempt
                    break
                if self._circular(key):
                    raise _unfinished(claim)
                self._waiting[attempt.thread] = key
            try:
                if not running.over.wait(_PATIENCE):
                    raise PluginError(
                        f"plugin {claim.owner} ({claim.declared}) is still being imported by another thread after "
                        f"{_PATIENCE:.0f} s; it may hang, or wait for this thread. {_advice(claim)}"
                    )
            finally:
                with self._lock:
                    del self._waiting[attempt.thread]
        try:
            own = self._open(claim)
        except Unfinished:
            raise
        except PluginError as error:
            with self._lock:
                self._broken[key] = error
            raise
        else:
            with self._lock:
                self._plugins[key] = own
            return own
        finally:
            with self._lock:
                del self._attempts[key]
            attempt.over.set()

    @staticmethod
    def _raise_known(known: dict[tuple[str, str], PluginError], claim: Claim) -> None:
        error = known.get(_key(claim))
        if error is not None:
            # A fresh object, so that tracebacks of several threads do not grow on one exception.
            raise PluginError(*error.args) from error.__cause__

    def _circular(self, key: tuple[str, str]) -> bool:
        """Say whether a plugin waits for this thread, directly or by others that wait in their turn."""
        awaited: tuple[str, str] | None = key
        while awaited is not None and awaited in self._attempts:
            thread = self._attempts[awaited].thread
            if thread == threading.get_ident():
                return True
            awaited = self._waiting.get(thread)
        return False

    def _open(self, claim: Claim) -> _Implementations:
        """Import a plugin and hold it to the contract; all of that may run its code."""
        plugin = self._import(claim)
        if is_being_imported(claim.value):
            # Its own import asked for it, or Python has broken a circle of imports: half a plugin has no hooks yet.
            raise _unfinished(claim)
        with foreign_code(
            claim.owner,
            lambda error: (
                error
                if isinstance(error, PluginError)
                else self._fault(claim, f"its hooks break the contract: {describe_error(error)}")
            ),
        ):
            self._check_level(claim, plugin)
            own = _Implementations(claim.value, plugin)
        self._register(claim, own)
        return own

    def _import(self, claim: Claim) -> object:
        with foreign_code(
            claim.owner,
            lambda error: self._fault(claim, f"importing {claim.value!r} raised {describe_error(error)}"),
        ):
            plugin: object = import_object(claim.value)
        return plugin

    def _check_level(self, claim: Claim, plugin: object) -> None:
        level = getattr(plugin, "BNNCORE_API", API_LEVEL)
        if not isinstance(level, int) or isinstance(level, bool) or level < 1:
            raise self._fault(claim, f"BNNCORE_API must be a whole number from 1, found {brief(repr(level))}")
        if level > API_LEVEL:
            raise self._fault(
                claim,
                f"it was written for API level {level}, this bnncore has level {API_LEVEL}",
                "Update bnncore, or install an older version of the plugin",
            )

    def _register(self, claim: Claim, own: _Implementations) -> None:
        """Register with pluggy and roll back if the plugin breaks the contract."""
        with self._lock:
            try:
                self._manager.register(own, name=" ".join(_key(claim)))
                self._manager.check_pending()
                problem = self._defaults(own)
            except Exception as error:
                problem = f"its hooks break the contract: {brief(error)}"
            if problem and self._manager.is_registered(own):
                self._manager.unregister(own)
        if problem:
            raise self._fault(claim, problem)

    def _defaults(self, own: _Implementations) -> str | None:
        """Refuse default values: versions of pluggy honour them differently."""
        for caller in self._manager.get_hookcallers(own) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is not own:
                    continue
                for parameter in inspect.signature(implementation.function).parameters.values():
                    if parameter.default is not parameter.empty:
                        return f"argument {parameter.name!r} of its hook {caller.name} has a default value"
        return None

    def _fault(self, claim: Claim, problem: str, advice: str | None = None) -> PluginError:
        advice = advice or _advice(claim)
        error = PluginError(f"plugin {claim.owner} ({claim.declared}) cannot be used: {problem}. {advice}")
        with self._lock:
            self._faults.setdefault(str(error), error)
        return error


class _Implementations:
    """The hooks of a plugin, taken out of it once: pluggy would ask the plugin for every name, under our lock."""

    def __init__(self, path: str, plugin: object) -> None:
        self._path = path
        for name in dir(plugin):
            found = getattr(plugin, name, None)
            if inspect.isroutine(found) and hasattr(found, f"{PROJECT}_impl"):
                setattr(self, name, found)

    def __repr__(self) -> str:
        return repr(self._path)


class _Attempt:
    """An import under way: by which thread of which process, and when it is over."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        # A fork leaves the threads behind, and so what they were about.
        self.process = os.getpid()
        self.over = threading.Event()


class Unfinished(PluginError):
    """A plugin that was asked for before its import was over; nothing that is worth remembering."""


def _unfinished(claim: Claim) -> Unfinished:
    return Unfinished(
        f"plugin {claim.owner} ({claim.declared}) cannot be used while it is being imported: it was asked for by its "
        "own import, or by that of a plugin that it imports; ask for it inside its functions instead"
    )


def _plain(record: Any, kind: type[Any]) -> Any:
    """Return a record of exactly its kind: what a subclass works out when it is read is a plugin's code, too."""
    return kind(
        **{each.name.lstrip("_"): getattr(record, each.name) for each in attrs.fields(kind) if each.init}
    )


def _advice(claim: Claim) -> str:
    return f"Update or uninstall it, or set BNNCORE_DISABLE={claim.distribution}"


def _key(claim: Claim) -> tuple[str, str]:
    return (claim.distribution, claim.value)
