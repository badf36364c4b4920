"""``bnncore benchmark NAME``."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import asdict

from bnncore import __version__, registry
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import json_option, print_json, say, say_lines, table

if TYPE_CHECKING:
    from bnncore.diagnosis.benchmark import Measurement

__all__ = ["command"]


@click.command("benchmark")
@click.argument("name")
@network_options
@click.option(
    "--image", type=click.Path(path_type=Path), help="A picture to measure with, not the built-in one."
)
@click.option("--batch", default=128, show_default=True, type=click.IntRange(1), help="Images in a batch.")
@click.option(
    "--seconds",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0),
    help="How long to measure each figure.",
)
@json_option
def command(name: str, asked: Asked, image: Path | None, batch: int, seconds: float, as_json: bool) -> None:
    """Measure every backend that can run the dataset NAME on this machine.

    Times of one image alone, in milliseconds: the file decoded, the picture prepared, packed and transferred
    for an accelerator, and the network computed; then images a second, one at a time and in a batch that is
    prepared already. Figures are medians. NAME may be a path, as for bnncore classify.
    """
    # Numpy and PIL wait for the command to run.
    from bnncore.diagnosis.benchmark import Skipped, measure, sample_picture
    from bnncore.errors import InputError
    from bnncore.files import reading

    if image is None:
        picture = sample_picture()
    else:
        with reading(image, InputError):
            picture = image.read_bytes()
    with asked.open(name) as classifier:
        results = list(measure(registry, classifier, picture, batch=batch, seconds=seconds))
        title = f"{classifier.name} on {classifier.topology.name}"
        network = classifier.topology.name
    measured = [result for result in results if not isinstance(result, Skipped)]
    skipped = [result for result in results if isinstance(result, Skipped)]
    if as_json:
        print_json(
            {
                "dataset": name,
                "topology": network,
                "bnncore": __version__,
                "machine": platform.machine(),
                "python": platform.python_version(),
                "picture": str(image) if image else "built-in, 640x480 JPEG",
                "batch": batch,
                "seconds": [asdict(result) for result in measured],
                "images_per_second": {
                    result.backend: {"single": 1 / result.single, "batch": 1 / result.batch}
                    for result in measured
                },
                "skipped": {result.backend: result.reason for result in skipped},
            }
        )
        return
    say(f"{title}, one image in milliseconds, batch of {batch}:")
    say_lines(table([_row(result) for result in measured], _HEADS))
    for result in skipped:
        say(f"not here: {result.backend}: {result.reason}")


_HEADS = (
    "backend",
    "decode",
    "preprocess",
    "pack",
    "transfer",
    "compute",
    "together",
    "images/s",
    "in a batch",
    "ready after",
)


def _row(found: Measurement) -> tuple[str, ...]:
    phases = (found.decode, found.preprocess, found.pack, found.transfer, found.compute, found.single)
    return (
        found.backend,
        *("-" if phase is None else f"{1000 * phase:.3f}" for phase in phases),
        f"{1 / found.single:.0f}",
        f"{1 / found.batch:.0f}",
        f"{found.ready:.2f} s",
    )
