"""What surrounds the code: what pages and workflows call exists, forms can be read, nothing is promised early."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml", reason="reading workflows needs pyyaml")

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
PAGES = sorted(
    path
    for pattern in (
        "*.md",
        ".github/*.md",
        "docs/**/*.md",
        "hw/*.md",
        "notebooks/*.md",
        "plugins/*/*.md",
        "tests/*.md",
    )
    for path in ROOT.glob(pattern)
)
# Every make target that has a line in ``make help``, or is a pattern.
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
DISTRIBUTIONS = ("bnncore", "bnncore-hw", "bnn-cifar10", "bnn-cucumber9", "bnn-mnist-lfc")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def made(text: str) -> set[str]:
    """Return the make targets that a text calls, in code or after a prompt."""
    return set(re.findall(r"(?:^\s*|[`$] ?|run: )make ([a-z][a-z-]*)", text, re.MULTILINE))


# -- make ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, ROOT / ".ci" / "run"], ids=name)
def test_every_target_that_a_page_names_exists(path: Path) -> None:
    assert made(path.read_text("utf-8")) <= TARGETS


def test_targets_are_found_where_they_are_named() -> None:
    assert {"check", "docs", "demo", "sanitize", "test-pynq", "test"} <= made(
        (ROOT / ".ci" / "run").read_text("utf-8")
    )
    assert made("`make docs-output` writes\n$ make check\n(make bench) we make sure") == {
        "docs-output",
        "check",
    }


def test_help_lists_every_target_that_is_not_a_file() -> None:
    text = (ROOT / "Makefile").read_text("utf-8").replace("\\\n", " ")
    phony = " ".join(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*?## \S", text, re.MULTILINE))
    # What only the Makefile itself calls needs no line.
    assert set(phony.split()) - described == {"virtualenv"}
    assert described <= set(phony.split())


# -- workflows and forms ---------------------------------------------------------------------------


def commands(workflow: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield job and command of every step, once for each combination of a job's matrix."""
    for job, content in workflow["jobs"].items():
        matrix = content.get("strategy", {}).get("matrix", {})
        for values in itertools.product(*matrix.values()):
            for step in content["steps"]:
                command = step.get("run", "")
                for key, value in zip(matrix, values):
                    command = command.replace(f"${{{{ matrix.{key} }}}}", str(value))
                if command:
                    yield job, command


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_a_workflow_calls_make_alone(path: Path) -> None:
    """So that whatever it does can be done on any machine."""
    for job, command in commands(yaml.safe_load(path.read_text("utf-8"))):
        if command.startswith("sudo apt-get "):
            continue
        assert re.fullmatch(r"make [a-z-]+", command), f"{job}: {command}"
        assert command.partition(" ")[2] in TARGETS, f"{job}: {command}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_a_workflow_may_read_and_nothing_else(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    # YAML 1.1 takes the key for a truth value.
    assert "push" in workflow[True]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 45


def test_the_workflows_do_what_must_pass_on_every_change() -> None:
    called = {
        command.partition(" ")[2]
        for path in WORKFLOWS
        for _, command in commands(yaml.safe_load(path.read_text("utf-8")))
    }
    assert made((ROOT / ".ci" / "run").read_text("utf-8")) <= called


def test_the_tests_run_on_every_python_that_is_supported() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))
    versions = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    oldest = re.search(
        r'^requires-python = ">=(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    assert oldest
    assert versions == ["3.10", "3.11", "3.12", "3.13", "3.14"]
    assert versions[0] == oldest[1], "unquoted, YAML takes 3.10 for 3.1"


@pytest.mark.parametrize("path", FORMS, ids=name)
def test_a_form_is_one_that_the_tracker_shows(path: Path) -> None:
    form = yaml.safe_load(path.read_text("utf-8"))
    assert set(form) <= {"name", "description", "title", "labels", "body"}
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    for field in fields:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
        assert set(field) <= {"type", "id", "attributes", "validations"}


# -- pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [path for path in PAGES if "docs" not in path.parts], ids=name)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    """Those of the documentation are followed when it is built, and in tests/documentation."""
    for target in re.findall(r"\]\(([\w./-]+)", path.read_text("utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", [ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md"], ids=name)
def test_every_path_that_a_contributor_is_sent_to_exists(path: Path) -> None:
    for target in re.findall(
        r"`((?:bnncore|hw|tests|docs|plugins|\.github|\.ci)/[\w./-]*)`", path.read_text("utf-8")
    ):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_no_page_promises_an_index(path: Path) -> None:
    """There is no release: ``pip install`` by name alone fails, or takes a stranger's package."""
    for command in re.findall(r"pip install ([^`\n|#]*)", path.read_text("utf-8")):
        # What lies in a folder beside the command is found there.
        if "--find-links" in command:
            continue
        named = {word.strip("'\"") for word in command.split()} & set(DISTRIBUTIONS)
        # In docs/releasing.md it is what the pages will say one day.
        assert not named or path.name == "releasing.md", command


def test_the_map_of_the_tests_lists_every_folder_and_nothing_that_is_gone() -> None:
    tests = ROOT / "tests"
    listed = set(re.findall(r"^\| `([\w./]+)` \|", (tests / "README.md").read_text("utf-8"), re.MULTILINE))
    folders = {
        f"{path.name}/"
        for path in tests.iterdir()
        if path.is_dir() and any(each.suffix in (".py", ".sh") for each in path.iterdir())
    }
    assert folders <= listed
    assert not [place for place in listed if not (tests / place).exists()]
