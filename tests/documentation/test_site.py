"""The site's pages: every one is in the navigation, and says nothing of a page that is not there."""

from __future__ import annotations

import pkgutil
import re

import bnnhw
import pytest
from documentation.session import DOCS

import bnncore


def test_every_page_has_a_place():
    settings = (DOCS.parent / "mkdocs.yml").read_text()
    listed = set(re.findall(r"[\w./-]+\.md", settings))
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} <= listed


def test_every_link_to_a_page_leads_somewhere():
    for path in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\(([\w./-]+\.(?:md|svg|png))", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("package", [bnncore, bnnhw], ids=lambda package: package.__name__)
def test_the_architecture_lists_every_room_and_nothing_else(package):
    """Rooms are folders, and the modules beside them; what begins with ``_`` is nobody's business."""
    text = (DOCS / "architecture.md").read_text("utf-8")
    (folder,) = package.__path__
    rooms = {f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules([folder])}
    listed = set(re.findall(rf"^\| `({package.__name__}\.\w+)` \|", text, re.MULTILINE))
    assert listed == {room for room in rooms if not room.rpartition(".")[2].startswith("_")}
