"""The Python examples of the reference do what they show: each page is one session, in an empty folder."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from documentation.tables import REFERENCE

PAGES = [path for path in sorted(REFERENCE.rglob("*.md")) if "```pycon" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_examples_of_a_page_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = path.read_text("utf-8")
    # Line by line, so that a failure is shown at its place in the page.
    kept, inside = [], False
    for line in text.splitlines():
        fence = line.startswith("```")
        inside = line.startswith("```pycon") if fence else inside
        kept.append(line if inside and not fence else "")
    test = doctest.DocTestParser().get_doctest("\n".join(kept) + "\n", {}, path.name, str(path), 0)
    assert test.examples
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not failed, "".join(said)


def test_there_are_examples() -> None:
    assert len(PAGES) > 3


def test_every_example_in_a_prompt_is_one_that_is_run() -> None:
    """A block of ``python`` with prompts would be shown alike and run by nobody."""
    for path in sorted(REFERENCE.rglob("*.md")):
        assert not re.search(r"```python[^`]*^>>> ", path.read_text("utf-8"), re.MULTILINE), path.name
