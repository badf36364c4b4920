"""``bnncore classify NAME IMAGE…``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from bnncore import BnnError, InputError, Prediction, registry
from bnncore.cli.ending import EXIT_ERROR
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import bar, complain, json_option, print_json, say
from bnncore.plain_text import shown

__all__ = ["command"]

# No parameters end like this.
_PICTURES = frozenset(
    (".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
)


@click.command("classify")
@click.argument("name")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@network_options
@click.option("--top", default=1, show_default=True, type=click.IntRange(1), help="How many classes to show.")
@json_option
def command(
    name: str,
    images: tuple[str, ...],
    asked: Asked,
    top: int,
    as_json: bool,
) -> None:
    """Classify each IMAGE with the dataset NAME.

    NAME is an installed dataset (see bnncore list), or the path of an .npz file or a BNN-PYNQ parameter
    folder. An image that cannot be read is reported, the others are classified, and the exit code is 1.
    """
    _check_order(name, images)
    failed = False
    results: list[dict[str, Any]] = []
    with asked.open(name) as classifier:
        if not images:
            raise click.UsageError("Missing argument 'IMAGE...'.")
        for image in images:
            try:
                prediction = classifier.classify(image)
            except BnnError as error:
                failed = True
                results.append({"image": image, "error": str(error)})
                if not as_json:
                    complain(_about(image, error))
                continue
            results.append(_as_dict(image, prediction, top))
            if not as_json:
                _print(image, prediction, top)
    if as_json:
        print_json(results)
    if failed:
        click.get_current_context().exit(EXIT_ERROR)


def _check_order(name: str, images: tuple[str, ...]) -> None:
    """Refuse a call without its NAME, or without a picture, and say which of the two it is."""
    if Path(name).suffix.lower() in _PICTURES:
        known = ", ".join(registry.names()) or "none"
        raise click.UsageError(
            f"{shown(name)} is a picture, and the network's NAME goes before it: bnncore classify NAME IMAGE...; "
            f"installed: {known}"
        )
    # A path is opened first: what is there may be no network that can be loaded, and there is a way from it.
    if not images and not os.path.exists(name):  # noqa: PTH110  # pathlib raises for names that no file system takes
        raise click.UsageError("Missing argument 'IMAGE...'.")


def _about(image: str, error: BnnError) -> str:
    """Return what is wrong with a picture, by its name: what is wrong in it, as two digits, names none."""
    message = str(error)
    return f"{image}: {message}" if isinstance(error, InputError) and image not in message else message


def _as_dict(image: str, prediction: Prediction, top: int) -> dict[str, Any]:
    return {
        "image": image,
        "label": prediction.label,
        "index": prediction.index,
        "confidence": prediction.confidence,
        "top": [ranked._asdict() for ranked in prediction.top(top)],
        "scores": prediction.scores.tolist(),
        "note": prediction.note,
        "backend": prediction.backend,
        "seconds": prediction.seconds,
    }


def _print(image: str, prediction: Prediction, top: int) -> None:
    shares = dict(zip(prediction.classes, prediction.confidences()))
    width = max(len(name) for name in prediction.classes)
    note = f"  ({prediction.note})" if prediction.note else ""
    shown = prediction.top(top)
    # The winner by the network's rule stands first, also where no bit is set.
    if top == 1:
        label = prediction.label
        say(
            f"{image}: {label.ljust(width)} {bar(shares[label])} {shares[label]:4.0%}"
            f"  {prediction.backend}{note}"
        )
        return
    say(f"{image}: {prediction.label}  {prediction.backend}{note}")
    for ranked in shown:
        share = shares[ranked.label]
        say(f"  {ranked.label.ljust(width)} {bar(share)} {share:4.0%}  score {ranked.score}")
