"""What the root's ``pyproject.toml`` decides: one version, the authors, and addresses that nobody has invented."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import bnnhw
import metadata
import pytest
import release_check

import bnncore

ROOT = Path(__file__).resolve().parent.parent
PROJECTS = [
    "pyproject.toml",
    "hw/pyproject.toml",
    *(f"plugins/{name}/pyproject.toml" for name in ("cifar10", "cucumber9", "mnist_lfc")),
]
PLACES = [
    *PROJECTS,
    "bnncore/__init__.py",
    "hw/bnnhw/__init__.py",
    "CITATION.cff",
    "SECURITY.md",
    "docs/security.md",
]
LICENCES = [Path(name).with_name("LICENSE").as_posix() for name in PROJECTS]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what the two tools look at, committed, in which no address is set."""
    place = tmp_path_factory.mktemp("original")
    for name in (*PLACES, *LICENCES, "CHANGELOG.md"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    settle(place, repository="", report="")
    write(place)
    commit(place)
    return place


@pytest.fixture
def checkout(original: Path, tmp_path: Path) -> Path:
    """Return a checkout to work in."""
    return shutil.copytree(original, tmp_path / "checkout")


def write(checkout: Path, *options: str) -> None:
    assert metadata.main(["--root", str(checkout), *options]) == 0


def settle(checkout: Path, **settings: str) -> None:
    """Set addresses, as the person who publishes does."""
    path = checkout / "pyproject.toml"
    text = path.read_text("utf-8")
    for name, value in settings.items():
        text, count = re.subn(rf'^{name} = ".*"$', f'{name} = "{value}"', text, flags=re.MULTILINE)
        assert count == 1, name
    path.write_text(text, "utf-8")


def commit(checkout: Path) -> None:
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "A state"]):
        identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", *identity, *command], cwd=checkout, check=True, capture_output=True)


def texts(checkout: Path) -> dict[str, str]:
    return {name: (checkout / name).read_text("utf-8") for name in PLACES}


# -- one version -----------------------------------------------------------------------------------


def test_every_file_repeats_what_is_decided() -> None:
    assert not metadata.differing(), "make metadata writes it"


def test_both_layers_say_that_version() -> None:
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    assert bnncore.__version__ == bnnhw.__version__ == version[1]


def test_a_version_is_written_into_every_file_that_has_one(checkout: Path) -> None:
    before = texts(checkout)
    having = {name for name, text in before.items() if bnncore.__version__ in text}
    assert having == {*PROJECTS, "bnncore/__init__.py", "hw/bnnhw/__init__.py", "CITATION.cff"}
    write(checkout, "--version", "3.14.15")
    for name, text in texts(checkout).items():
        assert text.count("3.14.15") == (name in having), name


@pytest.mark.parametrize(
    ("version", "bounds"),
    [("0.1.7", ">=0.1,<0.2"), ("0.2.0", ">=0.2,<0.3"), ("1.4.2", ">=1.4,<2"), ("0.2.0rc1", ">=0.2.0rc1,<0.3")],
)
def test_the_distributions_require_each_other_within_that_versions_bounds(
    checkout: Path, version: str, bounds: str
) -> None:
    write(checkout, "--version", version)
    required = [re.findall(r'"bnncore(?:-hw)?([<>=][^"]*)"', texts(checkout)[name]) for name in PROJECTS]
    assert required == [[bounds], [], [bounds], [bounds], [bounds]]


def test_going_back_leaves_no_trace(checkout: Path) -> None:
    before = texts(checkout)
    write(checkout, "--version", "3.14.15")
    write(checkout, "--version", bnncore.__version__)
    assert texts(checkout) == before


@pytest.mark.parametrize("version", ["", "1", "1.2", "v1.2.3", "1.2.3-final", '1.2.3"'])
def test_what_is_no_version_is_refused_and_nothing_written(
    checkout: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = texts(checkout)
    assert metadata.main(["--root", str(checkout), "--version", version]) == 1
    assert "expected a version such as 0.2.0" in capsys.readouterr().err
    assert texts(checkout) == before


def test_a_file_that_was_changed_alone_is_named(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = checkout / "hw" / "bnnhw" / "__init__.py"
    path.write_text(path.read_text("utf-8").replace(bnncore.__version__, "9.9.9"), "utf-8")
    before = texts(checkout)
    assert metadata.main(["--root", str(checkout), "--check"]) == 1
    assert capsys.readouterr().out.startswith("hw/bnnhw/__init__.py: ")
    assert texts(checkout) == before


def test_all_distributions_have_the_same_authors() -> None:
    for name in PROJECTS:
        lines = [line for line in (ROOT / name).read_text("utf-8").splitlines() if line.startswith("authors")]
        assert lines == ['authors = [{ name = "bnncore contributors" }]'], name


# -- addresses -------------------------------------------------------------------------------------


def test_without_a_setting_no_file_has_an_address(checkout: Path) -> None:
    for name, text in texts(checkout).items():
        assert "[project.urls]" not in text, name
        assert "repository-code" not in text, name
    assert "names no address for that yet" in texts(checkout)["SECURITY.md"]


def test_addresses_go_where_people_look_for_them(checkout: Path) -> None:
    settle(checkout, repository="https://code.example.org/b", report="mailto:safe@example.org")
    write(checkout)
    found = texts(checkout)
    for name in PROJECTS:
        assert '[project.urls]\nRepository = "https://code.example.org/b"\n\n[' in found[name], name
    assert 'repository-code: "https://code.example.org/b"\n' in found["CITATION.cff"]
    for name in ("SECURITY.md", "docs/security.md"):
        assert "Write to <mailto:safe@example.org>." in found[name]
        assert "names no address" not in found[name]
    assert not metadata.differing(checkout), "what is written once stays as it is"


def test_a_page_for_reports_stands_in_the_metadata(checkout: Path) -> None:
    settle(checkout, report="https://code.example.org/b/report")
    write(checkout)
    for name in PROJECTS:
        assert 'Security = "https://code.example.org/b/report"' in texts(checkout)[name]


def test_taking_an_address_back_leaves_no_trace(checkout: Path) -> None:
    before = texts(checkout)
    settle(checkout, repository="https://code.example.org/b", report="https://code.example.org/b/report")
    write(checkout)
    settle(checkout, repository="", report="")
    write(checkout)
    assert texts(checkout) == before


# -- the release check -----------------------------------------------------------------------------


@pytest.fixture
def obstacles(capsys: pytest.CaptureFixture[str]) -> Callable[[Path], str]:
    """Return a function that says what keeps a checkout from being released."""

    def ask(checkout: Path) -> str:
        capsys.readouterr()
        assert release_check.main(["--root", str(checkout)]) == 1
        return capsys.readouterr().out

    return ask


def released(checkout: Path) -> None:
    """Do all that docs/releasing.md asks for."""
    settle(checkout, repository="https://code.example.org/b", report="mailto:safe@example.org")
    write(checkout, "--version", "0.2.0")
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.2.0 (2027-01-31)\n\n- All.\n")
    commit(checkout)


@pytest.mark.parametrize(
    ("setting", "purpose"),
    [("repository", "where the sources are"), ("report", "tell of a weakness in private")],
)
def test_an_address_that_is_not_set_keeps_from_releasing(
    checkout: Path, obstacles: Callable[[Path], str], setting: str, purpose: str
) -> None:
    released(checkout)
    settle(checkout, **{setting: ""})
    (line,) = [line for line in obstacles(checkout).splitlines() if "is not set" in line]
    assert line.startswith(f"- {setting} in [tool.bnncore.project] of pyproject.toml is not set.")
    assert purpose in line


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("repository", "http://code.example.org/b"),
        ("repository", "code.example.org"),
        ("report", "safe@example.org"),
        ("report", "mailto:somebody"),
        ("report", "TODO"),
    ],
)
def test_what_is_no_address_keeps_from_releasing(
    checkout: Path, obstacles: Callable[[Path], str], setting: str, value: str
) -> None:
    released(checkout)
    settle(checkout, **{setting: value})
    assert f"- {setting} in [tool.bnncore.project] of pyproject.toml: expected an https" in obstacles(checkout)


def test_a_changelog_that_does_not_know_the_version_keeps_from_releasing(
    checkout: Path, obstacles: Callable[[Path], str]
) -> None:
    released(checkout)
    write(checkout, "--version", "0.3.0")
    assert "CHANGELOG.md: expected a heading '## 0.3.0 (year-month-day)'" in obstacles(checkout)


def test_changes_that_belong_to_no_version_keep_from_releasing(
    checkout: Path, obstacles: Callable[[Path], str]
) -> None:
    released(checkout)
    path = checkout / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## Unreleased\n", "## Unreleased\n\n- One more.\n"))
    assert "'Unreleased' is not empty" in obstacles(checkout)


def test_a_file_that_differs_keeps_from_releasing(checkout: Path, obstacles: Callable[[Path], str]) -> None:
    released(checkout)
    path = checkout / "plugins/cifar10/pyproject.toml"
    path.write_text(path.read_text("utf-8").replace('version = "0.2.0"', 'version = "0.1.9"'), "utf-8")
    assert "- plugins/cifar10/pyproject.toml says something else" in obstacles(checkout)


def test_a_distribution_without_its_licence_keeps_from_releasing(
    checkout: Path, obstacles: Callable[[Path], str]
) -> None:
    released(checkout)
    (checkout / "hw" / "LICENSE").unlink()
    assert "- bnncore-hw: expected a copy of LICENSE in hw, found none" in obstacles(checkout)


def test_what_is_not_committed_keeps_from_releasing(checkout: Path, obstacles: Callable[[Path], str]) -> None:
    released(checkout)
    (checkout / "new").write_text("")
    assert "- git status: expected nothing that is not committed, found\n?? new\n" in obstacles(checkout)


def test_when_all_is_done_it_is_ready(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released(checkout)
    capsys.readouterr()
    code = release_check.main(["--root", str(checkout)])
    assert (code, capsys.readouterr().out) == (0, "0.2.0 is ready to be released.\n")
