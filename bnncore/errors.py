"""Every error that bnncore raises on purpose; ``BnnError`` catches them all.

Messages say what was expected, what was found and what to do next, and name the distribution and
version concerned where there is one.
"""

from __future__ import annotations

from bnnhw.errors import BackendError, BnnError, InputError, NetworkError, SettingError, TopologyError

__all__ = [
    "AmbiguousError",
    "BackendError",
    "BlockedError",
    "BnnError",
    "ConflictError",
    "InputError",
    "NetworkError",
    "ParameterError",
    "PluginError",
    "ResourceError",
    "SettingError",
    "TopologyError",
    "UnknownNameError",
]


class PluginError(BnnError):
    """A plugin that cannot be used: it failed to import, in a hook, or returned the wrong thing."""


class UnknownNameError(PluginError, KeyError):
    """A name that no installed distribution offers."""

    # KeyError would show the message in quotes.
    __str__ = Exception.__str__


class ConflictError(PluginError):
    """One name that two installed distributions offer."""


class AmbiguousError(PluginError):
    """A question with several answers; the message names the choices."""


class BlockedError(PluginError):
    """A name whose distribution is blocked by BNNCORE_DISABLE or not allowed by BNNCORE_ALLOW."""


class ResourceError(BnnError):
    """A file of a plugin that is missing, altered, or not where it was declared."""


class ParameterError(BnnError, ValueError):
    """A parameter file or directory that is not what its topology needs."""
