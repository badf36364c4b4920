"""``bnncore evaluate NAME --data PATH``."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bnncore import BnnError
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import complain, json_option, print_json, remark, say, say_lines, table
from bnncore.cli.overwriting import overwrite_option
from bnncore.formats.evaluation import EVALUATION
from bnncore.places import check_place

if TYPE_CHECKING:
    from PIL import Image

    from bnncore.classifier import Classifier
    from bnncore.datasets import LabelledImages, Survey
    from bnncore.evaluation import Evaluation

__all__ = ["command"]

# What --out gets.
_WRITTEN = ("confusion.png", "mistakes.png", EVALUATION)


@click.command("evaluate")
@click.argument("name")
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Labelled images: CIFAR batches, MNIST files, a folder of pictures a class, or a CSV.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="Which images; test, or validation if there is no test, if left out.",
)
@click.option("--skip-broken", is_flag=True, help="Go on without pictures that cannot be read.")
@click.option("--last", type=click.IntRange(1), help="Only the last so many images of the split.")
@network_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for pictures and JSON.")
@overwrite_option
@json_option
def command(
    name: str,
    data: Path,
    split: Any,
    skip_broken: bool,
    last: int | None,
    asked: Asked,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure how often the dataset NAME is right on labelled images.

    Shows the accuracy with its 95 % confidence interval, each class's precision and recall, and the confusion
    matrix. With --out also writes confusion.png, mistakes.png (the worst ones) and evaluation.json.
    """
    import numpy as np

    from bnncore import evaluation
    from bnncore.datasets.reading import open_collection
    from bnncore.datasets.surveys import lines_of
    from bnncore.formats.evaluation import evaluation_content

    if out is not None:
        for written in _WRITTEN:
            check_place(out / written, BnnError, overwrite=overwrite)
    with asked.open(name) as classifier:
        collection = open_collection(data, classifier.classes)
        split = split or _split(collection.survey)
        # Before the pictures: what a card cannot answer must not cost the figures.
        seen = _was_trained_on(classifier, split)
        # On standard error, as is the bar, so that a pipe gets the results alone.
        for line in collection.survey.lines():
            remark(line)
        images = collection.read(split, classifier.preprocess, skip_broken)
        for line in lines_of(images, split, collection.survey):
            remark(line)
        if last is not None:
            images = images.subset(np.arange(max(0, len(images) - last), len(images)))
        with click.progressbar(length=len(images), label="classifying", file=sys.stderr) as bar:
            found = evaluation.evaluate(classifier, images, bar.update)
        content = evaluation_content(
            name=name,
            topology=classifier.topology.name,
            data=str(data),
            split=split,
            figures=found.to_dict(),
        )
    # Before anything is printed, so that a pipe that closes early costs nothing; and what cannot be written is printed.
    fault = None if out is None else _write(out, content, found, images)
    if as_json:
        print_json(content)
    else:
        _print(found, split if seen else None)
    if fault is not None:
        raise fault
    if out is not None:
        (remark if as_json else say)(f"written: {out}/{', '.join(_WRITTEN)}")


def _split(found: Survey) -> str:
    """Return the split that tells how good a network is, as far as there is one, and say so if it is not the test."""
    if "test" in found.splits or "validation" not in found.splits:
        return "test"
    remark("there is no test split: the validation split is measured")
    return "validation"


def _was_trained_on(classifier: Classifier, split: str) -> bool:
    """Say whether the card's recipe trains on a split: a figure measured there says little of other pictures."""
    try:
        card = classifier.card
    except (BnnError, OSError) as error:
        # Which bnncore check reports, too; it is no reason not to measure.
        complain(f"{error}; whether the weights were trained on these images is not known")
        return False
    found: Any = None if card is None else card.recipe
    # Anybody may have written it.
    for key in (classifier.topology.name, "recipe", "splits"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return isinstance(found, (list, tuple)) and split in found


def _print(found: Evaluation, trained_on: str | None) -> None:
    from bnncore.evaluation.show import class_table, confusions

    low, high = found.interval
    say(
        f"{100 * found.accuracy:.2f} % right: {found.right} of {found.samples} "
        f"(95 % confidence: {100 * low:.2f} % to {100 * high:.2f} %)"
    )
    say(f"{found.samples / found.seconds:,.0f} images a second on {found.backend}")
    say()
    say_lines(table(class_table(found), ("CLASS", "IMAGES", "PRECISION", "RECALL")))
    say()
    say_lines(confusions(found))
    if trained_on is not None:
        say()
        say(
            f"The weights were trained on the {trained_on} split, wholly or in part: on other pictures they "
            "are right less often (bnncore info)."
        )


def _write(out: Path, content: dict[str, Any], found: Evaluation, images: LabelledImages) -> OSError | None:
    """Write pictures and figures, all or none; return what the disk says against it."""
    from bnncore.evaluation.show import confusion_picture, contact_sheet
    from bnncore.formats.evaluation import evaluation_bytes
    from bnncore.writing import write_together

    confusion, mistakes, figures = (out / name for name in _WRITTEN)
    try:
        write_together(
            {
                confusion: _png(confusion_picture(found)),
                mistakes: _png(contact_sheet(found, images)),
                figures: evaluation_bytes(content),
            }
        )
    except OSError as fault:
        return fault
    return None


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
