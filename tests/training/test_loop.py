"""Training: it learns, it repeats itself to the bit, it continues where it stopped, and it says what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from attrs import evolve
from bnnhw import reference
from bnnhw.outputs import winners
from bnnhw.topology import Conv, Dense, Input, Pool, Topology

from bnncore.datasets import LabelledImages
from bnncore.errors import BnnError
from bnncore.formats.npz import npz_bytes, read_npz
from bnncore.formats.provenance import Provenance
from bnncore.formats.recipe import Augmentation, Recipe, entry_digest, read_entries, read_recipe
from bnncore.records import Preprocessing, Step
from bnncore.training.export import disagreements
from bnncore.training.loop import Trainer
from bnncore.training.progress import Reporter
from bnncore.training.run import _digest, train

pytestmark = pytest.mark.slow

TINY = Topology(
    name="tiny",
    input=Input(height=8, width=8, channels=3),
    layers=(Conv(outputs=16), Pool(), Conv(outputs=16), Dense(outputs=16), Dense(outputs=4)),
)
RECIPE = Recipe(
    topology="tiny",
    epochs=3,
    batch_size=10,
    learning_rate=0.01,
    validation=20,
    augmentation=Augmentation(shift=1, flip_vertical=True, brightness=0.05),
)


def stripes(count: int = 120, seed: int = 0) -> LabelledImages:
    """Return noisy pictures of vertical stripes, of horizontal ones, and of neither."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(90, 160, (count, 8, 8, 3))
    images[labels == 0, :, ::2] += 60
    images[labels == 1, ::2] += 60
    return LabelledImages(
        images=images.clip(0, 255).astype(np.uint8),
        labels=labels,
        classes=("vertical", "horizontal", "neither"),
    )


class Interrupt(Reporter):
    """Stop the run as Ctrl-C does, in the middle of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.at = epoch

    def step(self, epoch, epochs, step, steps, loss, accuracy) -> None:
        if epoch == self.at and step == 2:
            raise KeyboardInterrupt


def files(folder):
    """Return what a run must repeat to the bit."""
    return {name: (folder / name).read_bytes() for name in ("weights.npz", "classes.txt", "recipe.json")}


def test_it_learns(tmp_path) -> None:
    outcome = train(evolve(RECIPE, epochs=25), stripes(), TINY, tmp_path, threads=1)
    fresh = stripes(seed=1)
    right = winners(TINY.output, reference.scores(outcome.network, fresh.images)[:, :3]) == fresh.labels
    assert outcome.finished
    assert right.mean() > 0.9


def test_the_same_seed_gives_the_same_bytes(tmp_path) -> None:
    for name in ("first", "again"):
        train(RECIPE, stripes(), TINY, tmp_path / name, seed=7, threads=1)
    train(RECIPE, stripes(), TINY, tmp_path / "other", seed=8, threads=1)
    assert files(tmp_path / "first") == files(tmp_path / "again")
    assert files(tmp_path / "first") != files(tmp_path / "other")


def test_the_weights_record_preprocessing_and_recipe(tmp_path) -> None:
    fit = Preprocessing(steps=(Step(operation="fit"),))
    train(evolve(RECIPE, epochs=1), stripes(), TINY, tmp_path, seed=7, threads=1, preprocessing=fit)
    found = read_npz(tmp_path / "weights.npz").provenance
    entry = read_entries(tmp_path / "recipe.json")[TINY.name]
    assert found == Provenance(preprocessing=fit, recipe_sha256=entry_digest(entry))
    assert found.recipe_sha256 == entry_digest(read_recipe(tmp_path / "recipe.json", TINY.name))


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path) -> None:
    train(RECIPE, stripes(), TINY, tmp_path / "whole", threads=1)
    stopped = train(RECIPE, stripes(), TINY, tmp_path / "halves", threads=1, reporter=Interrupt(2))
    assert not stopped.finished
    assert len(stopped.history) == 1
    assert read_npz(tmp_path / "halves" / "weights.npz").classes == stripes().classes
    train(RECIPE, stripes(), TINY, tmp_path / "halves", threads=1)
    assert files(tmp_path / "whole") == files(tmp_path / "halves")


def test_an_interruption_before_the_first_checkpoint_is_passed_on(tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1, reporter=Interrupt(1))


def test_metrics_hold_every_epoch(tmp_path) -> None:
    outcome = train(RECIPE, stripes(), TINY, tmp_path, threads=1)
    epochs = json.loads((tmp_path / "metrics.json").read_text())["epochs"]
    assert [epoch["number"] for epoch in epochs] == [1, 2, 3]
    assert epochs[-1]["validation_accuracy"] == outcome.history[-1].validation_accuracy


def test_a_teacher_is_trained_and_followed(tmp_path) -> None:
    recipe = evolve(RECIPE, teacher=evolve(RECIPE, epochs=2), teachers=2)
    train(recipe, stripes(), TINY, tmp_path / "taught", threads=1)
    train(RECIPE, stripes(), TINY, tmp_path / "alone", threads=1)
    assert (tmp_path / "taught" / "teacher-1" / "checkpoint.pt").exists()
    assert files(tmp_path / "taught")["weights.npz"] != files(tmp_path / "alone")["weights.npz"]


def test_a_teacher_does_not_see_the_validation_images(tmp_path) -> None:
    data = stripes()
    images = data.images.copy()
    # What is held back is unlike the rest: a teacher that saw it would be another.
    images[-RECIPE.validation :] = 255 - images[-RECIPE.validation :]
    recipe = evolve(RECIPE, teacher=evolve(RECIPE, epochs=1, validation=0))
    for name, given in (("one", data), ("other", evolve(data, images=images))):
        train(recipe, given, TINY, tmp_path / name, threads=1)
    one, other = (
        torch.load(tmp_path / name / "teacher-0" / "checkpoint.pt", weights_only=True)["network"]
        for name in ("one", "other")
    )
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_recipe_can_begin_where_another_ends(tmp_path) -> None:
    first = evolve(RECIPE, epochs=2)
    train(evolve(RECIPE, initial=evolve(first, validation=0)), stripes(), TINY, tmp_path / "both", threads=1)
    # Step by step; what is held back now is held back then, too.
    before = train(first, stripes(), TINY, tmp_path / "first", threads=1)
    train(RECIPE, stripes(), TINY, tmp_path / "second", threads=1, initial=before.network)
    # The files differ by the recipes that they name.
    both, second = (read_npz(tmp_path / name / "weights.npz") for name in ("both", "second"))
    assert npz_bytes(both.network, both.classes) == npz_bytes(second.network, second.classes)


def test_a_network_of_bits_takes_no_teacher(tmp_path) -> None:
    topology = Topology(
        name="bits", input=Input(height=8, width=8, channels=3), layers=(Dense(outputs=4),), output="bits"
    )
    recipe = evolve(RECIPE, topology="bits", epochs=1, teacher=evolve(RECIPE, topology="bits", epochs=1))
    with pytest.raises(BnnError, match="yields bits"):
        train(recipe, stripes(), topology, tmp_path, threads=1)


def test_training_can_start_from_integer_parameters(tmp_path) -> None:
    first = train(evolve(RECIPE, epochs=25), stripes(), TINY, tmp_path / "first", threads=1).network
    data = stripes()
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    trainer = Trainer(TINY, RECIPE, images, labels, 3, initial=first)
    hidden = [(2 * (layer.latent >= 0).int() - 1).numpy() for layer in trainer.network.layers[:-1]]
    for ours, given in zip(hidden, first.layers):
        assert np.array_equal(ours, given.weights)
    # The steps are where the thresholds were, so what the last layer sees is the same.
    network = trainer.network.double().eval()
    x = network.requires_grad_(False).encode(images, torch.float64)
    for layer in network.layers[:-1]:
        assert layer.norm is not None
        x = network.activate(layer.norm(layer.accumulate(x)))
    taken_over = torch.tensor(first.layers[-1].weights[:3], dtype=torch.float64) @ x.flatten(1).T
    expected = 2 * reference.scores(first, data.images)[:, :3] - TINY.layers[-2].outputs
    assert np.array_equal(taken_over.T.numpy(), expected)


def test_starting_from_another_topology_is_refused(tmp_path) -> None:
    other = evolve(TINY, layers=(*TINY.layers[:-2], Dense(outputs=8), Dense(outputs=4)))
    first = train(evolve(RECIPE, epochs=1), stripes(), TINY, tmp_path, threads=1).network
    data = stripes()
    with pytest.raises(BnnError, match="other layers"):
        Trainer(other, RECIPE, torch.from_numpy(data.images), torch.from_numpy(data.labels), 3, initial=first)


def test_a_checkpoint_of_another_topology_is_refused(tmp_path) -> None:
    train(evolve(RECIPE, epochs=1), stripes(), TINY, tmp_path, threads=1)
    other = evolve(TINY, layers=(*TINY.layers[:-2], Dense(outputs=8), Dense(outputs=4)))
    with pytest.raises(BnnError, match="another topology"):
        train(RECIPE, stripes(), other, tmp_path, threads=1)


def test_a_damaged_checkpoint_is_refused(tmp_path) -> None:
    train(evolve(RECIPE, epochs=1), stripes(), TINY, tmp_path, threads=1)
    data = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(BnnError, match=r"checkpoint\.pt"):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1)


def test_a_loss_that_is_no_number_stops_the_run_with_advice(tmp_path, monkeypatch) -> None:
    nothing = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr("bnncore.training.losses.Loss.__call__", lambda *_: nothing)
    with pytest.raises(BnnError, match="lower the learning rate"):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1)


def test_running_out_of_memory_stops_the_run_with_advice(tmp_path, monkeypatch) -> None:
    def exhausted(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 4 bytes")

    monkeypatch.setattr("bnncore.training.losses.Loss.__call__", exhausted)
    with pytest.raises(BnnError, match=r"smaller batch \(batch_size=\)"):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1)


@pytest.mark.parametrize("device", ["warp-drive", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(tmp_path, device) -> None:
    with pytest.raises(BnnError, match="use the processor"):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1, device=device)


def test_images_of_another_size_are_refused(tmp_path) -> None:
    other = evolve(TINY, input=Input(height=9, width=8, channels=3))
    with pytest.raises(BnnError, match=r"\[8, 8, 3\]"):
        train(RECIPE, stripes(), other, tmp_path)


def test_too_few_images_for_a_batch_are_refused(tmp_path) -> None:
    with pytest.raises(BnnError, match="smaller batch"):
        train(RECIPE, stripes(25), TINY, tmp_path)


def test_weights_are_real_until_their_epochs_are_over() -> None:
    data = stripes()
    recipe = evolve(RECIPE, real_weight_epochs=1)
    trainer = Trainer(TINY, recipe, torch.from_numpy(data.images), torch.from_numpy(data.labels), 3)
    values = []
    for _ in range(2):
        trainer.epoch(lambda *_: values.append(len(trainer.network.layers[0].weight().unique())))
    steps = trainer.steps_per_epoch
    assert min(values[:steps]) > 2
    assert set(values[steps:]) == {2}


def test_a_run_stopped_while_weights_are_real_leaves_an_exact_network(tmp_path) -> None:
    recipe = evolve(RECIPE, real_weight_epochs=2)
    outcome = train(recipe, stripes(), TINY, tmp_path, threads=1, reporter=Interrupt(2))
    assert not outcome.finished
    assert len(outcome.history) == 1
    data = stripes()
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    trainer = Trainer(TINY, recipe, images, labels, 3, data=_digest(data))
    trainer.resume(tmp_path / "checkpoint.pt")
    assert disagreements(trainer.network, outcome.network, data.images) == 0


def test_the_validation_is_that_of_the_weights_that_are_left(tmp_path) -> None:
    outcome = train(
        evolve(RECIPE, real_weight_epochs=2), stripes(), TINY, tmp_path, threads=1, reporter=Interrupt(2)
    )
    data = stripes()
    held_back = slice(-RECIPE.validation, None)
    answers = winners(TINY.output, reference.scores(outcome.network, data.images[held_back])[:, :3])
    assert (answers == data.labels[held_back]).mean() == outcome.history[-1].validation_accuracy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed 0 instead of 1"),
        ({"recipe": evolve(RECIPE, estimator="approx")}, "another estimator in its recipe"),
        ({"data": stripes(seed=1)}, "other images, labels or classes"),
        ({"data": evolve(stripes(), classes=("a", "b", "c"))}, "other images, labels or classes"),
        ({"data": evolve(stripes(), classes=("a", "b", "c", "d"))}, "other images, labels or classes"),
    ],
)
def test_another_run_does_not_continue_this_one(tmp_path, change, message) -> None:
    given = {"recipe": RECIPE, "data": stripes(), "topology": TINY, "out": tmp_path, "threads": 1}
    train(**given)
    before = files(tmp_path)
    with pytest.raises(BnnError, match=f"of another run, with {message}; use another out= folder"):
        train(**given | change)
    assert files(tmp_path) == before


def test_a_run_may_go_on_at_another_pace(tmp_path) -> None:
    train(RECIPE, stripes(), TINY, tmp_path, threads=1)
    slower = evolve(RECIPE, epochs=5, learning_rate=0.001, batch_size=20)
    assert [each.number for each in train(slower, stripes(), TINY, tmp_path, threads=1).history] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_checkpoint_of_an_older_recipe_is_continued(tmp_path) -> None:
    train(evolve(RECIPE, epochs=1), stripes(), TINY, tmp_path, threads=1)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    recipe = json.loads(state["recipe"])
    del recipe["recalibration"]
    torch.save(state | {"recipe": json.dumps(recipe)}, tmp_path / "checkpoint.pt")
    assert len(train(RECIPE, stripes(), TINY, tmp_path, threads=1).history) == RECIPE.epochs


def test_a_checkpoint_of_a_recipe_by_old_names_is_continued(tmp_path) -> None:
    recipe = evolve(RECIPE, real_weight_epochs=1, plateau=1, recalibration=50)
    train(recipe, stripes(), TINY, tmp_path / "whole", threads=1)
    train(recipe, stripes(), TINY, tmp_path / "old", threads=1, reporter=Interrupt(2))
    state = torch.load(tmp_path / "old" / "checkpoint.pt", weights_only=True)
    fields = json.loads(state["recipe"])
    for old, new in (
        ("relaxed", "real_weight_epochs"),
        ("hold", "plateau"),
        ("settle", "recalibration"),
        ("softness", "temperature"),
    ):
        fields[old] = fields.pop(new)
    torch.save(state | {"recipe": json.dumps(fields)}, tmp_path / "old" / "checkpoint.pt")
    train(recipe, stripes(), TINY, tmp_path / "old", threads=1)
    assert files(tmp_path / "whole") == files(tmp_path / "old")


def test_a_checkpoint_of_a_network_by_old_names_is_continued(tmp_path) -> None:
    train(RECIPE, stripes(), TINY, tmp_path / "whole", threads=1)
    train(RECIPE, stripes(), TINY, tmp_path / "old", threads=1, reporter=Interrupt(2))
    state = torch.load(tmp_path / "old" / "checkpoint.pt", weights_only=True)
    # What the factor of the logits was called, though it is what a temperature's reciprocal is.
    state["network"]["log_temperature"] = state["network"].pop("log_scale")
    torch.save(state, tmp_path / "old" / "checkpoint.pt")
    train(RECIPE, stripes(), TINY, tmp_path / "old", threads=1)
    assert files(tmp_path / "whole") == files(tmp_path / "old")


def test_a_checkpoint_that_lacks_a_part_is_damaged(tmp_path) -> None:
    train(RECIPE, stripes(), TINY, tmp_path, threads=1)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["optimizer"]
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(BnnError, match="cannot be read as a checkpoint"):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1)


def test_a_checkpoint_is_not_read_by_a_pytorch_that_could_run_it(tmp_path, monkeypatch) -> None:
    train(RECIPE, stripes(), TINY, tmp_path, threads=1)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(BnnError, match=r"needs PyTorch 2\.10 or later, found 2\.9\.1\+cpu"):
        train(RECIPE, stripes(), TINY, tmp_path, threads=1)


@pytest.mark.parametrize("content", [b"noise", b"\x80\x02cos\nsystem\n."])
def test_what_pytorch_says_of_a_checkpoint_is_not_passed_on(tmp_path, content) -> None:
    train(RECIPE, stripes(), TINY, tmp_path, threads=1)
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(BnnError) as caught:
        train(RECIPE, stripes(), TINY, tmp_path, threads=1)
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_class_cannot_be_learnt(tmp_path) -> None:
    data = stripes()
    with pytest.raises(BnnError, match="all 120 images are of one class"):
        train(RECIPE, evolve(data, labels=np.zeros_like(data.labels)), TINY, tmp_path, threads=1)


@pytest.mark.parametrize("output", ["scores", "bits"])
def test_it_learns_from_blended_images(tmp_path, output) -> None:
    topology = evolve(TINY, output=output)
    recipe = evolve(RECIPE, epochs=25, mixup=0.4)
    outcome = train(recipe, stripes(), topology, tmp_path, threads=1)
    fresh = stripes(seed=1)
    scores = reference.scores(outcome.network, fresh.images)[:, :3]
    assert (winners(topology.output, scores) == fresh.labels).mean() > 0.8


def test_a_network_of_bits_learns(tmp_path) -> None:
    topology = Topology(
        name="bits",
        input=Input(height=8, width=8, bits=1),
        layers=(Dense(outputs=32), Dense(outputs=4)),
        output="bits",
    )
    data = stripes(200)
    data = evolve(data, images=np.where(data.images[..., 0] > 155, 255, 0).astype(np.uint8))
    recipe = Recipe(topology="bits", epochs=30, batch_size=20, learning_rate=0.01)
    network = train(recipe, data, topology, tmp_path, threads=1).network
    right = winners(topology.output, reference.scores(network, data.images)[:, :3]) == data.labels
    assert right.mean() > 0.9
