"""``bnncore evaluate NAME --data PATH``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnncore import BnnError
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import json_option, print_json, table

if TYPE_CHECKING:
    from bnncore.classifier import Classifier
    from bnncore.datasets import LabelledImages
    from bnncore.evaluation import Evaluation

__all__ = ["command"]


@click.command("evaluate")
@click.argument("name")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Labelled images: CIFAR batches, MNIST files, a folder of pictures a class, or a CSV.",
)
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "test"]))
@click.option("--last", type=click.IntRange(1), help="Only the last so many images of the split.")
@network_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for pictures and JSON.")
@json_option
def command(
    name: str,
    data: Path,
    split: Any,
    last: int | None,
    asked: Asked,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure how often the dataset NAME is right on labelled images.

    Shows the accuracy with its 95 % confidence interval, each class's precision and recall, and the confusion
    matrix. With --out also writes confusion.png, mistakes.png (the worst ones) and evaluation.json.
    """
    import numpy as np

    from bnncore import evaluation
    from bnncore.datasets import read
    from bnncore.formats.evaluation import EVALUATION, evaluation_content

    if out is not None:
        _make_folder(out)
    with asked.open(name) as classifier:
        images = read(data, split, classifier.preprocess, classifier.classes)
        if last is not None:
            images = images.subset(np.arange(max(0, len(images) - last), len(images)))
        # On standard error, so that a pipe gets the results alone.
        with click.progressbar(length=len(images), label="classifying", file=sys.stderr) as bar:
            found = evaluation.evaluate(classifier, images, bar.update)
        content = evaluation_content(
            name=name,
            topology=classifier.topology.name,
            data=str(data),
            split=split,
            figures=found.to_dict(),
        )
        seen = _was_trained_on(classifier, split)
    # Before anything is printed, so that a pipe that closes early costs nothing.
    if out is not None:
        _write(out, content, found, images)
    if as_json:
        print_json(content)
    else:
        _print(found, split if seen else None)
    if out is not None:
        click.echo(f"written: {out}/confusion.png, mistakes.png, {EVALUATION}", err=as_json)


def _was_trained_on(classifier: Classifier, split: str) -> bool:
    """Say whether the card's recipe trains on a split: a figure measured there says little of other pictures."""
    try:
        card = classifier.card
    except BnnError:
        # A card that cannot be read, which bnncore check reports, is no reason not to measure.
        return False
    recipe = {} if card is None else card.recipe.get(classifier.topology.name, {}).get("recipe", {})
    return split in recipe.get("splits", ())


def _print(found: Evaluation, trained_on: str | None) -> None:
    from bnncore.evaluation.show import class_table, confusion_text

    low, high = found.interval
    click.echo(
        f"{100 * found.accuracy:.2f} % right: {found.right} of {found.samples} "
        f"(95 % confidence: {100 * low:.2f} % to {100 * high:.2f} %)"
    )
    click.echo(f"{found.samples / found.seconds:,.0f} images a second on {found.backend}\n")
    click.echo(table(class_table(found), ("CLASS", "IMAGES", "PRECISION", "RECALL")))
    click.echo(f"\nrows: true class, columns: answer\n{confusion_text(found)}")
    if trained_on is not None:
        click.echo(
            f"\nThe weights were trained on the {trained_on} split, wholly or in part: on other pictures they "
            "are right less often (bnncore info)."
        )


def _make_folder(out: Path) -> None:
    """Make the folder, or say why not, before all images are classified."""
    from bnncore import BnnError

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BnnError(
            f"{out}: cannot be made a folder: {error.strerror or error}; choose another --out"
        ) from error


def _write(out: Path, content: dict[str, Any], found: Evaluation, images: LabelledImages) -> None:
    from bnncore.evaluation.show import confusion_picture, contact_sheet
    from bnncore.files import write_atomically
    from bnncore.formats.evaluation import EVALUATION, evaluation_bytes

    confusion_picture(found).save(out / "confusion.png")
    contact_sheet(found, images).save(out / "mistakes.png")
    write_atomically(out / EVALUATION, evaluation_bytes(content))
