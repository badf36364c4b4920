"""Environment variables are read through one table, and the table says the truth about them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

import bnnhw
import bnnhw.environment
import pytest
import variables

import bnncore
from bnncore import environment
from bnncore.diagnosis.doctor import examine
from bnncore.discovery.registry import Registry
from bnncore.environment import OTHERS, VARIABLES, Variable

TABLES = {"bnncore/environment.py", "bnnhw/environment.py"}
# These two pass the whole environment on, or compare it.
WHOLE = {"bnncore/conformance/wheel_checks.py", "bnncore/publishing/probe.py"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in (bnncore, bnnhw):
        (folder,) = package.__path__
        for path in sorted(Path(folder).rglob("*.py")):
            name = path.relative_to(Path(folder).parent).as_posix()
            yield name, ast.parse(path.read_text("utf-8"))


def test_no_module_looks_into_the_environment_itself() -> None:
    looking = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    }
    assert looking == {"bnnhw/environment.py", *WHOLE}


def test_every_variable_that_a_text_names_is_in_the_table() -> None:
    """Error messages and docstrings name variables; ``BNNCORE_API`` is a plugin's attribute."""
    named = {
        found
        for name, tree in sources()
        if name not in TABLES
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for found in re.findall(r"\bBNNCORE_[A-Z_]+\b", node.value)
    }
    assert "BNNCORE_DISABLE" in named
    assert named - {"BNNCORE_API"} <= {each.name for each in VARIABLES}


@pytest.mark.parametrize("variable", [*VARIABLES, *OTHERS], ids=str)
def test_the_reader_of_each_reads_it(variable: Variable) -> None:
    spec = find_spec(variable.reader)
    assert spec is not None
    assert spec.origin is not None
    assert f"environment.{variable.name.removeprefix('BNNCORE_')}" in Path(spec.origin).read_text("utf-8")


def test_the_table_has_each_once_and_all_of_the_driver() -> None:
    table = [*VARIABLES, *OTHERS]
    assert len({each.name for each in table}) == len(table)
    assert set(bnnhw.environment.VARIABLES) <= set(table)
    assert {each for each in vars(environment).values() if isinstance(each, Variable)} == set(table)


def test_it_is_read_anew_at_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BNNCORE_STRICT", raising=False)
    assert (environment.STRICT.value, environment.STRICT.is_set) == ("", False)
    monkeypatch.setenv("BNNCORE_STRICT", "")
    assert (environment.STRICT.value, environment.STRICT.is_set) == ("", True)
    monkeypatch.setenv("BNNCORE_STRICT", "1")
    assert (environment.STRICT.value, environment.STRICT.is_set) == ("1", True)
    assert str(environment.STRICT) == "BNNCORE_STRICT"


def test_doctor_lists_those_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("BNN_PARAM_DIR", "old/params")
    monkeypatch.setenv("BNNCORE_STRICT", "")
    # Plugins are looked at after the variables, and take longer.
    findings = takewhile(lambda found: not found.subject.startswith("topology "), examine(Registry()))
    shown = {found.subject: found.text for found in findings}
    assert {each.name for each in VARIABLES} & set(shown) == {"BNN_PARAM_DIR"}
    assert shown["BNN_PARAM_DIR"] == "is set to 'old/params'"


def test_importing_the_table_is_light() -> None:
    code = "import bnncore.environment, sys; print({'numpy', 'PIL', 'cffi', 'pynq'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_the_tests_read_theirs_through_a_table_as_well() -> None:
    root = Path(__file__).parent
    for path in root.rglob("*.py"):
        if path.name != "variables.py":
            looked_up = re.findall(r"environ(?:\.get)?[\[(]\"(BNN\w+)", path.read_text("utf-8"))
            assert not looked_up, path
    for variable in variables.VARIABLES:
        text = (root.parent / variable.reader).read_text("utf-8")
        assert variable.name.removeprefix("BNNCORE_") in text, variable.name
