"""``bnncore import MODEL``."""

from __future__ import annotations

from pathlib import Path

import click

from bnncore import registry
from bnncore.cli.output import say
from bnncore.cli.overwriting import overwrite_option

__all__ = ["command"]


@click.command("import")
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--precision",
    type=click.Choice(["W1A1", "W1A2", "W2A2"]),
    help="Bits of weights and activations, which only a QONNX graph says itself; without it, those that the "
    "file's name says, as in lfcW1A1.npz or mnist-1w-2a.npz.",
)
@click.option(
    "--topology",
    help="An installed topology: which network an .npz of Lasagne's parameters is, if not LFC or CNV.",
)
@click.option(
    "--pooling",
    type=click.Choice(["sums", "activations"]),
    default="sums",
    show_default=True,
    help="What Lasagne's pools were over: sums, as in BNN-PYNQ's cnv.py, or activations.",
)
@click.option("--classes", type=click.Path(exists=True, path_type=Path), help="A classes.txt to put in.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The .npz to write."
)
@overwrite_option
def command(
    model: Path,
    precision: str | None,
    topology: str | None,
    pooling: str,
    classes: Path | None,
    out: Path,
    overwrite: bool,
) -> None:
    """Turn a network that was trained elsewhere into integer parameters, exactly.

    MODEL is an .npz that the training of BNN-PYNQ or BinaryNet wrote (Lasagne's parameters), a checkpoint of Brevitas'
    BNN-PYNQ models (.pth, .tar, .safetensors), or a QONNX graph (.onnx; needs the package onnx). Which it is shows
    in the file. What has no exact equal is refused, with the reason.

    \b
    bnncore import mnist_parameters.npz --precision W1A1 --out mnist.npz
    bnncore import cnv_1w1a.pth --out cnv.npz
    bnncore import model.onnx --classes classes.txt --out model.npz
    """  # noqa: D301  # click's mark is a backspace
    from bnncore.errors import ParameterError
    from bnncore.formats.classes import read_classes
    from bnncore.formats.npz import write_npz
    from bnncore.importing.trained import PrecisionMissing, read_trained
    from bnncore.places import check_place

    check_place(out, ParameterError, overwrite=overwrite)
    wanted = registry.topology(topology) if topology else None
    try:
        network = read_trained(model, precision, wanted, pooling="sums" if pooling == "sums" else "activations")
    except PrecisionMissing as error:
        raise click.UsageError(str(error)) from error
    made = network.topology
    write_npz(out, network, read_classes(classes, made.outputs) if classes else None)
    say(f"{out}: {made.name} ({made.precision}), {made.weights:,} weights")
    given = made.input
    colours = "RGB" if given.channels == 3 else "grey" if given.channels == 1 else f"{given.channels} channels"
    say(f"Pictures: {given.width}x{given.height}, {colours}, {given.bits} bit{'s'[: given.bits > 1]} a value")
