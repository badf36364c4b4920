"""Six third parties' wheels in clean environments, installed with pip and with uv: each does its part."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.outsiders


@pytest.fixture(scope="module", params=["pip", "uv"])
def user(request, environment, wheels):
    """Return a user's environment with all of them."""
    return environment(f"user-{request.param}", *wheels.values(), installer=request.param)


@pytest.fixture(scope="module")
def checked(environment, wheels):
    """Return one more environment: what is checked there need not be checked once for each installer."""
    return environment("checked", *wheels.values())


def classify(user, *arguments):
    return json.loads(user.bnncore("classify", *arguments, "--json"))


def explained(user, *arguments):
    choices = json.loads(user.bnncore("explain", *arguments, "--json"))["choices"]
    return {each["part"]: each for each in choices if each["chosen"]}


def test_everything_is_listed(user):
    datasets = {each["name"]: each["distribution"] for each in json.loads(user.bnncore("list", "--json"))}
    assert datasets == {"shapes": "bnn-shapes", "flags": "bnn-flags"}
    plugins = json.loads(user.bnncore("plugins", "--json"))["plugins"]
    assert {each["state"] for each in plugins} == {"ok"}
    offered = {each["name"] for each in plugins}
    assert {"wide", "wide.my-board", "engine", "shapes.cnvW1A2"} <= offered


def test_the_trained_dataset_classifies_pictures_that_it_never_saw(user, pictures):
    right = total = 0
    for label in ("disc", "square", "stripes"):
        images = sorted(str(path) for path in (pictures / "test" / label).iterdir())
        right += sum(each["label"] == label for each in classify(user, "shapes", *images))
        total += len(images)
    # Guessing gives a third.
    assert right / total > 0.6, f"{right} of {total}"


def test_a_dataset_on_a_third_partys_network(user, pictures):
    image = str(pictures / "test" / "disc" / "0.png")
    (found,) = classify(user, "flags", image)
    assert found["label"] in ("calm", "gale")
    parts = explained(user, "flags")
    assert parts["dataset"]["owner"] == "bnn-flags 0.1.0"
    assert parts["topology"]["owner"] == "bnn-wide 0.1.0"


def test_a_third_partys_backend_gives_the_same_integers(user, pictures):
    image = str(pictures / "test" / "square" / "0.png")
    (ours,) = classify(user, "shapes", image, "--backend", "numpy")
    (theirs,) = classify(user, "shapes", image, "--backend", "engine")
    assert theirs["backend"] == "engine"
    assert theirs["scores"] == ours["scores"]


def test_a_third_partys_parameters_are_used_where_asked_for(user, pictures):
    image = str(pictures / "test" / "square" / "0.png")
    (ours,) = classify(user, "shapes", image)
    (theirs,) = classify(user, "shapes", image, "--source", "bnn-better")
    assert theirs["scores"] != ours["scores"]
    parts = explained(user, "shapes", "--topology", "cnvW1A2")
    assert parts["parameters"]["owner"] == "bnn-better 0.1.0"
    assert parts["dataset"]["owner"] == "bnn-shapes 0.1.0"


def test_a_third_partys_bitstream_is_chosen_for_its_board(user):
    parts = explained(user, "flags", "--board", "My_Board")
    assert parts["bitstream"]["owner"] == "bnn-card 0.1.0"
    assert parts["bitstream"]["what"] == "wide.my-board"


@pytest.mark.parametrize("name", ["shapes", "wide", "flags", "card", "engine", "better"])
def test_each_passes_the_checks_where_it_is_installed(checked, name):
    report = json.loads(checked.bnncore("check", f"bnn-{name}", "--json"))
    assert report["passed"]
    assert not [each for each in report["outcomes"] if each["check"] == "contents" and each["state"] != "ok"]


def test_the_doctor_finds_nothing_wrong(user):
    assert json.loads(user.bnncore("doctor", "--json"))["healthy"]


def test_the_authors_own_tests_pass(author, shapes, wheels):
    author.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=shapes)


def test_the_wheel_check_of_the_project_passes(author, shapes):
    report = json.loads(author.bnncore("check", str(shapes), "--wheel", "--strict", "--json"))
    states = {each["check"]: each["state"] for each in report["outcomes"]}
    assert report["passed"], report
    assert states["wheel"] == states["uninstall"] == states["golden_vectors"] == "ok"
