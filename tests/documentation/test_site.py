"""The site's pages: every one is in the navigation, and says nothing of a page that is not there."""

from __future__ import annotations

import pkgutil
import re
from importlib.util import find_spec

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


def _documented() -> set[str]:
    pages = (DOCS / "reference" / "api").glob("*.md")
    return {
        found
        for page in pages
        for found in re.findall(r"^::: ([\w.]+)$", page.read_text("utf-8"), re.MULTILINE)
    }


@pytest.mark.parametrize(
    "name", sorted({*bnncore.__all__, *bnnhw.__all__} - {"__version__", "hookimpl", "registry"})
)
def test_every_public_name_is_in_the_reference(name):
    """Pages are made from modules, or from a class of one; what is imported elsewhere is where it is defined."""
    thing = getattr(bnncore, name, None) or getattr(bnnhw, name)
    place = f"{thing.__module__}.{thing.__qualname__}"
    members = re.findall(r"members: \[(.*)\]", (DOCS / "reference" / "api" / "bnncore.md").read_text("utf-8"))
    listed = {f"bnncore.{each}" for each in members[0].split(", ")}
    documented = _documented() | listed
    assert documented & {place, thing.__module__, f"bnncore.{name}"}, place


def test_the_reference_is_made_of_what_is_there():
    """Modules are found and not imported, as one may need what is not installed; a class is looked up."""
    for place in _documented():
        try:
            there = find_spec(place)
        except ModuleNotFoundError:  # what it is in is no package
            there = None
        assert there or pkgutil.resolve_name(place), place
