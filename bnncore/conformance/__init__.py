"""What a plugin must hold to, as plain functions, as a pytest base class, and as ``bnncore check``.

Each check is a function of one ``Subject`` (an installed distribution). It returns what it saw, a ``Finding``,
and raises ``CheckError``, saying what is wrong and what to do. In a plugin's own tests::

    from bnncore.conformance import PluginChecks

    class TestPlugin(PluginChecks):
        distribution = "bnn-pets"
"""

from __future__ import annotations

from bnncore.conformance.plugin_checks import PluginChecks
from bnncore.conformance.reporting import CheckError
from bnncore.conformance.subject import Subject
from bnncore.conformance.suite import CHECKS, check_distribution
from bnncore.diagnosis.finding import Finding

__all__ = [
    "CHECKS",
    "CheckError",
    "Finding",
    "PluginChecks",
    "Subject",
    "check_distribution",
]
