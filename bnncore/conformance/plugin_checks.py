"""The checks as a pytest base class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bnncore.conformance.subject import Subject
from bnncore.conformance.suite import CHECKS, Check

if TYPE_CHECKING:
    import pytest

__all__ = ["PluginChecks"]


class PluginChecks:
    """Derive a class whose name starts with ``Test`` and name the distribution: every check is a test.

    Attributes:
        distribution: name of the installed distribution, for example ``bnn-pets``.
    """

    distribution: ClassVar[str]
    _subjects: ClassVar[dict[str, Subject]] = {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test of each check; pytest calls this."""
        if "plugin_check" in metafunc.fixturenames:
            names = [check.__name__.partition("_")[2] for check in CHECKS]
            metafunc.parametrize("plugin_check", CHECKS, ids=names)

    def test_plugin(self, plugin_check: Check) -> None:
        """Run one check on the distribution."""
        import pytest

        seen: Any = plugin_check(self._subject())
        if seen.state == "skipped":
            pytest.skip(seen.text)

    def _subject(self) -> Subject:
        # One subject for all tests: importing and describing once is part of what is checked.
        if self.distribution not in self._subjects:
            self._subjects[self.distribution] = Subject(self.distribution)
        return self._subjects[self.distribution]
