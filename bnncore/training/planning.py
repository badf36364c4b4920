"""A training run before it runs: on what, how, from where, and into which folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from bnncore import get, registry
from bnncore.errors import BnnError
from bnncore.extras import missing_extra
from bnncore.formats.npz import WEIGHTS
from bnncore.formats.recipe import Recipe, RecipeEntry, read_recipe
from bnncore.places import check_folder, check_place, check_space
from bnncore.resources import packaged, read_resource
from bnncore.spelling import argument
from bnncore.training.data import TrainingData
from bnncore.training.progress import Reporter
from bnncore.training.recipes import default_recipe, plugin_recipe, related_dataset
from bnncore.training.run_files import CHECKPOINT, CURVE
from bnncore.writing import write_atomically

if TYPE_CHECKING:
    from bnnhw.network import Network
    from bnnhw.topology import Folding, Topology

    from bnncore.datasets import LabelledImages
    from bnncore.training.results import CrossValidation, Outcome

__all__ = ["Plan", "initial_network", "plan"]

# Teachers, folds and phases count on from a seed, and every library takes what is below this.
_SEEDS = 2**62

# Of a checkpoint, for each weight: it, what the optimizer remembers of it, and the next checkpoint while it is written.
_CHECKPOINT_BYTES = 32


@frozen(kw_only=True, eq=False)
class Plan:
    """A training run, decided but for what computes it; ``plan`` makes one.

    Attributes:
        data: what is trained on.
        recipe: how.
        seed: of everything random.
        folder: for everything that the run writes; a run that it holds is continued.
        file: an ``.npz`` that gets the weights, too, or None.
        binparam: a folder that gets them in BNN-PYNQ's format, too, or None.
    """

    data: TrainingData
    recipe: Recipe
    seed: int
    folder: Path
    file: Path | None
    binparam: Path | None

    @property
    def weights(self) -> Path:
        """The ``.npz`` with the weights, once there are any."""
        return self.file or self.folder / WEIGHTS

    def train(
        self,
        *,
        minutes: float | None = None,
        threads: int | None = None,
        device: str = "cpu",
        reporter: Reporter | None = None,
    ) -> Outcome:
        """Train, or go on with the run that the folder holds; write weights, figures and a learning curve.

        With the same data, recipe, seed and number of threads, and without ``minutes``, the result is the same
        to the bit on the same processor and PyTorch, or on the same kind of GPU.

        Args:
            minutes: end after this time instead of the recipe's epochs, the schedule stretched to fit.
            threads: of the processor; all if None.
            device: what computes, by PyTorch's name, for example ``cuda``.
            reporter: is told how it goes, for example a ``BarReporter``; None for nobody.

        Raises:
            BnnError: if PyTorch is missing, there are weights of another run already, the data cannot be read or do
                not fit the topology, what the recipe starts from is not there, the folder holds another run, the loss
                is not a number, or memory runs out.
            KeyboardInterrupt: if the user stops the run before there are weights. Stopped later it returns, and
                the outcome is not ``finished``; either way the same call goes on.
        """
        _require_torch()
        _check_weights(self.folder, self.file)
        from bnncore.training.run import train

        outcome = train(
            self.recipe,
            self._images(reporter or Reporter()),
            self.data.topology,
            self.folder,
            seed=self.seed,
            threads=threads,
            minutes=minutes,
            initial=initial_network(self.recipe, self.data.topology),
            device=device,
            preprocessing=self.data.preprocessing,
            reporter=reporter,
        )
        self._draw(outcome, reporter or Reporter())
        if self.file is not None:
            write_atomically(self.file, (self.folder / WEIGHTS).read_bytes())
        if self.binparam is not None:
            self._write_binparam(self.binparam, outcome)
        return outcome

    def cross_validate(
        self,
        folds: int = 5,
        *,
        threads: int | None = None,
        device: str = "cpu",
        reporter: Reporter | None = None,
    ) -> CrossValidation:
        """Train once a fold on the images of the others, and answer each image by a network that never saw it.

        It only measures: ``file`` and ``binparam`` are not written. What was stopped goes on.

        Args:
            folds: how many, from 2 to the number of images.
            threads: of the processor; all if None.
            device: what computes, by PyTorch's name.
            reporter: is told how it goes; None for nobody.

        Raises:
            BnnError: as ``train``, or if there are fewer images than folds.
            KeyboardInterrupt: if the user stops it; what was trained is kept.
        """
        _require_torch()
        from bnncore.training.cross_validation import cross_validate

        return cross_validate(
            self.recipe,
            self._images(reporter or Reporter()),
            self.data.topology,
            self.folder,
            folds=folds,
            seed=self.seed,
            threads=threads,
            initial=initial_network(self.recipe, self.data.topology),
            device=device,
            reporter=reporter,
        )

    def _images(self, reporter: Reporter) -> LabelledImages:
        """Return the images to train on, those to validate by at their end, where the trainer holds them back."""
        images = self.data.read((*self.recipe.splits, "validation"))
        own = self.data.validation
        if own and own != self.recipe.validation:
            raise BnnError(
                f"the data have {own} pictures for validation, the plan has {self.recipe.validation}; plan again"
            )
        from bnncore.datasets.surveys import lines_of

        for line in lines_of(images, " and ".join(self.recipe.splits), self.data.survey):
            reporter.note(line)
        return images

    def _draw(self, outcome: Outcome, reporter: Reporter) -> None:
        from bnncore.training.curve import write_curve

        try:
            write_curve(self.folder / CURVE, outcome.history)
        except BnnError as error:
            # The weights are worth more than the picture.
            reporter.warning(str(error))

    def _write_binparam(self, folder: Path, outcome: Outcome) -> None:
        from bnncore.formats.binparam import write_binparam

        topology = outcome.network.topology
        names = outcome.classes or tuple(str(k) for k in range(topology.outputs))
        if folder.exists():
            # The one that this run wrote when it was stopped: planning refused any other.
            shutil.rmtree(folder)
        write_binparam(folder, outcome.network, _folding(topology), names)


def plan(
    data: TrainingData,
    out: str | os.PathLike[str] | None = None,
    *,
    recipe: Recipe | str | os.PathLike[str] | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    validation: int | None = None,
    binparam: str | os.PathLike[str] | None = None,
) -> Plan:
    """Decide how to train; ``train`` of the result does it.

    Args:
        data: what to train on.
        out: folder for everything that the run writes, or the ``.npz`` to write, whose folder then has its name
            without ``.npz``; None for ``trained/`` and the name of the data.
        recipe: a record or a ``recipe.json``; None for the recipe of the dataset's weights, or, for your own
            classes, one that suits their number.
        seed: of everything random; None for the one that stands with the recipe, else 0.
        epochs: instead of the recipe's; in a shorter run its phases are shorter, too. This and the next three: None
            leaves what the recipe says.
        batch_size: images a step.
        learning_rate: the peak.
        validation: images to hold back. Data with a validation split of their own are validated by that, whatever
            the recipe says, and none of their training images are held back; then it can only be left out.
        binparam: folder to write BNN-PYNQ's parameters to, too; it must not exist yet, but for one that this run
            wrote when it was stopped.

    Raises:
        BnnError: if PyTorch is missing, the recipe cannot be read, is impossible or of another topology,
            the data cannot be trained on (as far as looking through them tells), ``validation`` is not that of
            the data's own split, ``out`` or ``binparam`` is taken or cannot be written, or no installed bitstream has
            a folding for the topology.
    """
    _require_torch()
    if seed is not None and (not isinstance(seed, int) or not 0 <= seed < _SEEDS):
        raise BnnError(f"seed must be a whole number from 0 to {_SEEDS - 1}, not {seed!r}")
    folder, file = _places(out, data.name)
    if binparam is not None:
        _check_binparam(Path(binparam), folder, data.topology)
    _check_run(folder, data.topology)
    entry = _chosen(data, recipe)
    own = data.validation
    if own and validation is not None and validation != own:
        raise BnnError(
            f"the data have a validation split of {own} pictures, which is used; leave {argument('validation')} out"
        )
    given = {"batch_size": batch_size, "learning_rate": learning_rate, "validation": own or validation}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        chosen = evolve(entry.recipe.lasting(entry.recipe.epochs if epochs is None else epochs), **changes)
    except (TypeError, ValueError) as error:
        raise BnnError(f"not a recipe: {error}") from error
    return Plan(
        data=data,
        recipe=chosen,
        seed=entry.seed if seed is None else seed,
        folder=folder,
        file=file,
        binparam=None if binparam is None else Path(binparam),
    )


def _check_run(folder: Path, topology: Topology) -> None:
    """Refuse a folder that cannot be written, before anything is trained."""
    if folder.exists() and not folder.is_dir():
        raise BnnError(
            f"{folder}: expected a folder for the run, found a file; choose another {argument('out')}"
        )
    check_folder(folder, BnnError)
    check_space(folder, topology.weights * _CHECKPOINT_BYTES, BnnError)


def _check_weights(folder: Path, file: Path | None) -> None:
    """Refuse to write over weights: a run that goes on replaces what it wrote, and no other's."""
    begun = (folder / CHECKPOINT).exists()
    for path in (folder / WEIGHTS, file):
        if path is None:
            continue
        if path.exists() and path.is_file() and not begun:
            raise BnnError(
                f"{path}: exists already, and {folder} holds no run that could go on; choose another "
                f"{argument('out')} or remove it first"
            )
        check_place(path, BnnError)


def _check_binparam(binparam: Path, run: Path, topology: Topology) -> None:
    """Refuse a folder that is taken, before anything is trained; what this run wrote when it was stopped is its own."""
    folding = _folding(topology)
    if not binparam.exists():
        check_place(binparam, BnnError)
        return
    from bnncore.formats.binparam import read_binparam
    from bnncore.formats.npz import read_npz

    try:
        written, _ = read_binparam(binparam, topology, folding)
        left = read_npz(run / WEIGHTS, topology).network
    except (BnnError, OSError):
        own = False
    else:
        own = all(
            (one.weights == other.weights).all() and (one.thresholds == other.thresholds).all()
            for one, other in zip(written.layers, left.layers)
        )
    if not own:
        raise BnnError(
            f"{binparam}: exists already; choose a new directory for {argument('binparam')} or remove it"
        )


def initial_network(recipe: Recipe, topology: Topology) -> Network | None:
    """Return the network that a recipe starts from, however many recipes later; None for random weights.

    Args:
        recipe: its ``initial`` names a dataset or ``package/file.npz``, or is a recipe that does, or does not.
        topology: of the recipe.

    Raises:
        BnnError: if the dataset or the file is not there, or is not what it should be.
    """
    from bnncore.formats.npz import parse_npz

    start = recipe.initial
    while isinstance(start, Recipe):
        start = start.initial
    if start is None:
        return None
    if "/" in start:
        package, path = start.split("/", 1)
        return parse_npz(read_resource(packaged(package, path)), start, topology).network
    return get(start, "numpy", topology=topology.name).network


def _chosen(data: TrainingData, recipe: Recipe | str | os.PathLike[str] | None) -> RecipeEntry:
    """Return recipe and seed: as given, from a file, the plugin's, or made to measure."""
    topology = data.topology
    if isinstance(recipe, Recipe):
        if recipe.topology != topology.name:
            raise BnnError(f"the recipe is for {recipe.topology!r}, the data are for {topology.name!r}")
        return RecipeEntry(recipe=recipe, seed=0)
    if recipe is not None:
        return read_recipe(Path(recipe), topology.name)
    if data.dataset is not None:
        return plugin_recipe(data.dataset, topology.name)
    made = default_recipe(topology, len(data.read(("train",))), related_dataset(topology))
    return RecipeEntry(recipe=made, seed=0)


def _places(out: str | os.PathLike[str] | None, name: str) -> tuple[Path, Path | None]:
    """Return the folder of the run, and the .npz that is wanted beside it, if any."""
    if out is None:
        return Path("trained") / name, None
    path = Path(out)
    return (path.with_suffix(""), path) if path.suffix == ".npz" else (path, None)


def _folding(topology: Topology) -> Folding:
    """Return the order of words of an accelerator for a topology, which a BNN-PYNQ folder is written in."""
    folding = registry.folding(topology.name)
    if folding is None:
        raise BnnError(
            f"no accelerator for {topology.name!r}: no installed bitstream gives it a folding, so there is no "
            f"parameter folder of it; leave {argument('binparam')} out and use the .npz"
        )
    return folding


def _require_torch() -> None:
    # Looked for, not imported: the import takes seconds.
    if importlib.util.find_spec("torch") is None:
        raise missing_extra("training", "PyTorch", "train")
