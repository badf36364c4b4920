"""``bnncore convert SOURCE TARGET``."""

from __future__ import annotations

from pathlib import Path

import click
from attrs import evolve

from bnncore import ParameterError, Preprocessing, registry
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import say
from bnncore.places import check_place

__all__ = ["command"]


@click.command("convert")
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path))
@network_options
def command(source: str, target: Path, asked: Asked) -> None:
    """Write the parameters of SOURCE as TARGET.

    SOURCE is an installed dataset, an .npz file or a BNN-PYNQ parameter folder. TARGET is a new .npz file, or else a
    new parameter folder that BNN-PYNQ can load.

    \b
    bnncore convert cucumber9 params/cucumber9/cnvW1A1    for a board that still runs BNN-PYNQ
    bnncore convert params/road-signs/cnvW1A1 road-signs.npz
    """  # noqa: D301  # click's mark is a backspace
    from bnncore.formats.binparam import write_binparam
    from bnncore.formats.npz import write_npz

    if target.exists():
        raise ParameterError(f"{target}: exists already; choose a new name or remove it first")
    check_place(target, ParameterError)
    with asked.open(source) as classifier:
        network, classes = classifier.network, classifier.classes
        provenance = classifier.provenance
        if classifier.resolution is not None and classifier.resolution.declared:
            provenance = evolve(provenance, preprocessing=classifier.preprocessing)
    name = network.topology.name
    if target.suffix == ".npz":
        write_npz(target, network, classes, provenance)
        say(f"{target}: {target.stat().st_size:,} bytes, {name}, {len(classes)} classes")
        return
    folding = registry.folding(name)
    if folding is None:
        raise ParameterError(
            f"no installed bitstream gives topology {name!r} a folding, so there is no parameter folder of it; "
            "write an .npz"
        )
    write_binparam(target, network, folding, classes)
    files = len(list(target.glob("*.bin")))
    say(f"{target}: {files} files for BNN-PYNQ's {name}, and classes.txt with {len(classes)}")
    if provenance.preprocessing not in (None, Preprocessing.unrecorded(network.topology.input)):
        say(
            f"{target}: its format does not record the preprocessing, {classifier.preprocessing.describe()}; BNN-PYNQ "
            "prepares pictures in its own way"
        )
