"""Each check finds its fault: a sound project is broken in one place, and that check alone says so."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import ClassVar

import pytest
from metadata import bounds

import bnncore
from bnncore.conformance import CHECKS, Subject
from bnncore.conformance.suite import run_check
from bnncore.discovery import kinds
from bnncore.formats.manifest import write_manifest

DATASET = ("shapes", "--topology", "tinynet", "--classes", "round,square,long")
BITSTREAM = ("card", "--kind", "bitstream", "--topology", "tinynet")
BACKEND = ("engine", "--kind", "backend")
TOPOLOGY = ("wide", "--kind", "topology")
REQUIRED = f"bnncore{bounds(bnncore.__version__)}"
UNBOUND = REQUIRED.partition(",")[0]


class Findings:
    """What the checks say of a distribution, each run when it is asked for."""

    checks: ClassVar = {check.__name__.partition("_")[2]: check for check in CHECKS}

    def __init__(self, distribution):
        self.subject = Subject(distribution)

    def __getitem__(self, name):
        return run_check(self.checks[name], self.subject)

    def problems(self):
        return [name for name in self.checks if self[name].state == "problem"]


@pytest.fixture
def check(net, new, install_wheel):
    """Return a function that makes a project, edits it, installs it, and returns what the checks found."""

    def run(options, edits=(), after=lambda site, package: None):
        project = new(*options)
        package = f"bnn_{options[0]}"
        for file, old, fresh in edits:
            path = project / file.replace("PACKAGE", package)
            text = path.read_text()
            assert old in text, f"{file} has no {old!r}"
            path.write_text(text.replace(old, fresh))
        after(project, package)
        install_wheel(project)
        return Findings(f"bnn-{options[0]}")

    return run


INIT = "PACKAGE/__init__.py"
SIGNATURE = "def bnncore_dataset(name: str)"
HEAD = "BNNCORE_API = 1\n"
TITLE = 'title="shapes: a dataset for bnncore"'


@pytest.mark.parametrize(
    ("options", "edits", "found_by", "message"),
    [
        (DATASET, [("pyproject.toml", '"bnncore.datasets"', '"bnncore.dataset"')], None, "offers nothing"),
        (TOPOLOGY, [("pyproject.toml", 'wide = "bnn_wide"',
            'wide = "bnn_wide"\n[project.entry-points."bnncore.boards"]\nx = "bnn_wide"')],
            "names", "group 'bnncore.boards' does not exist"),
        (DATASET, [("pyproject.toml", "\nshapes =", "\nShapes =")], "names", "must be spelt 'shapes'"),
        (DATASET, [("pyproject.toml", "\nshapes =", '\n"shapes.one" =')], "names", "a name without a dot"),
        (DATASET, [("pyproject.toml", "\nshapes =", '\n"a/b" = "bnn_shapes"\nshapes =')], "names", "is not a name"),
        (DATASET, [("pyproject.toml", f'"{REQUIRED}", ', "")], "requirements", "does not require bnncore"),
        (DATASET, [("pyproject.toml", REQUIRED, UNBOUND)], "requirements", "no upper bound"),
        (DATASET, [("pyproject.toml", 'requires-python = ">=3.10"', "")], "requirements", "Requires-Python"),
        (DATASET, [("pyproject.toml", 'license = { text = "BSD-3-Clause" }', "")], "description", "License"),
        (DATASET, [("pyproject.toml", 'packages = ["bnn_shapes"]', 'packages = ["bnn_shapes", "tests"]')],
            "contents", "installs tests beside bnn_shapes"),
        (DATASET, [(INIT, HEAD, HEAD + "import numpy\n")], "import_is_light", "imports numpy"),
        (DATASET, [(INIT, HEAD, HEAD + "print('hello')\n")], "import_is_quiet", "prints 'hello'"),
        (DATASET, [(INIT, HEAD, HEAD + "import os\nos.environ['BNN_SHAPES_WAS_HERE'] = '1'\n")],
            "import_is_quiet", "changes environment variables"),
        (DATASET, [(INIT, HEAD, HEAD + "import random\nrandom.seed(0)\n")],
            "import_is_quiet", "changes the state of random"),
        (DATASET, [(INIT, HEAD, HEAD + "raise RuntimeError('no')\n")], "import_is_quiet", "RuntimeError: no"),
        (DATASET, [(INIT, '    """Return the dataset."""', "    import PIL")], "describing_is_light", "import PIL"),
        (DATASET, [(INIT, "name: str)", 'name: str = "shapes")')], "signatures", "default value"),
        (DATASET, [(INIT, "@hookimpl\n" + SIGNATURE, SIGNATURE)], "signatures", "decorate it with @bnncore.hookimpl"),
        (DATASET, [(INIT, "bnncore_preprocessing", "bnncore_preprocess")], "signatures", "no hook of the contract"),
        (DATASET, [(INIT, "dataset: str, topology: str", "dataset: str")], "signatures", "must be bnncore_parameters"),
        (TOPOLOGY, [(INIT, "@hookimpl\ndef bnncore_topology", "def other")], "signatures", "no hook bnncore_topology"),
        (DATASET, [(INIT, "    return Dataset(", "    return dict(")], "results", "returned dict, expected Dataset"),
        (TOPOLOGY, [(INIT, 'name="wide"', 'name="narrow"'), (INIT, "name == TOPOLOGY.name", 'name == "wide"')],
            "results", "returned 'narrow'"),
        (DATASET, [(INIT, HEAD, HEAD + "import itertools\nCOUNT = itertools.count()\n"),
                   (INIT, TITLE, "title=str(next(COUNT))")], "stable_results", "two different records"),
        (DATASET, [(INIT, 'if name != "shapes":', "if not name:"), (INIT, "name=name", 'name="shapes"')],
            "foreign_names", "expected None for a name that is not its own"),
        (DATASET, [(INIT, '"weights.npz"', '"nothing.npz"')], "results", "does not list 'nothing.npz'"),
        (DATASET, [("pyproject.toml", 'artifacts = ["*.npz", "*.bit", "*.hwh"]', 'exclude = ["*.npz"]')],
            "resources", "built without it"),
        (DATASET, [(INIT, 'topology_digest="', 'topology_digest="' + "0" * 8)], "results", "64 lower-case hex digits"),
        (DATASET, [("PACKAGE/card.json", '"parameters": ', '"parameters": 1')], "card", "recomputed"),
        (DATASET, [("PACKAGE/card.json", '"source": "not stated"', '"source": ""')], "card", "source is empty"),
        (DATASET, [("PACKAGE/card.json", '"title"', '"tilte"')], "card", "not a card"),
        (DATASET, [("PACKAGE/classes.txt", "square", "round")], "classes", "stands in line 1 already"),
        (DATASET, [("PACKAGE/classes.txt", "long", "a\nb\nc\nd\ne")], "classes", "the network has 5 outputs"),
        (DATASET, [("PACKAGE/classes.txt", "round\nsquare", "square\nround")], "parameters", "trained for the classes"),
        (DATASET, [(INIT, 'golden=packaged(__name__, "golden.npz"),', "")], "golden_vectors", "no golden vectors"),
        (DATASET, [(INIT, 'operation="fit"', 'operation="squeeze"')], "preprocessing", "does not exist"),
        (BITSTREAM, [(INIT, 'digest="', 'digest="' + "0" * 64 + '" or "')], "bitstreams", "another folding"),
        (BITSTREAM, [(INIT, "boards=(board,)", 'boards=("other",)')], "bitstreams", "for the boards other, not for"),
        (BITSTREAM, [(INIT, "Folding.of((1, 1)", "Folding.of((3, 1)")], "bitstreams", "PE 3 does not divide"),
        (BACKEND, [("PACKAGE/executor.py", "    return None", "    return 3")], "backends", "expected words"),
        (BACKEND, [("PACKAGE/executor.py", "return scores(self._network, batch)",
            "return scores(self._network, batch) + 1")], "backends", "integers of the reference"),
        (BACKEND, [("PACKAGE/executor.py", "return scores(self._network, batch)",
            "return scores(self._network, batch).astype(float)")], "backends", "as int32"),
        (BACKEND, [("PACKAGE/executor.py", "batch = checked_batch(self._network.topology.input, batch)",
            "batch = batch.astype(np.uint8)")], "backends", "another dtype"),
        (BACKEND, [("PACKAGE/executor.py", "        # Your device goes here.", "        batch[:] = 0\n        #")],
            "backends", "changes the batch"),
        (BACKEND, [("PACKAGE/executor.py", "    def close(self)",
            "    def single(self, image):\n        return image.tobytes()\n\n    def close(self)")],
            "backends", "single() does not return"),
        (BACKEND, [("PACKAGE/executor.py", 'name = "engine"', 'name = "motor"')], "backends", "calls itself 'motor'"),
    ],
)  # fmt: skip
def test_a_fault_is_found_and_said(check, options, edits, found_by, message):
    rewrite = any(file.startswith("PACKAGE/c") for file, _, _ in edits)

    def after(project, package):
        if rewrite:
            write_manifest(project / package)

    if found_by is None:
        with pytest.raises(Exception, match=message):
            check(options, edits, after)
        return
    outcome = check(options, edits, after)[found_by]
    assert outcome.state == "problem", outcome
    assert message in outcome.text


def test_one_fault_is_reported_by_few_checks(check):
    found = check(DATASET, [("pyproject.toml", REQUIRED, UNBOUND)])
    assert found.problems() == ["requirements"]


def test_an_altered_byte_is_found_in_file_and_manifest(check):
    def alter(project: Path, package: str) -> None:
        path = project / package / "weights.npz"
        data = bytearray(path.read_bytes())
        data[-100] ^= 1
        path.write_bytes(data)

    found = check(DATASET, after=alter)
    for name in ("resources", "manifest", "parameters", "golden_vectors"):
        assert found[name].state == "problem"
        assert "the file was altered" in found[name].text


def test_golden_vectors_that_do_not_agree_are_found(check):
    def swap(project: Path, package: str) -> None:
        import numpy as np

        path = project / package / "golden.npz"
        with np.load(path) as file:
            inputs, scores = file["inputs"], file["scores"]
        np.savez(path, inputs=inputs, scores=scores + np.int32(1))
        write_manifest(project / package)

    outcome = check(DATASET, after=swap)["golden_vectors"]
    assert outcome.state == "problem"
    assert "do not trust its answers" in outcome.text


def test_weights_for_another_topology_are_found_with_the_first_layer_that_differs(check):
    def exchange(project: Path, package: str) -> None:
        import attrs
        from bnnhw.topology import Dense, Input, Topology

        from bnncore.formats.npz import write_npz
        from bnncore.publishing.random_network import random_network

        layers = (Dense(outputs=9), Dense(outputs=5))
        other = Topology(name="tinynet", input=Input(height=8, width=9, channels=3), layers=layers)
        write_npz(project / package / "weights.npz", random_network(attrs.evolve(other)))
        write_manifest(project / package)

    outcome = check(DATASET, after=exchange)["parameters"]
    assert outcome.state == "problem"
    assert re.search(r"layer 0: expected 'conv 3x3 .*found 'dense 216->9'", outcome.text)


def test_a_pickle_among_the_files_is_found(check):
    def add(project: Path, package: str) -> None:
        (project / package / "model.pkl").write_bytes(b"x")
        write_manifest(project / package)

    assert "runs code when it is opened" in check(DATASET, after=add)["manifest"].text


PREPROCESSING = """
import itertools
import numpy as np

COUNT = itertools.count()

def wavers(image, given):
    return np.full(given.shape, next(COUNT) % 2, np.uint8)

def refuses(image, given):
    raise ValueError("not today")

def misshapes(image, given):
    return np.zeros((3, 3), np.uint8)
"""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("wavers", "two different inputs"),
        ("refuses", "not today"),
        ("misshapes", "the network needs uint8"),
    ],
)
def test_preprocessing_that_misbehaves_is_found(check, function, message):
    def add(project: Path, package: str) -> None:
        (project / package / "pictures.py").write_text(PREPROCESSING)

    steps = 'steps=(Step(operation="fit"),)'
    edits = [(INIT, steps, f'function="bnn_shapes.pictures:{function}"')]
    outcome = check(DATASET, edits, add)["preprocessing"]
    assert outcome.state == "problem"
    assert message in outcome.text


SHARED = """        global weights
        weights = network

    def scores(self, batch):
        return scores(weights, checked_batch(self._network.topology.input, batch))

    def unused(self, batch):"""


def test_a_backend_that_shares_weights_between_networks_fails_isolation(check, new, install_wheel):
    """The second classifier silently overwrites the first one's weights: the old package's worst fault."""
    engine = new(*BACKEND)
    path = engine / "bnn_engine" / "executor.py"
    text = path.read_text()
    start = text.index("    def scores(")
    path.write_text(
        text[:start].rstrip() + "\n" + SHARED + "\n        pass\n\n" + text[text.index("    def close(") :]
    )
    install_wheel(engine)
    found = check(DATASET)
    assert found["golden_vectors"].state == "ok"
    assert found["isolation"].state == "problem"
    assert "backend 'engine': answers change when another network runs" in found["isolation"].text


def test_a_backend_that_shares_a_buffer_between_threads_fails_threads(check, new, install_wheel):
    engine = new(*BACKEND)
    path = engine / "bnn_engine" / "executor.py"
    text = path.read_text().replace(
        "        return scores(self._network, batch)",
        "        import time\n        self.batch = batch\n        time.sleep(0.01)\n"
        "        return scores(self._network, self.batch)",
    )
    path.write_text(text)
    install_wheel(engine)
    found = check(DATASET)
    assert found["isolation"].state == "ok"
    assert "other answers from 8 threads" in found["threads"].text


def test_a_name_that_somebody_else_offers_is_found(check, install):
    install("bnn-rival", {kinds.DATASET.group: {"shapes": "bnn_rival"}})
    assert "'shapes' by bnn-rival 1.0" in check(DATASET)["conflicts"].text


def test_a_topology_of_one_name_in_two_distributions_is_found(check, install):
    install("bnn-rival", {"bnncore.topologies": {"Wide": "bnn_rival"}})
    assert "'wide' by bnn-rival 1.0" in check(TOPOLOGY)["conflicts"].text


def test_a_module_without_an_api_level_is_a_note(check):
    outcome = check(DATASET, [(INIT, HEAD, ""), (INIT, '"BNNCORE_API", ', "")])["api_level"]
    assert outcome.state == "note"


def test_a_plugin_for_a_newer_bnncore_is_found(check):
    outcome = check(DATASET, [(INIT, HEAD, "BNNCORE_API = 99\n")])["results"]
    assert "written for API level 99" in outcome.text


def test_a_backend_that_cannot_run_here_is_a_note(check):
    edits = [("PACKAGE/executor.py", "    return None", "    return 'no device'")]
    outcome = check(BACKEND, edits)["backends"]
    assert outcome.state == "note"
    assert "no device" in outcome.text


def test_a_measured_figure_ends_the_note_of_the_card(check):
    metric = {"name": "accuracy", "value": 0.5, "samples": 9, "data": "d", "method": "m", "topology": "tinynet"}

    def measure(project: Path, package: str) -> None:
        path = project / package / "card.json"
        card = json.loads(path.read_text())
        path.write_text(json.dumps({**card, "metrics": [metric]}))
        write_manifest(project / package)

    assert check(DATASET, after=measure)["card"].state == "ok"


def test_an_impossible_figure_is_found(check):
    metric = {
        "name": "accuracy",
        "value": 93.5,
        "samples": 9,
        "data": "d",
        "method": "m",
        "topology": "tinynet",
    }

    def measure(project: Path, package: str) -> None:
        path = project / package / "card.json"
        card = json.loads(path.read_text())
        path.write_text(json.dumps({**card, "metrics": [metric]}))
        write_manifest(project / package)

    assert "accuracies are from 0 to 1" in check(DATASET, after=measure)["card"].text


def test_metadata_that_cannot_be_read_are_what_a_check_finds(install):
    site = install("bnn-pets", {kinds.DATASET.group: {"pets": "bnn_pets"}})
    info = site / "bnn_pets-1.0.dist-info"
    with (info / "entry_points.txt").open("a") as file:
        file.write("just text\n")
    with (info / "METADATA").open("ab") as file:
        file.write(b"Author: J\xf6rg\n")
    (info / "RECORD").write_bytes(b"\xff\xfe\0")
    found = Findings("bnn-pets")
    assert "line 3 is not 'name = value'" in found["names"].text
    assert found["requirements"].text.startswith("its METADATA cannot be read: ")
    assert found["description"].text.startswith("its METADATA cannot be read: ")
    assert found["contents"].text.startswith("its RECORD cannot be read: ")


def test_the_distribution_that_is_checked_is_the_one_that_is_used(install):
    site = install("bnn-pets", {kinds.DATASET.group: {"pets": "bnn_pets"}}, version="2.0")
    (site / "bnn_pets-1.0.dist-info").mkdir()
    found = Findings("Bnn.Pets")
    assert (found.subject.name, found.subject.version) == ("bnn-pets", "2.0")
    assert "left over" in found["names"].text
