"""The errors of the project: one base class, so that one ``except`` catches them all.

Every message says what was expected, what was found and what to do next.
"""

from __future__ import annotations

__all__ = ["BackendError", "BnnError", "InputError", "NetworkError", "SettingError", "TopologyError"]


class BnnError(Exception):
    """Base of every error that bnncore and bnnhw raise on purpose."""


class TopologyError(BnnError, ValueError):
    """A topology or folding that describes no possible network."""


class NetworkError(BnnError, ValueError):
    """Weights or thresholds that do not fit their topology."""


class InputError(BnnError, ValueError):
    """An image or a batch that the network cannot take."""


class BackendError(BnnError, RuntimeError):
    """A backend or a device that cannot run, or that stopped answering."""


class SettingError(BackendError):
    """An argument or an environment variable that cannot be meant, so that no other backend takes its place."""
