"""What goes wrong out there, and whether the message says who, what and what to do. Nobody else is harmed."""

from __future__ import annotations

import json
import shutil

import pytest
from outsiders.workshop import uv

pytestmark = pytest.mark.outsiders


@pytest.fixture(scope="module")
def image(pictures):
    return str(pictures / "test" / "disc" / "0.png")


@pytest.fixture
def broken(author, build, environment, wheels, place, request):
    """Return a function that makes a project ``NAME``, edits it, and installs it beside the sound ones."""

    def install(name, edits=(), rename=None):
        work = place / "broken" / request.node.name
        work.mkdir(parents=True)
        author.bnncore("new", name, "--classes", "one,two", "--topology", "wide", cwd=work)
        project = work / f"bnn-{name}"
        for file, old, fresh in edits:
            path = project / file
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, fresh))
        wheel = build(project)
        return environment(request.node.name, *wheels.values(), wheel)

    return install


def unharmed(user, image):
    """Check that the others still work: they are listed, and classify."""
    assert "flags" in user.bnncore("list")
    assert json.loads(user.bnncore("classify", "flags", image, "--json"))[0]["label"] in ("calm", "gale")


def doctor(user, distribution):
    """Check that the doctor finds the trouble and names the distribution."""
    report = json.loads(user.bnncore("doctor", "--json", code=1))
    assert not report["healthy"]
    assert any(distribution in each["text"] for each in report["findings"] if each["state"] == "problem")


def test_two_plugins_that_claim_one_name(broken, image):
    edits = [("pyproject.toml", "\nrival =", "\nshapes ="), ("bnn_rival/__init__.py", '"rival"', '"shapes"')]
    user = broken("rival", edits)
    message = user.bnncore("classify", "shapes", image, code=1)
    assert (
        "dataset 'shapes' is offered by bnn-rival 0.1.0 (bnn_rival) and bnn-shapes 0.1.0 (bnn_shapes)"
        in message
    )
    assert "uninstall all but one" in message
    assert "conflict" in user.bnncore("plugins")
    user.bnncore("classify", "shapes", image, BNNCORE_DISABLE="bnn-rival")
    unharmed(user, image)
    doctor(user, "bnn-rival")


def test_a_plugin_for_a_newer_api(broken, image):
    user = broken("modern", [("bnn_modern/__init__.py", "BNNCORE_API = 1", "BNNCORE_API = 2")])
    message = user.bnncore("classify", "modern", image, code=1)
    assert "plugin bnn-modern 0.1.0 (modern) cannot be used: it was written for API level 2" in message
    assert "Update bnncore" in message
    assert "needs API level 2" in user.bnncore("plugins")
    unharmed(user, image)
    doctor(user, "bnn-modern")


def test_a_plugin_that_raises(broken, image):
    user = broken("angry", [("bnn_angry/__init__.py", "BNNCORE_API = 1", "raise SystemExit('out of order')")])
    message = user.bnncore("classify", "angry", image, code=1)
    assert "plugin bnn-angry 0.1.0 (angry) cannot be used" in message
    assert "raised SystemExit: out of order" in message
    assert "BNNCORE_DISABLE=bnn-angry" in message
    unharmed(user, image)
    doctor(user, "bnn-angry")


def test_weights_that_were_altered_by_one_byte(broken, image):
    user = broken("dented")
    weights = user.site() / "bnn_dented" / "weights.npz"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    # Installers may link files from a cache: the altered one must be a file of its own.
    weights.unlink()
    weights.write_bytes(data)
    message = user.bnncore("classify", "dented", image, code=1)
    assert "weights.npz: expected SHA-256" in message
    assert "the file was altered: reinstall" in message
    unharmed(user, image)
    doctor(user, "bnn_dented")


def test_a_wheel_without_its_weights(broken, image, author, wheels):
    edits = [("pyproject.toml", 'artifacts = ["*.npz", "*.bit", "*.hwh"]', 'exclude = ["*.npz"]')]
    user = broken("hollow", edits)
    message = user.bnncore("classify", "hollow", image, code=1)
    assert "weights.npz: cannot be read: No such file or directory; declared by bnn_hollow" in message
    assert "the distribution was built without it or was damaged" in message
    unharmed(user, image)
    doctor(user, "bnn_hollow")


def test_the_author_hears_of_missing_weights_before_publishing(author, place, wheels):
    work = place / "hollow-author"
    work.mkdir()
    author.bnncore("new", "hollow", "--classes", "one,two", "--topology", "wide", cwd=work)
    settings = work / "bnn-hollow" / "pyproject.toml"
    text = settings.read_text()
    settings.write_text(text.replace('artifacts = ["*.npz", "*.bit", "*.hwh"]', 'exclude = ["*.npz"]'))
    report = json.loads(
        author.bnncore(
            "check", "bnn-hollow", "--wheel", "--json", "--with", str(wheels["wide"]), cwd=work, code=1
        )
    )
    problems = {each["check"]: each["text"] for each in report["outcomes"] if each["state"] == "problem"}
    assert "built without it" in problems["resources"]
    shutil.rmtree(work)


def test_uninstalling_takes_the_name_away(broken, image):
    user = broken("brief")
    user.bnncore("classify", "brief", image)
    site = user.site()
    uv("pip", "uninstall", "--quiet", "--python", user.python, "bnn-brief", cwd=user.folder)
    message = user.bnncore("classify", "brief", image, code=1)
    assert "pip install bnn-brief" in message
    assert not (site / "bnn_brief" / "weights.npz").exists()
