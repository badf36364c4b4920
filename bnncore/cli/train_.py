"""``bnncore train NAME --data PATH`` and ``bnncore train --images FOLDER --topology NAME``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnncore import BnnError, get, registry
from bnncore.extras import torch_missing

if TYPE_CHECKING:
    from bnnhw.network import Network
    from bnnhw.topology import Topology

    from bnncore.datasets import LabelledImages
    from bnncore.formats.recipe import Recipe

__all__ = ["command"]

_DEFAULT_TOPOLOGY = "cnvW1A1"
_PATH = click.Path(exists=True, path_type=Path)
# As shells say it of Ctrl-C, so that what follows a command does not go on.
_INTERRUPTED = 130
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command("train")
@click.argument("name", required=False)
@click.option("--data", type=_PATH, help="The dataset NAME as published, or your images for it.")
@click.option("--images", type=_PATH, help="Your own classes: one folder of pictures a class, or a CSV.")
@click.option("--topology", help="Network to train; the dataset's first, or cnvW1A1, if left out.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results, or the .npz to write.")
@click.option("--recipe", "recipe_file", type=_PATH, help="A recipe.json to follow instead.")
@click.option("--seed", type=int, help="Of everything random; the recipe's if left out.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the images; the recipe's if left out.")
@click.option("--batch-size", type=click.IntRange(2), help="Images a step; the recipe's if left out.")
@click.option("--learning-rate", type=_POSITIVE, help="The recipe's if left out.")
@click.option("--validation", type=click.IntRange(0), help="Images to hold back; the recipe's if left out.")
@click.option("--minutes", type=_POSITIVE, help="End after this time instead of --epochs; not repeatable.")
@click.option("--threads", type=click.IntRange(1), help="Of the processor; all if left out.")
@click.option("--device", default="cpu", show_default=True, help="What computes: cpu, or cuda for a GPU.")
@click.option("--folds", type=click.IntRange(2), help="Cross-validate with so many folds instead.")
@click.option("--binparam", type=click.Path(path_type=Path), help="Also write a BNN-PYNQ parameter folder.")
def command(
    name: str | None,
    data: Path | None,
    images: Path | None,
    topology: str | None,
    out: Path | None,
    recipe_file: Path | None,
    seed: int | None,
    folds: int | None,
    binparam: Path | None,
    minutes: float | None,
    threads: int | None,
    device: str,
    **changes: Any,
) -> None:
    r"""Train a network: that of the dataset NAME again, or one for your own pictures.

    \b
    bnncore train cifar10 --data cifar-10-batches-bin/
    bnncore train --images my_photos/ --topology cnvW1A1 --out my_params/

    A run that was stopped (Ctrl-C) leaves usable weights, and continues when it is started again with the same
    --out. Needs PyTorch: pip install 'bnncore[train]'.
    """
    if (name is None) == (images is None):
        raise click.UsageError("give either the NAME of a dataset with --data, or --images")
    if name is not None and data is None:
        raise click.UsageError(f"--data is missing: where the pictures of {name!r} are")
    if images is not None and data is not None:
        raise click.UsageError("--data goes with the NAME of a dataset; --images are read alone")
    if folds is not None and (minutes is not None or binparam is not None or (out and out.suffix == ".npz")):
        raise click.UsageError(
            "--folds only measures: it leaves no weights for --binparam or an .npz, and knows no --minutes"
        )
    _require_torch()
    job = _dataset_job(name, data, topology) if name is not None else _pictures_job(images, topology)
    network = job.topology
    if binparam is not None:
        _require_accelerator(network)
    recipe, default_seed = _recipe(job, recipe_file, changes)
    seed = default_seed if seed is None else seed
    labelled = job.read(recipe.splits)
    folder, file = _places(out, name or Path(str(images)).name)
    initial = _initial(recipe)
    from bnncore.training.progress import BarReporter
    from bnncore.training.run import WEIGHTS, train

    try:
        if folds is not None:
            _cross_validate(recipe, labelled, network, folder, folds, seed, threads, initial, device)
            return
        outcome = train(
            recipe,
            labelled,
            network,
            folder,
            seed=seed,
            threads=threads,
            minutes=minutes,
            initial=initial,
            device=device,
            reporter=BarReporter(),
        )
    except KeyboardInterrupt:
        click.echo("stopped before there were weights; the same command continues")
        click.get_current_context().exit(_INTERRUPTED)
    _draw(folder, outcome.history)
    if file is not None:
        shutil.copyfile(folder / WEIGHTS, file)
    if binparam is not None:
        _write_binparam(binparam, outcome.network, labelled.classes)
    weights = file or folder / WEIGHTS
    click.echo(f"weights       {weights}")
    click.echo(f"try them      bnncore classify {weights} PICTURE")
    click.echo(f"measure       bnncore evaluate {weights} --data LABELLED_PICTURES")
    if not outcome.finished:
        click.echo(f"stopped after {len(outcome.history)} epochs; the same command continues")
        click.get_current_context().exit(_INTERRUPTED)


class _Job:
    """What is to be trained on, before anything is read."""

    def __init__(
        self, path: Path, topology: Topology, prepare: Any, classes: tuple[str, ...] | None, dataset: str | None
    ) -> None:
        self.topology, self.dataset = topology, dataset
        self._path, self._prepare, self._classes = path, prepare, classes
        self._last: tuple[tuple[str, ...], LabelledImages] | None = None

    def read(self, splits: tuple[str, ...]) -> LabelledImages:
        """Read the splits one after the other, as far as the data are split; the same ones only once."""
        if self._last is None or self._last[0] != splits:
            self._last = splits, self._read(splits)
        return self._last[1]

    def _read(self, splits: tuple[str, ...]) -> LabelledImages:
        from bnncore.datasets import has_splits, joined, read

        # Pictures that are not split must not come twice.
        chosen = splits if has_splits(self._path) else splits[:1]
        parts = [
            read(self._path, split, self._prepare, self._classes)  # type: ignore[arg-type]  # the recipe checked it
            for split in chosen
        ]
        data = joined(parts)
        if self._classes is not None and data.classes not in ((), self._classes):
            raise BnnError(
                f"{self._path}: has the classes {', '.join(data.classes)}, dataset {self.dataset!r} has "
                f"{', '.join(self._classes)}; they must be the same, in the same order"
            )
        return data if data.classes or self._classes is None else data.named(self._classes)


def _dataset_job(name: str, data: Path | None, topology: str | None) -> _Job:
    assert data is not None
    classifier = get(name, "numpy", topology=topology)
    return _Job(data, classifier.topology, classifier.preprocess, classifier.classes, name)


def _pictures_job(images: Path | None, topology: str | None) -> _Job:
    from bnncore.pictures.preprocessing import Pipeline
    from bnncore.records import Preprocessing

    assert images is not None
    network = registry.topology(topology or _DEFAULT_TOPOLOGY)
    pipeline = Pipeline(Preprocessing.default(network.input), network.input)
    return _Job(images, network, pipeline, None, None)


def _recipe(job: _Job, file: Path | None, changes: dict[str, Any]) -> tuple[Recipe, int]:
    """Return recipe and seed: from a file, the plugin, or made to measure; then the user's changes."""
    import attrs

    from bnncore.training.recipes import default_recipe, plugin_recipe, read_recipe

    given = {key: value for key, value in changes.items() if value is not None}
    if file is not None:
        recipe, seed = read_recipe(file, job.topology.name)
    elif job.dataset is not None:
        recipe, seed = plugin_recipe(job.dataset, job.topology.name)
    else:
        count = len(job.read(("train",)))
        recipe, seed = default_recipe(job.topology, count, _related(job.topology)), 0
    recipe = recipe.lasting(given.pop("epochs", recipe.epochs))
    return attrs.evolve(recipe, **given), seed


def _related(topology: Topology) -> str | None:
    """Return an installed dataset that offers weights for a topology, the first by name."""
    for name in registry.names():
        try:
            if topology.name in registry.dataset(name).topologies:
                return name
        except BnnError:
            # A plugin that cannot be used is no place to start from.
            continue
    return None


def _initial(recipe: Recipe) -> Network | None:
    """Return the network that the recipe starts from, however many recipes later."""
    from bnncore.formats.npz import parse_npz
    from bnncore.formats.recipe import Recipe
    from bnncore.resources import packaged, read_resource

    start = recipe.initial
    while isinstance(start, Recipe):
        start = start.initial
    if start is None:
        return None
    if "/" in start:
        package, path = start.split("/", 1)
        return parse_npz(
            read_resource(packaged(package, path)), start, registry.topology(recipe.topology)
        ).network
    return get(start, "numpy", topology=recipe.topology).job.network()


def _places(out: Path | None, name: str) -> tuple[Path, Path | None]:
    """Return the folder of the run, and the .npz that is wanted beside it, if any."""
    if out is None:
        return Path("trained") / name, None
    if out.suffix == ".npz":
        return out.with_suffix(""), out
    return out, None


def _require_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise torch_missing("training")


def _cross_validate(
    recipe: Recipe,
    labelled: LabelledImages,
    topology: Topology,
    folder: Path,
    folds: int,
    seed: int,
    threads: int | None,
    initial: Network | None,
    device: str,
) -> None:
    from bnncore.evaluation import predictions, wilson_interval
    from bnncore.training.cross import cross_validate
    from bnncore.training.progress import BarReporter

    scores = cross_validate(
        recipe,
        labelled,
        topology,
        folder,
        folds=folds,
        seed=seed,
        threads=threads,
        initial=initial,
        device=device,
        reporter=BarReporter(),
    )
    right = int((predictions(scores, topology) == labelled.labels).sum())
    low, high = wilson_interval(right, len(labelled))
    click.echo(
        f"{100 * right / len(labelled):.2f} % right, each image by a network that never saw it: {right} of "
        f"{len(labelled)} in {folds} folds (95 % confidence: {100 * low:.2f} % to {100 * high:.2f} %)"
    )


def _draw(folder: Path, history: Any) -> None:
    from bnncore.training.curve import write_curve

    try:
        write_curve(folder / "curve.png", history)
    except BnnError as error:
        # The weights are worth more than the picture.
        click.echo(f"bnncore: {error}", err=True)


def _require_accelerator(topology: Topology) -> None:
    from bnncore.builtin.topologies import FOLDINGS

    if topology.name not in FOLDINGS:
        raise BnnError(
            f"BNN-PYNQ has no accelerator for {topology.name!r}, so no parameter folder; leave --binparam out and use "
            "the .npz"
        )


def _write_binparam(folder: Path, network: Network, classes: tuple[str, ...]) -> None:
    from bnncore.builtin.topologies import FOLDINGS
    from bnncore.formats.binparam import write_binparam

    names = classes or tuple(str(k) for k in range(network.topology.outputs))
    write_binparam(folder, network, FOLDINGS[network.topology.name], names)
    click.echo(f"BNN-PYNQ      {folder}")
