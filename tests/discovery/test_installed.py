"""Metadata of each distribution are read by themselves: a broken one harms no other, and of one name there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bnncore
from bnncore.discovery.entry_points import parse_entry_points
from bnncore.discovery.index import Index
from bnncore.discovery.installed import find_installed, read_installed, version_of
from bnncore.discovery.kinds import DATASET

METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"
OFFER = "[bnncore.datasets]\npets = bnn_pets\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that comes first on ``sys.path``."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def put(site: Path, folder: str, files: dict[str, str | bytes]) -> Path:
    """Write the metadata of a distribution."""
    place = site / folder
    place.mkdir(parents=True)
    for name, content in files.items():
        (place / name).write_bytes(content.encode() if isinstance(content, str) else content)
    bnncore.registry.refresh()
    return place


def faults() -> str:
    return "\n".join(fault.text for fault in read_installed(thorough=True).faults)


def serious() -> list[str]:
    return [fault.text for fault in read_installed(thorough=True).faults if fault.concerns]


GARBAGE = bytes(range(256)) * 40
BROKEN = {
    "a byte of Latin-1": ("entry_points.txt", b"# J\xf6rg\n[x]\na = b\n"),
    "no pair": ("entry_points.txt", b"[x]\njust text\n"),
    "no group": ("entry_points.txt", b"a = b\n"),
    "an open group": ("entry_points.txt", b"[x\na = b\n"),
    "garbage for entry points": ("entry_points.txt", GARBAGE),
    "too many entry points": ("entry_points.txt", b"#" * (2**20 + 1)),
    "a folder of entry points": ("entry_points.txt", None),
    "an empty METADATA": ("METADATA", b""),
    "a folder METADATA": ("METADATA", None),
    "no name": ("METADATA", b"Metadata-Version: 2.1\nVersion: 1.0\n"),
    "no version": ("METADATA", b"Metadata-Version: 2.1\nName: foo\n"),
    "escapes for a name": ("METADATA", METADATA.format("\x1b[31mfoo", "1.0").encode()),
    "garbage for METADATA": ("METADATA", GARBAGE),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_metadata_of_a_stranger_are_a_fault_and_harm_nobody(site, install, kind):
    name, content = BROKEN[kind]
    place = put(site, "foo-1.0.dist-info", {"METADATA": METADATA.format("foo", "1.0")})
    (place / name).unlink(missing_ok=True)
    if content is None:
        (place / name).mkdir()
    else:
        (place / name).write_bytes(content)
    expect_a_note_about(place, install)


def test_an_empty_folder_of_a_stranger_is_a_fault_and_harms_nobody(site, install):
    expect_a_note_about(put(site, "foo-1.0.dist-info", {}), install)


def test_a_link_that_leads_nowhere_is_a_fault_and_harms_nobody(site, install):
    place = put(site, "foo-1.0.dist-info", {"METADATA": METADATA.format("foo", "1.0")})
    (place / "entry_points.txt").symlink_to(place / "entry_points.txt")
    expect_a_note_about(place, install)


def expect_a_note_about(place: Path, install: Callable[..., Path]) -> None:
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    assert "pets" in Index.scan().names(DATASET)
    assert version_of("bnn-pets") == "1.0"
    (fault,) = (each for each in read_installed(thorough=True).faults if str(place) in each.text)
    assert not fault.concerns
    assert fault.text.isprintable()
    assert "reinstall" in fault.text
    assert version_of("foo") == "1.0"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_not_waited_for(site):
    place = put(site, "foo-1.0.dist-info", {"METADATA": METADATA.format("foo", "1.0")})
    os.mkfifo(place / "entry_points.txt")
    assert f"{place}/entry_points.txt: cannot be read: it is no file" in faults()


def test_what_may_not_be_read_is_a_fault(site, monkeypatch):
    place = put(site, "bnn_foo-1.0.dist-info", {"METADATA": METADATA.format("bnn-foo", "1.0")})
    reads = os.open

    def refuse(path, flags, *rest, **others):
        if str(path).endswith("entry_points.txt") and str(site) in str(path):
            raise PermissionError(13, "Permission denied", path)
        return reads(path, flags, *rest, **others)

    monkeypatch.setattr(os, "open", refuse)
    (fault,) = Index.scan().faults
    assert fault == f"{place}/entry_points.txt: cannot be read: Permission denied; reinstall bnn-foo"


def test_one_bad_line_costs_only_itself(site):
    text = "# J\xf6rg\n[bnncore.datasets]\njust text\npets = bnn_pets\nbad = no module!\n"
    put(
        site,
        "bnn_pets-1.0.dist-info",
        {"METADATA": METADATA.format("bnn-pets", 1), "entry_points.txt": text.encode("latin-1")},
    )
    index = Index.scan()
    assert "pets" in index.names(DATASET)
    assert "bad" not in index.names(DATASET)
    (fault,) = index.faults
    assert "byte 3 is not UTF-8" in fault


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("pets = bnn_pets", "bnn_pets"),
        ("pets=bnn_pets [extra]", "bnn_pets"),
        ("pets = bnn_pets[a,b]", "bnn_pets"),
        ("pets = bnn_pets.deep : plugin.inner [ x ]", "bnn_pets.deep:plugin.inner"),
    ],
)
def test_an_extra_is_no_part_of_the_module(site, line, value):
    put(
        site,
        "bnn_pets-1.dist-info",
        {
            "METADATA": METADATA.format("bnn-pets", 1),
            "entry_points.txt": f"\ufeff; note\r\n[bnncore.datasets]\r\n{line}\r\n",
        },
    )
    index = Index.scan()
    assert [claim.value for claim in index.of(DATASET, "pets")] == [value]
    assert index.faults == ()


def test_sections_and_lines_that_come_twice_are_one_offer(site):
    text = OFFER + "Pets = bnn_pets\n[other]\na = b\n" + OFFER
    put(site, "bnn_pets-1.dist-info", {"METADATA": METADATA.format("bnn-pets", 1), "entry_points.txt": text})
    assert Index.scan().owner(DATASET, "pets").owner == "bnn-pets 1"


def test_one_distribution_that_offers_a_name_twice_is_not_to_be_disabled_for_itself(site):
    text = OFFER + "Pets = bnn_pets.other\n"
    put(site, "bnn_pets-1.dist-info", {"METADATA": METADATA.format("bnn-pets", 1), "entry_points.txt": text})
    with pytest.raises(bnncore.ConflictError, match="twice by one distribution") as raised:
        Index.scan().owner(DATASET, "pets")
    assert "BNNCORE_DISABLE" not in str(raised.value)


@pytest.mark.parametrize("stem", ["~nn_pets", "~~n_pets", "-nn_pets", "~"])
def test_what_pip_left_over_offers_nothing_and_is_named(site, install, stem):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}}, version="2.0")
    place = put(
        site,
        f"{stem}-1.0.dist-info",
        {"METADATA": METADATA.format("bnn-pets", "1.0"), "entry_points.txt": OFFER},
    )
    index = Index.scan()
    assert index.owner(DATASET, "pets").owner == "bnn-pets 2.0"
    (fault,) = index.faults
    assert fault.startswith(f"{place}: left over")
    assert "delete this folder" in fault
    assert version_of("bnn-pets") == "2.0"


@pytest.mark.parametrize(
    "files", [{}, {"entry_points.txt": OFFER}, {"METADATA": "", "entry_points.txt": OFFER}]
)
def test_an_old_folder_that_is_not_whole_hides_nothing(site, install, files):
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}}, version="2.0")
    # As the first on the path.
    sys.path.remove(str(site))
    sys.path.insert(0, str(site))
    place = put(site, "bnn_pets-0.0.9.dist-info", files)
    assert Index.scan().owner(DATASET, "pets").owner == "bnn-pets 2.0"
    assert version_of("bnn_Pets") == "2.0"
    (fault,) = serious()
    assert fault.startswith(f"{place}: left over")
    assert "bnn-pets 2.0" in fault


@pytest.mark.parametrize(
    "versions", [("0.9", "0.10"), ("1.0rc1", "1.0"), ("1.0", "1.0.post1"), ("1.0.dev3", "1.0a1")]
)
def test_of_two_versions_in_one_folder_the_higher_is_taken(site, versions):
    for version in versions:
        put(
            site,
            f"bnn_pets-{version}.dist-info",
            {"METADATA": METADATA.format("bnn-pets", version), "entry_points.txt": OFFER},
        )
    assert [claim.version for claim in Index.scan().of(DATASET, "pets")] == [versions[1]]
    (fault,) = serious()
    assert f"bnn_pets-{versions[0]}.dist-info: a second installation" in fault
    assert "until none is left" in fault


def test_of_two_folders_the_first_on_the_path_is_taken(tmp_path, monkeypatch):
    for version in ("2.0", "1.0"):
        folder = tmp_path / version
        put(
            folder,
            f"bnn_pets-{version}.dist-info",
            {"METADATA": METADATA.format("Bnn.Pets", version), "entry_points.txt": OFFER},
        )
        monkeypatch.syspath_prepend(str(folder))
    assert [claim.owner for claim in Index.scan().of(DATASET, "pets")] == ["Bnn.Pets 1.0"]
    (fault,) = serious()
    assert str(tmp_path / "2.0") in fault
    assert "DISABLE" not in fault


def test_what_a_link_to_sources_left_in_them_is_no_second_installation(tmp_path, site, monkeypatch):
    origin = {"url": (tmp_path / "project").as_uri(), "dir_info": {"editable": True}}
    put(
        site,
        "bnn_pets-2.0.dist-info",
        {
            "METADATA": METADATA.format("bnn-pets", "2.0"),
            "entry_points.txt": OFFER,
            "direct_url.json": json.dumps(origin),
        },
    )
    sources = tmp_path / "project" / "src"
    put(
        sources,
        "bnn_pets.egg-info",
        {"PKG-INFO": METADATA.format("bnn-pets", "1.0"), "entry_points.txt": OFFER},
    )
    monkeypatch.syspath_prepend(str(sources))
    assert [claim.version for claim in Index.scan().of(DATASET, "pets")] == ["2.0"]
    assert serious() == []


def test_a_folder_that_is_twice_on_the_path_counts_once(site, tmp_path, monkeypatch):
    put(site, "bnn_pets-1.dist-info", {"METADATA": METADATA.format("bnn-pets", 1), "entry_points.txt": OFFER})
    (tmp_path / "link").symlink_to(site)
    monkeypatch.syspath_prepend(str(tmp_path / "link"))
    monkeypatch.syspath_prepend(str(site) + "/")
    assert len(Index.scan().of(DATASET, "pets")) == 1
    assert serious() == []


def test_eggs_and_zip_files_are_read_too(tmp_path, site, monkeypatch):
    put(
        site,
        "bnn_a.egg-info",
        {"PKG-INFO": METADATA.format("bnn-a", 1), "entry_points.txt": OFFER.replace("pets", "a")},
    )
    (site / "bnn_old-1.egg-info").write_text(METADATA.format("bnn-old", 1))
    egg = tmp_path / "bnn_b-1-py3.egg"
    put(
        egg,
        "EGG-INFO",
        {"PKG-INFO": METADATA.format("bnn-b", 1), "entry_points.txt": OFFER.replace("pets", "b")},
    )
    archive = tmp_path / "plugins.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bnn_c-1.dist-info/METADATA", METADATA.format("bnn-c", 1))
        file.writestr("bnn_c-1.dist-info/entry_points.txt", OFFER.replace("pets", "c"))
    monkeypatch.syspath_prepend(str(egg))
    monkeypatch.syspath_prepend(str(archive))
    assert {"a", "b", "c"} <= set(Index.scan().names(DATASET))
    assert version_of("bnn-old") == version_of("bnn-c") == "1"
    assert serious() == []


@pytest.mark.parametrize(
    "entry", ["/no/such/folder", "\0", "x" * 5000, 3, None, b"/tmp", Path("/tmp"), "{file}", "{file}/below"]
)
def test_whatever_stands_on_the_path_harms_nobody(tmp_path, monkeypatch, install, entry):
    (tmp_path / "file").write_text("no folder and no zip file")
    if isinstance(entry, str):
        entry = entry.replace("{file}", str(tmp_path / "file"))
    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    monkeypatch.setattr(sys, "path", [entry, *sys.path])
    assert "pets" in Index.scan().names(DATASET)
    assert version_of("bnn-pets") == "1.0"


def test_a_finder_that_raises_is_a_fault(monkeypatch, install):
    class Finder:
        def find_spec(self, *_):
            return None

        def find_distributions(self, context):
            raise RuntimeError("no metadata today")

    install("bnn-pets", {DATASET.group: {"pets": "bnn_pets"}})
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert "pets" in Index.scan().names(DATASET)
    assert "finder Finder: cannot be read: no metadata today" in faults()


def test_an_origin_that_is_no_record_is_none(site):
    put(
        site,
        "bnn_pets-1.dist-info",
        {"METADATA": METADATA.format("bnn-pets", 1), "direct_url.json": "[" * 10000},
    )
    found = find_installed("bnn-pets")
    assert found is not None
    assert found.origin() == {}
    assert found.metadata().version == "1"


def test_names_and_modules_have_an_end(site):
    text = f"[bnncore.datasets]\n{'a' * 101} = bnn_pets\npets = {'b' * 501}\n"
    put(site, "bnn_pets-1.dist-info", {"METADATA": METADATA.format("bnn-pets", 1), "entry_points.txt": text})
    index = Index.scan()
    assert not [claim for claim in index.claims if claim.distribution == "bnn-pets"]
    assert len(index.faults) == 2
    assert all(len(fault) < 400 + len(str(site)) for fault in index.faults)


@given(
    st.binary()
    | st.lists(st.sampled_from((OFFER, "[", "]", "=", "bnncore.", "\ufeff", "\r", "#")))
    .map("".join)
    .map(str.encode)
)
@example(b"\xef\xbb\xbf[bnncore.datasets]\r\npets=bnn_pets")
@example(b"\xff\xfe[\0b\0n\0n\0c\0o\0r\0e\0.\0")
def test_any_bytes_are_entries_or_a_problem_in_one_line(data):
    entries, problem = parse_entry_points(data)
    assert all(entry.group.startswith("bnncore.") and entry.name for entry in entries)
    assert problem is None or (problem.isprintable() and len(problem) < 400)


def test_no_start_pays_for_the_import_of_importlib_metadata():
    script = """
import sys
before = set(sys.modules)
import bnncore
assert "cifar10" in bnncore.names()
assert "importlib.metadata" not in set(sys.modules) - before
"""
    subprocess.run([sys.executable, "-c", script], check=True)
