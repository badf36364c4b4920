"""What sources and pages refer to is there: pages, and the headings in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from documentation.session import DOCS
from documentation.tables import slug

ROOT = DOCS.parent
SOURCES = ("bnncore", "hw", "plugins", "tests", "benchmarks")
SUFFIXES = {".py", ".c", ".h", ".sh", ".template"}

# The one form in sources: docs/<page>.md, with #<heading> where one is meant.
_REFERENCE = re.compile(r"\bdocs/(?P<page>[\w/.-]+?\.md)(?:#(?P<heading>[\w-]+))?")
_LINK = re.compile(r"\]\((?P<page>[\w/.-]+\.md)?(?:#(?P<heading>[^)\s]+))?\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def sources() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SOURCES],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    names = listed.stdout.splitlines() or [
        path.relative_to(ROOT).as_posix() for folder in SOURCES for path in (ROOT / folder).rglob("*")
    ]
    for name in names:
        if (ROOT / name).suffix in SUFFIXES and (ROOT / name).is_file():
            yield ROOT / name


def headings(page: Path) -> set[str]:
    """Return the anchors of a page; a heading that occurs again has a number, as on the site."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE):
        anchor, again = slug(re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading)), 0
        while f"{anchor}_{again}" in found or (not again and anchor in found):
            again += 1
        found.add(f"{anchor}_{again}" if again else anchor)
    return found


def test_every_reference_from_a_source_leads_to_a_page_and_heading() -> None:
    followed = 0
    for path in sources():
        for found in _REFERENCE.finditer(path.read_text("utf-8")):
            page, heading = DOCS / found["page"], found["heading"]
            where = f"{path.relative_to(ROOT)}: {found[0]}"
            assert page.is_file(), where
            assert heading is None or heading in headings(page), where
            followed += 1
    assert followed > 10


def test_no_source_refers_to_a_document_that_nobody_has() -> None:
    """A number of a section, or "the specification", says nothing to who does not have that text."""
    vague = re.compile(r"\bsections?\s+\d|\bformat\s+specification|\bbnn-pynq-format\b")
    for path in sources():
        if path != Path(__file__):
            found = vague.search(path.read_text("utf-8"))
            assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]}"


def test_every_link_to_a_heading_of_the_documentation_leads_there() -> None:
    followed = 0
    for path in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        for found in _LINK.finditer(_FENCE.sub("", path.read_text("utf-8"))):
            if found["heading"] is None:
                continue
            page = path.parent / found["page"] if found["page"] else path
            where = f"{path.relative_to(ROOT)}: {found[0]}"
            assert page.is_file(), where
            assert found["heading"] in headings(page), where
            followed += 1
    assert followed > 20


def test_headings_have_the_anchors_of_the_site() -> None:
    assert slug("golden.npz") == "goldennpz"
    assert slug("Which class wins") == "which-class-wins"
    assert slug("PE, SIMD") == "pe-simd"
    assert slug("What is *refused*, and `why`") == "what-is-refused-and-why"
