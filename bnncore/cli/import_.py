"""``bnncore import MODEL``."""

from __future__ import annotations

from pathlib import Path

import click

from bnncore.cli.output import say
from bnncore.cli.overwriting import overwrite_option

__all__ = ["command"]


@click.command("import")
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--precision",
    type=click.Choice(["W1A1", "W1A2", "W2A2"]),
    help="Of a Brevitas checkpoint, which does not say it.",
)
@click.option("--classes", type=click.Path(exists=True, path_type=Path), help="A classes.txt to put in.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The .npz to write."
)
@overwrite_option
def command(model: Path, precision: str | None, classes: Path | None, out: Path, overwrite: bool) -> None:
    """Turn a network that was trained elsewhere into integer parameters, exactly.

    MODEL is a checkpoint of Brevitas' BNN-PYNQ models (.pth, .tar; needs PyTorch and --precision), or a QONNX
    graph (.onnx; needs the package onnx). What has no exact equal is refused, with the reason.

    \b
    bnncore import cnv_1w1a.pth --precision W1A1 --out cnv.npz
    bnncore import model.onnx --classes classes.txt --out model.npz
    """  # noqa: D301  # click's mark is a backspace
    from bnncore.errors import ParameterError
    from bnncore.files import check_place
    from bnncore.formats.classes import read_classes
    from bnncore.formats.npz import write_npz

    check_place(out, ParameterError, overwrite=overwrite)
    if model.suffix.lower() == ".onnx":
        from bnncore.importing.qonnx import read_qonnx

        network = read_qonnx(model)
    else:
        if precision is None:
            raise click.UsageError("--precision is missing: a checkpoint does not say its bit widths")
        from bnncore.importing.brevitas import read_brevitas

        network = read_brevitas(model, precision)
    topology = network.topology
    write_npz(out, network, read_classes(classes, topology.outputs) if classes else None)
    say(f"{out}: {topology.name} ({topology.precision}), {topology.weights:,} weights")
