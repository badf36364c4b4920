"""What a plugin must hold to, as plain functions, as a pytest base class, and as ``bnncore check``.

Each check is a function of one ``Subject`` (an installed distribution). It returns what it saw, and raises
``CheckError``, saying what is wrong and what to do. In a plugin's own tests::

    from bnncore.conformance import PluginChecks

    class TestPlugin(PluginChecks):
        distribution = "bnn-pets"
"""

from __future__ import annotations

from bnncore.conformance.outcome import CheckError, Outcome, Seen
from bnncore.conformance.plugin_checks import PluginChecks
from bnncore.conformance.subject import Subject
from bnncore.conformance.suite import CHECKS, check_distribution

__all__ = [
    "CHECKS",
    "CheckError",
    "Outcome",
    "PluginChecks",
    "Seen",
    "Subject",
    "check_distribution",
]
