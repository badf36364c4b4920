"""What is installed: the metadata of each distribution, read by itself, so that a broken one harms no other.

All metadata are read here, not by ``importlib.metadata``: that ends at the first file that it cannot read, and takes
what is found first for the distribution, be it an empty folder.
"""
# ruff: noqa: PTH118, PTH120  # Paths as text: every start reads hundreds, and pathlib would take most of the time.

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from bnncore.discovery.blocklist import canonical_distribution
from bnncore.discovery.entry_points import PREFIX, Entry, parse_entry_points
from bnncore.discovery.metadata_folders import HEADERS, Found, search
from bnncore.files import unreadable
from bnncore.plain_text import one_line

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["Fault", "Installed", "Inventory", "find_installed", "read_installed", "version_of"]

_ENTRIES = "entry_points.txt"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?", re.IGNORECASE)
_FORMS = {"name": _NAME, "version": re.compile(r"[a-z0-9.!+_-]{1,60}", re.IGNORECASE)}
# Where a word stands beside the end of a version (1) and a number (3); those that are not named come after a release.
_WORDS = {"dev": -1, **dict.fromkeys(("a", "alpha", "b", "beta", "c", "pre", "preview", "rc"), 0)}


class Fault(NamedTuple):
    """Something wrong with metadata.

    Attributes:
        text: folder or file, reason, and what to do.
        distribution: whose metadata they are, canonical; empty if they do not even tell that.
        concerns: whether it touches what bnncore uses; else only its owner need care.
    """

    text: str
    distribution: str
    concerns: bool


class Installed(NamedTuple):
    """One distribution.

    Attributes:
        name: as it declares it.
        version: as it declares it; ``unknown`` if it does not.
        place: folder of its metadata, or what comes next to that.
        entries: its entry points in groups of bnncore.
        whole: whether its metadata name it and its version.
        read: returns the content of one of its files of metadata, or None if it has none such.
        source: what ``importlib.metadata`` knows it as, where that found it.
    """

    name: str
    version: str
    place: str
    entries: tuple[Entry, ...]
    whole: bool
    read: Callable[[str], bytes | None]
    source: Any = None

    def origin(self) -> dict[str, Any]:
        """Return where the installer had it from (PEP 610), or nothing."""
        import json

        try:
            found = json.loads(self.read("direct_url.json") or b"{}")
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def metadata(self) -> Distribution:
        """Return it as the standard library has it, for all that bnncore itself need not know."""
        from importlib.metadata import Distribution

        found: Distribution = self.source if self.source is not None else Distribution.at(self.place)
        return found


class Inventory(NamedTuple):
    """What is installed at one moment.

    Attributes:
        distributions: one of a name, in order of ``sys.path``.
        faults: what is wrong with metadata.
    """

    distributions: tuple[Installed, ...]
    faults: tuple[Fault, ...]


def read_installed(*, thorough: bool = False) -> Inventory:
    """Read the metadata of what offers something to bnncore; imports nothing of it.

    Of several that claim one name, the first on ``sys.path`` is taken whose metadata are whole, as imports go by that
    order too; within one folder, that of the highest version.

    Args:
        thorough: read those of all others too, and so find what is wrong with them: slower, for a diagnosis.
    """
    reader = _Reader(thorough)
    return reader.settle(reader.examine(found) for found in reader.search())


def find_installed(name: str) -> Installed | None:
    """Return a distribution by its name in any spelling, or None if it is not installed."""
    asked = canonical_distribution(name)
    reader = _Reader(thorough=True)
    # What a finder knows without a folder has its name in its metadata alone.
    near = (each for each in reader.search() if canonical_distribution(_of_folder(each.stem)[0]) in (asked, ""))
    found = reader.settle(reader.examine(each) for each in near).distributions
    return next((each for each in found if canonical_distribution(each.name) == asked), None)


def version_of(name: str) -> str | None:
    """Return the version of a distribution, or None if it is not installed."""
    found = find_installed(name)
    return None if found is None else found.version


class _Reader:
    """Reads distributions one after the other, and keeps what is wrong."""

    def __init__(self, thorough: bool) -> None:
        self._thorough = thorough
        self._faults: list[Fault] = []

    def search(self) -> Iterator[Found]:
        """Yield where metadata are."""
        return search(lambda problem: self._note(problem, "", False))

    # -- one distribution --------------------------------------------------------------------

    def examine(self, found: Found) -> _Examined | None:
        """Read one distribution; None if it is none, or if it offers nothing and nobody wants to know of it."""
        name, version = _of_folder(found.stem)
        data, problem = _attempt(found, _ENTRIES)
        offers = data is not None and PREFIX.encode() in data
        if not (self._thorough or offers or problem):
            return None
        entries: tuple[Entry, ...] = ()
        if data is not None:
            entries, wrong = parse_entry_points(data)
            problem = wrong and f"{one_line(os.path.join(found.place, _ENTRIES))}: {wrong}"
        headers, lack = _headers(found)
        declared = headers.get("name", name)
        named = _NAME.fullmatch(declared) is not None
        concerns = offers or canonical_distribution(declared).startswith("bnn")
        # pip moves what it uninstalls to such names, and puts it back or deletes it, unless it is killed.
        left_over = bool(found.stem) and not _NAME.fullmatch(name)
        if not named and not left_over:
            # Known to a finder alone, and that does not name it.
            return None
        problems = [] if problem is None else [problem]
        if lack is not None:
            gone = f" (if {declared} is gone, delete this folder)" if not headers and data is None else ""
            problems.append(f"{lack}{gone}")
        installed = Installed(
            name=declared,
            version=headers.get("version", version) or "unknown",
            place=found.place,
            entries=entries,
            whole=lack is None,
            read=found.read,
            source=found.source,
        )
        return _Examined(installed, tuple(problems), concerns, left_over)

    # -- one of a name -----------------------------------------------------------------------

    def settle(self, examined: Iterable[_Examined | None]) -> Inventory:
        """Decide which of several is the distribution of a name."""
        by_name: dict[str, list[_Examined]] = {}
        rests = []
        for each in examined:
            if each is not None and each.left_over:
                rests.append(each)
            elif each is not None:
                by_name.setdefault(canonical_distribution(each.installed.name), []).append(each)
        chosen: dict[str, Installed] = {}
        for name, several in by_name.items():
            first = several[0] if len(several) == 1 else self._choose(name, several)
            chosen[name] = first.installed
            advice = f"reinstall {first.installed.name}"
            if not first.concerns:
                advice += ", or leave it: it offers nothing to bnncore"
            for problem in first.problems:
                self._note(f"{problem}; {advice}", name, first.concerns)
        for rest in rests:
            self._note_rest(rest, chosen.get(canonical_distribution(rest.installed.name)))
        return Inventory(tuple(chosen.values()), tuple(dict.fromkeys(self._faults)))

    def _choose(self, name: str, several: list[_Examined]) -> _Examined:
        """Return the one that is used, and note the others; what a build left in linked sources is none."""
        folders = list(dict.fromkeys(os.path.dirname(each.installed.place) for each in several))
        several = sorted(several, key=lambda each: _release(each.installed.version), reverse=True)
        several.sort(
            key=lambda each: (
                not each.installed.entries,
                not each.installed.whole,
                folders.index(os.path.dirname(each.installed.place)),
            )
        )
        makers = [project for each in several if (project := _project(each.installed)) is not None]
        made = [each for each in several if _within(each.installed, makers)]
        several = [each for each in several if each not in made] or several
        first, *others = several
        concerns = any(each.concerns for each in several)
        used = first.installed
        for other in (each.installed for each in others):
            if os.path.realpath(other.place) == os.path.realpath(used.place):
                continue
            where, taken = one_line(other.place), _taken(used)
            if not other.whole:
                text = f"{where}: left over from another installation; {taken}: delete this folder"
            elif os.path.dirname(other.place) == os.path.dirname(used.place):
                text = (
                    f"{where}: a second installation of {used.name}, {other.version}, in one folder; {taken}: "
                    "uninstall it until none is left, then install it once"
                )
            else:
                text = (
                    f"{where}: a second installation of {used.name}, {other.version}; {taken}: uninstall either"
                )
            self._note(text, name, concerns)
        return first

    def _note_rest(self, rest: _Examined, used: Installed | None) -> None:
        name = rest.installed.name
        advice = "delete this folder"
        if used is not None:
            advice = f"{_taken(used)}: {advice}"
        elif _NAME.fullmatch(name):
            advice += f", and install {name} again if you need it"
        text = f"{one_line(rest.installed.place)}: left over by an installer that was interrupted; {advice}"
        self._note(text, canonical_distribution(name), rest.concerns)

    def _note(self, text: str, distribution: str, concerns: bool) -> None:
        self._faults.append(Fault(text, distribution, concerns))


class _Examined(NamedTuple):
    """A distribution, what is wrong with its metadata, whether that touches bnncore, and whether it is but a rest."""

    installed: Installed
    problems: tuple[str, ...]
    concerns: bool
    left_over: bool


def _taken(used: Installed) -> str:
    return f"{used.name} {used.version} in {one_line(used.place)} is used"


def _attempt(found: Found, name: str) -> tuple[bytes | None, str | None]:
    """Return the content of a file of metadata, or why it cannot be read, or neither if there is none."""
    try:
        return found.read(name), None
    except Exception as error:
        # Of the system, or of anybody's finder.
        return None, unreadable(one_line(os.path.join(found.place, name)), error)


def _headers(found: Found) -> tuple[dict[str, str], str | None]:
    """Return name and version as metadata declare them, as far as they do, and what is missing."""
    data = problem = None
    # An old installer wrote one file, in the place of a folder.
    for file in (*HEADERS, "") if found.place.endswith(".egg-info") else HEADERS:
        data, problem = _attempt(found, file)
        if data is not None or problem is not None:
            break
    if data is None:
        return {}, problem or f"{one_line(found.place)}: METADATA is missing"
    declared: dict[str, str] = {}
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if not line.strip():
            break
        key, _, value = line.partition(b":")
        if key.lower() in (b"name", b"version"):
            declared.setdefault(key.decode().lower(), value.decode("utf-8", "replace").strip())
        if len(declared) == 2:
            break
    valid = {key: value for key, value in declared.items() if _FORMS[key].fullmatch(value)}
    missing = [key.capitalize() for key in _FORMS if key not in valid]
    if not missing:
        return valid, None
    return valid, f"{one_line(found.place)}: METADATA has no valid {' and no valid '.join(missing)}"


def _of_folder(stem: str) -> tuple[str, str]:
    """Return name and version as the name of a folder of metadata has them; either may be empty."""
    name, _, rest = stem.partition("-")
    version = rest.partition("-")[0]
    return name, version if _FORMS["version"].fullmatch(version) else ""


def _project(installed: Installed) -> str | None:
    """Return the folder of sources that a distribution is installed from as a link, or None."""
    if not installed.place.endswith(".dist-info"):
        return None
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    origin = installed.origin()
    folder, address = origin.get("dir_info"), urlparse(str(origin.get("url")))
    if not isinstance(folder, dict) or not folder.get("editable") or address.scheme != "file":
        return None
    return os.path.realpath(url2pathname(address.path))


def _within(installed: Installed, projects: list[str]) -> bool:
    """Say whether metadata are but what building one of the projects left in its sources."""
    place = os.path.realpath(installed.place)
    return place.endswith(".egg-info") and any(place.startswith(os.path.join(each, "")) for each in projects)


def _release(version: str) -> list[tuple[int, int, str]]:
    """Return what versions are ordered by; what they say of local builds and epochs is not weighed."""
    parts: list[tuple[int, int, str]] = []
    for number, word in re.findall(r"(\d+)|([a-z]+)", version.lower()):
        parts.append((3, int(number), "") if number else (_WORDS.get(word, 2), 0, word))
    return [*parts, (1, 0, "")]
