"""From a name to records: owners, conflicts, blocks, broken plugins."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

import bnncore
from bnncore.discovery import kinds
from bnncore.discovery.host import PluginWarning
from bnncore.discovery.resolve import resolve
from bnncore.errors import (
    AmbiguousError,
    BlockedError,
    BnnError,
    ConflictError,
    PluginError,
    UnknownNameError,
)

TOPOLOGY = """
from bnncore import Conv, Dense, Input, Topology, hookimpl

@hookimpl
def bnncore_topology(name):
    if name != "tiny":
        return None
    return Topology(name="tiny", input=Input(height=4, width=4), layers=(Dense(outputs=3),))
"""


def offer_topology(install, source, distribution="bnn-tiny", name="tiny", version="1.0"):
    module = distribution.replace("-", "_")
    return install(
        distribution, {kinds.TOPOLOGY.group: {name: module}}, {f"{module}/__init__.py": source}, version=version
    )


# -- finding -------------------------------------------------------------------------------------


def test_a_topology_of_a_third_party_is_found(install, registry):
    offer_topology(install, TOPOLOGY)
    assert registry.topology("tiny").outputs == 3


def test_only_the_owner_is_imported(install, registry):
    offer_topology(install, TOPOLOGY)
    offer_topology(install, "raise SystemExit('imported')", "bnn-other", "other")
    registry.topology("tiny")
    assert "bnn_tiny" in sys.modules
    assert "bnn_other" not in sys.modules


def test_an_unknown_name_suggests_close_ones_and_how_to_install(install, registry):
    install("bnn-pets", {kinds.DATASET.group: {"pets": "bnn_pets"}})
    # A slip of the pen is no reason to install what somebody else has put under that name.
    with pytest.raises(UnknownNameError, match=r"dataset 'Pest'; did you mean 'pets'\?$"):
        registry.dataset("Pest")
    with pytest.raises(UnknownNameError, match=r"installed: .*pets.*pip install bnn-no-such"):
        registry.dataset("no-such")
    with pytest.raises(UnknownNameError, match=r"topology 'cnvW9A9'; did you mean 'cnvW"):
        registry.topology("cnvW9A9")
    with pytest.raises(UnknownNameError, match=r"for example './weights.npz'"):
        registry.dataset("weights.npz")


def test_a_distribution_installed_meanwhile_is_found(install, registry):
    with pytest.raises(UnknownNameError):
        registry.topology("tiny")
    offer_topology(install, TOPOLOGY)
    assert registry.topology("tiny").name == "tiny"


def test_a_hook_is_called_only_on_the_owner(install, registry):
    offer_topology(install, TOPOLOGY)
    greedy = TOPOLOGY.replace('if name != "tiny":\n        return None', "").replace("outputs=3", "outputs=9")
    offer_topology(install, greedy.replace('name="tiny"', "name=name"), "bnn-greedy", "greedy")
    assert registry.topology("greedy").outputs == 9
    assert registry.topology("tiny").outputs == 3


# -- conflicts and blocks --------------------------------------------------------------------------


def test_a_conflict_names_both_distributions_and_versions(install, registry):
    offer_topology(install, TOPOLOGY, version="1.0")
    offer_topology(install, TOPOLOGY, "bnn-tiny-too", version="2.5")
    with pytest.raises(ConflictError, match=r"bnn-tiny 1\.0 .* and bnn-tiny-too 2\.5 .*BNNCORE_DISABLE"):
        registry.topology("tiny")
    assert "bnn_tiny" not in sys.modules


def test_blocking_one_side_settles_a_conflict(install, registry, monkeypatch):
    offer_topology(install, TOPOLOGY)
    offer_topology(install, "raise RuntimeError", "bnn-tiny-too")
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-tiny-too")
    assert registry.topology("tiny").outputs == 3


def test_a_blocked_plugin_is_not_imported(install, registry, monkeypatch):
    offer_topology(install, TOPOLOGY)
    monkeypatch.setenv("BNNCORE_DISABLE", "bnn-tiny")
    with pytest.raises(BlockedError, match=r"bnn-tiny 1\.0 is blocked.*BNNCORE_DISABLE"):
        registry.topology("tiny")
    assert "bnn_tiny" not in sys.modules


# -- broken plugins --------------------------------------------------------------------------------

BROKEN = {
    "raises at import": ("raise RuntimeError('kaputt')", "RuntimeError: kaputt"),
    "exits at import": ("raise SystemExit(3)", "SystemExit"),
    "lacks a module": ("import no_such_module", "no_such_module"),
    "raises in a hook": (
        TOPOLOGY.replace("if name", "raise ValueError('oops')\n    if name"),
        "ValueError: oops",
    ),
    "exits in a hook": (TOPOLOGY.replace("if name", "raise SystemExit\n    if name"), "SystemExit"),
    "returns the wrong type": (
        TOPOLOGY.replace("return Topology", "return dict"),
        "returned dict, expected Topology",
    ),
    "returns none": (TOPOLOGY.replace('!= "tiny"', '== "tiny"'), "returned None"),
    "returns another name": (
        TOPOLOGY.replace('Topology(name="tiny"', 'Topology(name="huge"'),
        "returned 'huge'",
    ),
    "needs a newer bnncore": (
        TOPOLOGY + "\nBNNCORE_API = 99",
        "API level 99, this bnncore has level 1.*Update",
    ),
    "states no level": (TOPOLOGY + "\nBNNCORE_API = 'one'", "whole number"),
    "has a misspelt hook": (TOPOLOGY.replace("bnncore_topology", "bnncore_topologi"), "bnncore_topologi"),
    "has a wrong argument": (TOPOLOGY.replace("(name)", "(title)"), "title"),
    "has a default value": (TOPOLOGY.replace("(name)", "(name='x')"), "default value"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_with_what_is_wrong(install, registry, case):
    source, message = BROKEN[case]
    offer_topology(install, source)
    with pytest.raises(PluginError, match=f"(?s)bnn-tiny 1\\.0.*{message}"):
        registry.topology("tiny")


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_harms_no_other(install, registry, case):
    offer_topology(install, BROKEN[case][0])
    with pytest.raises(PluginError):
        registry.topology("tiny")
    assert registry.topology("cnvW1A1").outputs == 64


def test_a_broken_plugin_is_imported_once(install, registry, tmp_path):
    count = tmp_path / "count"
    offer_topology(install, f"with open({str(count)!r}, 'a') as f: f.write('x')\nraise RuntimeError")
    for _ in range(3):
        with pytest.raises(PluginError):
            registry.topology("tiny")
    assert count.read_text() == "x"
    assert len(registry.faults) == 1


def test_a_fault_in_one_hook_leaves_the_other_names_of_the_plugin(install, registry):
    source = TOPOLOGY.replace('if name != "tiny"', 'if name == "bad":\n        1 / 0\n    if name != "tiny"')
    install(
        "bnn-tiny",
        {kinds.TOPOLOGY.group: {"tiny": "bnn_tiny", "bad": "bnn_tiny"}},
        {"bnn_tiny/__init__.py": source},
    )
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        registry.topology("bad")
    assert registry.topology("tiny").name == "tiny"


def test_an_interrupt_is_not_swallowed(install, registry):
    offer_topology(install, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry.topology("tiny")


def test_a_broken_backend_is_warned_of_once_and_left_out(install, registry):
    install(
        "bnn-gpu", {kinds.BACKEND.group: {"gpu": "bnn_gpu"}}, {"bnn_gpu.py": "raise RuntimeError('no card')"}
    )
    with pytest.warns(PluginWarning, match="no card"):
        assert "gpu" not in [backend.name for backend in registry.backends()]
    assert "numpy" in [backend.name for backend in registry.backends()]


def test_strict_raises_instead(install, registry, monkeypatch):
    install(
        "bnn-gpu", {kinds.BACKEND.group: {"gpu": "bnn_gpu"}}, {"bnn_gpu.py": "raise RuntimeError('no card')"}
    )
    monkeypatch.setenv("BNNCORE_STRICT", "1")
    with pytest.raises(PluginError, match="no card"):
        registry.backends()


def test_refresh_forgets_failures(install, registry):
    site = offer_topology(install, "raise RuntimeError")
    with pytest.raises(PluginError):
        registry.topology("tiny")
    (site / "bnn_tiny" / "__init__.py").write_text(TOPOLOGY)
    registry.refresh()
    assert registry.topology("tiny").outputs == 3


# -- threads ---------------------------------------------------------------------------------------


def test_many_threads_import_a_plugin_once(install, registry, tmp_path):
    count = tmp_path / "count"
    offer_topology(
        install, f"import time\nwith open({str(count)!r}, 'a') as f: f.write('x')\ntime.sleep(0.05)\n{TOPOLOGY}"
    )
    barrier = threading.Barrier(32)
    found = []

    def resolve():
        barrier.wait()
        found.append(registry.topology("tiny"))

    threads = [threading.Thread(target=resolve) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 32
    assert count.read_text() == "x"


# -- datasets --------------------------------------------------------------------------------------

PETS = """
from bnncore import Dataset, Parameters, Resource, hookimpl

def resource(path):
    return Resource(package="bnn_pets", path=path, size=1, sha256="0" * 64)

@hookimpl
def bnncore_dataset(name):
    return Dataset(name="pets", title="Pets", classes=resource("classes.txt"), card=resource("card.json"),
                   topologies=("cnvW1A1", "cnvW1A2"))

@hookimpl
def bnncore_parameters(dataset, topology):
    if topology != "cnvW1A1":
        return None
    return Parameters(dataset="pets", topology=topology, topology_digest="1" * 64, resource=resource("weights.npz"))
"""


@pytest.fixture
def pets(install):
    install("bnn-pets", {kinds.DATASET.group: {"pets": "bnn_pets"}}, {"bnn_pets/__init__.py": PETS})


def test_the_first_topology_is_the_default(pets, registry):
    assert resolve(registry, "pets").topology.name == "cnvW1A1"
    offers = registry.offers(registry.dataset("pets"))
    assert offers.choose_topology("CNVw1a2") == "cnvW1A2"


def test_a_topology_that_a_dataset_is_not_offered_on_names_the_choices(pets):
    with pytest.raises(AmbiguousError, match="choose from cnvW1A1, cnvW1A2"):
        bnncore.get("pets", topology="lfcW1A1")


def test_missing_parameters_are_said_of_the_plugin(pets):
    with pytest.raises(PluginError, match=r"bnn-pets 1\.0 offers no parameters"):
        bnncore.get("pets", topology="cnvW1A2")


def test_a_file_that_the_plugin_lacks_is_named(pets, tmp_path):
    # The record's digest is not the topology's, so the file is opened to say where they differ.
    with pytest.raises(BnnError, match=r"weights\.npz.*cannot be read.*reinstall"):
        bnncore.get("pets")


def test_a_misspelt_backend_fails_at_once(registry):
    with pytest.raises(UnknownNameError, match="backend 'fpg'"):
        registry.backend("fpg")


def test_parameters_for_another_topology_name_both_owners_and_the_first_layer(install, tmp_path):
    import hashlib

    import numpy as np
    from bnnhw.network import LayerParameters, Network

    from bnncore.formats.npz import npz_bytes

    offer_topology(install, TOPOLOGY, version="2.0")
    other = bnncore.Topology(
        name="tiny", input=bnncore.Input(height=4, width=4), layers=(bnncore.Dense(outputs=5),)
    )
    layer = LayerParameters(weights=np.ones((5, 16), np.int8), thresholds=np.zeros((5, 0), np.int32))
    data = npz_bytes(Network(topology=other, layers=(layer,)))
    source = PETS.replace("cnvW1A1", "tiny").replace('"1" * 64', repr(other.digest))
    source = source.replace(
        'size=1, sha256="0" * 64', f"size={len(data)}, sha256={hashlib.sha256(data).hexdigest()!r}"
    )
    install(
        "bnn-pets",
        {kinds.DATASET.group: {"pets": "bnn_pets"}},
        {"bnn_pets/__init__.py": source, "bnn_pets/weights.npz": data},
        version="1.5",
    )
    with pytest.raises(bnncore.ParameterError) as raised:
        bnncore.get("pets")
    message = str(raised.value)
    assert "bnn-pets 1.5" in message
    assert "bnn-tiny 2.0" in message
    assert "layer 0: expected 'dense 16->3', found 'dense 16->5'" in message


def test_only_the_files_of_bitstreams_can_be_fetched():
    file: dict[str, Any] = {"package": "bnn_pets", "path": "w.npz", "size": 1, "sha256": "0" * 64}
    for url in (None, "https://example.org/w.npz"):
        resource = bnncore.Resource(**file, url=url)
        wanted: dict[str, Any] = {
            "dataset": "pets",
            "topology": "tiny",
            "topology_digest": "1" * 64,
            "resource": resource,
        }
        if url is None:
            assert bnncore.Parameters(**wanted).resource.url is None
            continue
        with pytest.raises(ValueError, match=r"Parameters\.resource has a url.*put 'w\.npz' into the package"):
            bnncore.Parameters(**wanted)


@pytest.mark.parametrize("size", [-5, 10**13, 10**30, True, "12"])
def test_a_file_has_a_size_that_can_be_read(size):
    with pytest.raises(ValueError, match=r"Resource\.size must be a number of bytes"):
        bnncore.Resource(package="bnn_pets", path="w.npz", size=size, sha256="0" * 64)
