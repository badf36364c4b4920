"""The site's pages: every one is in the navigation, and says nothing of a page that is not there."""

from __future__ import annotations

import re

from documentation.session import DOCS


def test_every_page_has_a_place():
    settings = (DOCS.parent / "mkdocs.yml").read_text()
    listed = set(re.findall(r"[\w./-]+\.md", settings))
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} <= listed


def test_every_link_to_a_page_leads_somewhere():
    for path in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+\.(?:md|svg|png))", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_top_level_module_is_in_the_architecture():
    text = (DOCS / "architecture.md").read_text()
    for name in ("hookspecs", "index", "plugins", "registry", "offers", "formats", "conformance", "boards"):
        assert f"bnncore.{name}`" in text
