"""Import one plugin, hold it to the contract, call its hooks; one broken plugin harms nobody else."""

from __future__ import annotations

import inspect
from typing import TypeVar

import pluggy
from bnnhw.locks import new_rlock

from bnncore import hookspecs
from bnncore.discovery.imports import import_object
from bnncore.discovery.index import Claim
from bnncore.errors import PluginError
from bnncore.hookspecs import API_LEVEL, PROJECT

__all__ = ["PluginHost", "PluginWarning"]

Record = TypeVar("Record")


class PluginWarning(UserWarning):
    """A plugin that does not work and was left out."""


class PluginHost:
    """Holds the imported plugins. Safe to use from several threads.

    A plugin is imported when one of its names is asked for, once. What went wrong is remembered and
    raised again without another attempt, until the host is replaced.
    """

    def __init__(self) -> None:
        self._lock = new_rlock()
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs.Hooks)
        self._plugins: dict[tuple[str, str], object] = {}
        self._broken: dict[tuple[str, str], PluginError] = {}
        self._faults: dict[str, PluginError] = {}

    @property
    def faults(self) -> tuple[PluginError, ...]:
        """What went wrong so far, each once."""
        with self._lock:
            return tuple(self._faults.values())

    def loaded(self, claim: Claim) -> bool:
        """Say whether the plugin behind a claim was imported already."""
        with self._lock:
            return _key(claim) in self._plugins

    def call(self, claim: Claim, hook: str, expected: type[Record], **arguments: str) -> Record | None:
        """Call one hook on the plugin that owns the claim, and on no other.

        Raises:
            PluginError: if the plugin cannot be imported, the hook raises (``SystemExit`` included),
                or returns anything but the expected record or None.
        """
        with self._lock:
            plugin = self._load(claim)
            others = [each for each in self._manager.get_plugins() if each is not plugin]
            caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
        shown = f"{hook}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        try:
            result = caller(**arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._fault(claim, f"{shown} raised {_describe(error)}") from error
        if result is None or isinstance(result, expected):
            return result
        raise self._fault(
            claim, f"{shown} returned {type(result).__name__}, expected {expected.__name__} or None"
        )

    def _load(self, claim: Claim) -> object:
        key = _key(claim)
        if key in self._broken:
            # A fresh object, so that tracebacks of several threads do not grow on one exception.
            raise PluginError(*self._broken[key].args) from self._broken[key].__cause__
        if key not in self._plugins:
            try:
                plugin = self._import(claim)
                self._check_level(claim, plugin)
                self._register(claim, plugin)
            except PluginError as error:
                self._broken[key] = error
                raise
            self._plugins[key] = plugin
        return self._plugins[key]

    def _import(self, claim: Claim) -> object:
        try:
            plugin: object = import_object(claim.value)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._fault(claim, f"importing {claim.value!r} raised {_describe(error)}") from error
        return plugin

    def _check_level(self, claim: Claim, plugin: object) -> None:
        level = getattr(plugin, "BNNCORE_API", API_LEVEL)
        if not isinstance(level, int) or isinstance(level, bool) or level < 1:
            raise self._fault(claim, f"BNNCORE_API must be a whole number from 1, found {level!r}")
        if level > API_LEVEL:
            raise self._fault(
                claim,
                f"it was written for API level {level}, this bnncore has level {API_LEVEL}",
                "Update bnncore, or install an older version of the plugin",
            )

    def _register(self, claim: Claim, plugin: object) -> None:
        """Register with pluggy and roll back if the plugin breaks the contract."""
        name = " ".join(_key(claim))
        if self._manager.is_registered(plugin):
            return
        try:
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
            problem = self._defaults(plugin)
        except Exception as error:
            self._unregister(plugin)
            raise self._fault(claim, f"its hooks break the contract: {error}") from error
        if problem:
            self._unregister(plugin)
            raise self._fault(claim, problem)

    def _unregister(self, plugin: object) -> None:
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)

    def _defaults(self, plugin: object) -> str | None:
        """Refuse default values: versions of pluggy honour them differently."""
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is not plugin:
                    continue
                for parameter in inspect.signature(implementation.function).parameters.values():
                    if parameter.default is not parameter.empty:
                        return f"argument {parameter.name!r} of its hook {caller.name} has a default value"
        return None

    def _fault(self, claim: Claim, problem: str, advice: str | None = None) -> PluginError:
        advice = advice or f"Update or uninstall it, or set BNNCORE_DISABLE={claim.distribution}"
        error = PluginError(f"plugin {claim.owner} ({claim.declared}) cannot be used: {problem}. {advice}")
        with self._lock:
            self._faults.setdefault(str(error), error)
        return error


def _key(claim: Claim) -> tuple[str, str]:
    return (claim.distribution, claim.value)


def _describe(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
