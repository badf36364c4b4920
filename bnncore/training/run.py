"""A training run in a folder (``run_files``), which goes on after an interruption: teachers, network, export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from attrs import asdict, evolve
from bnnhw.network import Network
from bnnhw.topology import Topology

from bnncore.datasets import LabelledImages
from bnncore.errors import BnnError
from bnncore.formats.classes import CLASSES, check_classes, class_name, classes_bytes
from bnncore.formats.npz import WEIGHTS, write_npz
from bnncore.formats.provenance import Provenance
from bnncore.formats.recipe import RECIPE, Recipe, RecipeEntry, entry_digest, recipe_bytes
from bnncore.records import Preprocessing
from bnncore.spelling import argument
from bnncore.training.export import disagreements, export_network
from bnncore.training.loop import Trainer
from bnncore.training.progress import Reporter
from bnncore.training.results import Epoch, Outcome
from bnncore.training.run_files import CHECKPOINT, METRICS
from bnncore.training.trainable import TrainableNetwork
from bnncore.writing import write_atomically

__all__ = ["train"]

# Images on which the exported network is compared with the trained one; each takes milliseconds.
_COMPARED = 200


def train(
    recipe: Recipe,
    data: LabelledImages,
    topology: Topology,
    out: Path,
    *,
    seed: int = 0,
    threads: int | None = None,
    minutes: float | None = None,
    initial: Network | None = None,
    device: str = "cpu",
    preprocessing: Preprocessing | None = None,
    reporter: Reporter | None = None,
) -> Outcome:
    """Train a network, or continue the run that the folder holds.

    With the same recipe, data, seed and number of threads, and without ``minutes``, the result is the same
    to the bit on the same processor and PyTorch, or on the same kind of GPU.

    Args:
        recipe: how.
        data: training images with their classes.
        topology: what to train.
        out: folder for everything the run writes; made if missing.
        seed: of everything random.
        threads: of the processor; all if None.
        minutes: end after this time instead of ``recipe.epochs``, the schedule stretched to fit; teachers, and
            a run to start from, are not counted.
        initial: parameters to start from instead of random ones, where the recipe names a dataset.
        device: what computes, by PyTorch's name, for example ``cuda``.
        preprocessing: how the images were prepared, for the weights to record; None if it is not known.
        reporter: is told how it goes.

    Raises:
        BnnError: if the data do not fit the topology, the folder holds another run, the loss is not a number,
            or memory runs out; a checkpoint of the last whole epoch is left.
        KeyboardInterrupt: if the user stops the run before there is anything to keep.
    """
    reporter = reporter or Reporter()
    if threads is not None:
        if threads < 1:
            raise BnnError(f"threads must be a whole number from 1 up, not {threads!r}")
        torch.set_num_threads(threads)
    if data.classes:
        # What cannot be written at the end need not be trained.
        data = data.named(check_classes(map(class_name, data.classes), "classes"))
    classes = _checked_classes(data, topology)
    if isinstance(recipe.initial, Recipe):
        reporter.note("training the network to start from")
        before = train(
            evolve(recipe.initial, validation=recipe.validation),
            data,
            topology,
            out / "initial",
            seed=seed,
            threads=threads,
            initial=initial,
            device=device,
            reporter=reporter,
        )
        if not before.finished:
            raise KeyboardInterrupt
        initial = before.network
    images, labels = torch.from_numpy(data.images.copy()), torch.from_numpy(data.labels.copy())
    digest = _digest(data)
    teachers = []
    # A teacher that had seen the validation images would tell the network about them.
    teacher_recipe = None if recipe.teacher is None else evolve(recipe.teacher, validation=recipe.validation)
    for number in range(recipe.teachers if teacher_recipe is not None else 0):
        assert teacher_recipe is not None
        reporter.note(f"training teacher {number + 1} of {recipe.teachers}")
        teacher = Trainer(
            topology,
            teacher_recipe,
            images,
            labels,
            classes,
            seed=seed + 1000 + number,
            quantized=False,
            device=device,
            data=digest,
        )
        if not _run(teacher, out / f"teacher-{number}", reporter):
            raise KeyboardInterrupt
        teachers.append(teacher.network)
    trainer = Trainer(
        topology,
        recipe,
        images,
        labels,
        classes,
        seed=seed,
        minutes=minutes,
        initial=initial,
        teachers=teachers,
        device=device,
        data=digest,
    )
    reporter.note(f"training {topology.name} in {out}")
    finished = _run(trainer, out, reporter)
    network = _exported(trainer.network, data)
    if data.classes:
        write_atomically(out / CLASSES, classes_bytes(data.classes))
    entry = RecipeEntry(
        recipe=recipe,
        seed=seed,
        # What the order of additions depends on.
        threads=torch.get_num_threads() if device == "cpu" else None,
        device=None if device == "cpu" else device,
        minutes=minutes,
    )
    provenance = Provenance(preprocessing=preprocessing, recipe_sha256=entry_digest(entry))
    write_npz(out / WEIGHTS, network, data.classes or None, provenance)
    write_atomically(out / RECIPE, recipe_bytes({topology.name: entry}))
    return Outcome(network=network, history=tuple(trainer.history), finished=finished, classes=data.classes)


def _checked_classes(data: LabelledImages, topology: Topology) -> int:
    if data.images.shape[1:] != topology.input.shape:
        raise BnnError(
            f"the images are {list(data.images.shape[1:])}, topology {topology.name!r} sees "
            f"{list(topology.input.shape)}; choose another topology or prepare the images for this one"
        )
    if len(np.unique(data.labels)) < 2:
        raise BnnError(
            f"all {len(data)} images are of one class; there is something to learn from two classes on"
        )
    return len(data.classes) or int(data.labels.max()) + 1


def _digest(data: LabelledImages) -> str:
    """Return what tells images, labels and class names from others."""
    digest = hashlib.sha256(json.dumps(data.classes).encode())
    for array in (data.labels, data.images):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _run(trainer: Trainer, out: Path, reporter: Reporter) -> bool:
    """Run until the end or an interruption; return whether it was the end."""
    checkpoint = out / CHECKPOINT
    recipe = trainer.recipe
    epochs = recipe.epochs if trainer.minutes is None else 0
    if checkpoint.exists():
        trainer.resume(checkpoint)
    try:
        while not trainer.finished:
            number = len(trainer.history) + 1

            def report(step: int, loss: float, right: float, number: int = number) -> None:
                reporter.step(number, epochs, step, trainer.steps_per_epoch, loss, right)

            epoch = trainer.epoch(report)
            trainer.save(checkpoint)
            _write_metrics(out, trainer.history)
            reporter.epoch(epoch, epochs)
    except KeyboardInterrupt:
        # What the interrupted epoch did to the network is dropped: the checkpoint is whole.
        if not checkpoint.exists():
            raise
        trainer.resume(checkpoint)
        return False
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, BnnError) or "memory" not in f"{type(error).__name__} {error}".lower():
            raise
        raise BnnError(
            f"memory ran out with batches of {recipe.batch_size} images; use a smaller batch "
            f"({argument('batch_size')})"
        ) from error
    return True


def _exported(trained: TrainableNetwork, data: LabelledImages) -> Network:
    network = export_network(trained)
    compared = data.images[-_COMPARED:]
    different = disagreements(trained, network, compared)
    if different:
        raise BnnError(
            f"the exported network differs from the trained one on {different} of {len(compared)} images; "
            "this is a fault of bnncore: please report it"
        )
    return network


def _write_metrics(out: Path, history: Sequence[Epoch]) -> None:
    text = json.dumps({"epochs": [asdict(epoch) for epoch in history]}, indent=2)
    write_atomically(out / METRICS, f"{text}\n".encode())
