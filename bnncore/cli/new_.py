"""``bnncore new NAME``."""

from __future__ import annotations

from pathlib import Path

import click

from bnncore import registry
from bnncore.cli.output import say
from bnncore.discovery.kinds import offered_kinds
from bnncore.formats.card import CARD
from bnncore.publishing.scaffold import NewProject, classes_of, write_project

__all__ = ["command"]

_KINDS = [kind.word for kind in offered_kinds()]
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("new")
@click.argument("name")
@click.option("--kind", type=click.Choice(_KINDS), default="dataset", show_default=True)
@click.option("--images", type=click.Path(path_type=Path), help="One folder of pictures a class, or a CSV.")
@click.option("--classes", help="Class names with commas between, instead of --images.")
@click.option("--topology", default="cnvW1A1", show_default=True, help="Network of a dataset or bitstream.")
@click.option("--dataset", default="", help="Dataset that parameters are for.")
@click.option("--board", default="my-board", show_default=True, help="Board of a bitstream.")
@click.option("--part", default="xc7z020clg400", show_default=True, help="Its programmable logic.")
@click.option("--clock", default=100.0, show_default=True, help="Clock of a bitstream in MHz.")
@click.option("--bit", type=_FILE, help="Bitstream file.")
@click.option("--hwh", type=_FILE, help="Its hand-off file.")
@click.option("--title", help="One line for people.")
@click.option("--author", help="For licence and metadata.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to make; bnn-NAME if left out.")
def command(
    name: str,
    kind: str,
    images: Path | None,
    classes: str | None,
    topology: str,
    dataset: str,
    board: str,
    part: str,
    clock: float,
    bit: Path | None,
    hwh: Path | None,
    title: str | None,
    author: str | None,
    out: Path | None,
) -> None:
    """Write a complete plugin project that offers NAME.

    It passes its own checks as it is; a dataset's weights are random until bnncore pack puts trained ones in.
    """
    if kind == "dataset" and (images is None) == (classes is None):
        raise click.UsageError("a dataset needs its classes: either --images FOLDER or --classes one,two,three")
    if "dataset" in next(each.parts for each in offered_kinds() if each.word == kind) and not dataset:
        raise click.UsageError(f"{kind} need --dataset, the name of the dataset that they are for")
    counts = classes_of(images) if images is not None else {}
    names = tuple(counts) or tuple(each.strip() for each in (classes or "").split(",") if each.strip())
    source = "not stated"
    if images is not None:
        classes_in = f"of {len(counts)} classes in" if images.is_file() else f"in {len(counts)} folders of"
        source = f"{sum(counts.values())} pictures {classes_in} {images.resolve().name}"
    project = NewProject(
        name=name,
        kind=kind,
        title=title or f"{name}: {f'parameters for {dataset}' if dataset else f'a {kind} for bnncore'}",
        author=author or f"the authors of bnn-{name}",
        topology=topology,
        dataset=dataset,
        classes=names,
        source=source,
        board=board,
        part=part,
        clock_mhz=clock,
        bit=bit,
        hwh=hwh,
    )
    folder = out or Path(project.distribution)
    package = write_project(folder, project, registry)
    say(f"{folder}: a {kind} plugin, {project.distribution} 0.1.0")
    if images is not None:
        say(f"classes: {', '.join(f'{each} ({count})' for each, count in counts.items())}")
    say()
    say("Next:")
    for step in _steps(folder, package, kind, topology, images):
        say(f"  {step}")


def _steps(folder: Path, package: Path, kind: str, topology: str, images: Path | None) -> list[str]:
    steps = []
    if kind in ("dataset", "parameters"):
        steps.append(f"bnncore train --images {images or 'pictures/'} --topology {topology} --out trained/")
        steps.append(f"bnncore pack {folder} trained/")
        steps.append(f"edit {package / CARD}: source and licences")
        steps.append(f"bnncore pack {folder}")
    if kind == "bitstream":
        steps.append(f"bnncore pack {folder} --bit my.bit --hwh my.hwh")
    if kind in ("topology", "backend"):
        steps.append(f"edit {package}")
    steps.append(f'pip install -e "{folder}[test]"')
    steps.append(f"pytest {folder}")
    steps.append(f"bnncore check {folder} --wheel --strict")
    return steps
