"""``bnncore train NAME --data PATH`` and ``bnncore train --images FOLDER --topology NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnncore.cli.output import say
from bnncore.interrupts import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from bnncore.datasets import Survey
    from bnncore.training import CrossValidation, TrainingData

__all__ = ["command"]

_PATH = click.Path(exists=True, path_type=Path)
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
@click.option(
    "--validation",
    type=click.IntRange(0),
    help="Images to hold back; the recipe's if left out. None if the data have a validation split.",
)
@click.option("--minutes", type=_POSITIVE, help="End after this time instead of --epochs; not repeatable.")
@click.option("--threads", type=click.IntRange(1), help="Of the processor; all if left out.")
@click.option("--device", default="cpu", show_default=True, help="What computes: cpu, or cuda for a GPU.")
@click.option("--folds", type=click.IntRange(2), help="Cross-validate with so many folds instead.")
@click.option("--skip-broken", is_flag=True, help="Go on without pictures that cannot be read.")
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
    skip_broken: bool,
    **changes: Any,
) -> None:
    """Train a network: that of the dataset NAME again, or one for your own pictures.

    \b
    bnncore train cifar10 --data cifar-10-batches-bin/
    bnncore train --images my_photos/ --topology cnvW1A1 --out my_params/

    A run that was stopped (Ctrl-C) leaves usable weights, and continues when it is started again with the same
    --out. Needs PyTorch: pip install 'bnncore[train]'.
    """  # noqa: D301  # click's mark is a backspace
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
    from bnncore.training import BarReporter, plan

    source = _data(name, data, images, topology, skip_broken)
    source.when_surveyed = _print_survey
    run = plan(source, out, recipe=recipe_file, seed=seed, binparam=binparam, **changes)
    bar = BarReporter()
    try:
        if folds is not None:
            found = run.cross_validate(folds, threads=threads, device=device, reporter=bar)
            _print_cross_validation(found)
            return
        outcome = run.train(minutes=minutes, threads=threads, device=device, reporter=bar)
    except KeyboardInterrupt:
        say("stopped before there were weights; the same command continues")
        click.get_current_context().exit(EXIT_INTERRUPTED)
    if binparam is not None:
        say(f"BNN-PYNQ      {binparam}")
    say(f"weights       {run.weights}")
    say(f"try them      bnncore classify {run.weights} PICTURE")
    say(f"measure       bnncore evaluate {run.weights} --data LABELLED_PICTURES")
    if not outcome.finished:
        say(f"stopped after {len(outcome.history)} epochs; the same command continues")
        click.get_current_context().exit(EXIT_INTERRUPTED)


def _data(
    name: str | None, data: Path | None, images: Path | None, topology: str | None, skip_broken: bool
) -> TrainingData:
    from bnncore.training import TrainingData

    if name is not None and data is not None:
        return TrainingData.of_dataset(name, data, topology, skip_broken=skip_broken)
    assert images is not None
    chosen = (topology,) if topology else ()
    return TrainingData.of_pictures(images, *chosen, skip_broken=skip_broken)


def _print_survey(found: Survey) -> None:
    for line in found.lines():
        say(line)


def _print_cross_validation(found: CrossValidation) -> None:
    low, high = found.interval
    say(
        f"{100 * found.accuracy:.2f} % right, each image by a network that never saw it: {found.right} of "
        f"{found.samples} in {found.folds} folds (95 % confidence: {100 * low:.2f} % to {100 * high:.2f} %)"
    )
