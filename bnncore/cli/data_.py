"""``bnncore data NAME``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from bnncore.cli.output import count_up, json_option, print_json, remark, say, say_lines, table
from bnncore.datasets.collection import Collection
from bnncore.datasets.downloads import Progress
from bnncore.datasets.labelled import DatasetError, LabelledImages
from bnncore.datasets.obtaining import Obtained, from_network, from_path
from bnncore.datasets.publishers import PUBLISHED, PublishedFile, PublishedSet, published
from bnncore.datasets.reading import open_collection

__all__ = ["command"]


@click.command("data")
@click.argument("name", required=False)
@click.option("--fetch", "do_fetch", is_flag=True, help="Get it from its publisher, or from the cache.")
@click.option(
    "--from", "given", type=click.Path(path_type=Path), help="An archive or a folder that you have already."
)
@click.option("--url", help="Where to fetch it instead; needs --sha256.")
@click.option("--sha256", help="What the archive of --url or --from must have.")
@json_option
def command(
    name: str | None, do_fetch: bool, given: Path | None, url: str | None, sha256: str | None, as_json: bool
) -> None:
    """Make the images of a known data set ready for training, and say where they are.

    \b
    bnncore data                            which data sets are known
    bnncore data cifar10 --fetch            fetch, verify, unpack
    bnncore data cucumber9 --from CUCUMBER-9-master.zip

    Nothing is fetched unless you ask for it. What was fetched is kept (BNNCORE_CACHE, or bnncore in your cache
    folder), and a transfer that broke off goes on where it stopped.
    """  # noqa: D301  # click's mark is a backspace
    if name is None:
        _list(as_json)
        return
    known = published(name)
    if given is not None and (do_fetch or url is not None):
        raise click.UsageError("choose one of --from and --fetch")
    if given is not None:
        obtained = from_path(known, given, sha256)
    elif do_fetch or url is not None:
        obtained = from_network(known, url, sha256, _progress)
    else:
        _describe(known, as_json)
        return
    _report(known, obtained, as_json)


def _list(as_json: bool) -> None:
    if as_json:
        print_json([_as_dict(known) for known in PUBLISHED.values()])
        return
    rows = [(known.name, f"{known.train:,} + {known.test:,}", known.title) for known in PUBLISHED.values()]
    say_lines(table(rows, ("NAME", "TRAIN + TEST", "WHAT")))


def _describe(known: PublishedSet, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(known))
        return
    say(f"{known.name}: {known.title}")
    say(f"page     {known.page}")
    say(f"terms    {known.terms}")
    say(f"images   {known.train:,} for training, {known.test:,} for the test")
    for file in known.fetched:
        say(f"file     {file.name}, {file.size:,} bytes, SHA-256 {file.sha256}")
    if known.fetched:
        say()
        say(f"To get it: bnncore data {known.name} --fetch")
        say(f"If you have it: bnncore data {known.name} --from PATH")
    else:
        say()
        say("Its publisher names no checksum, so it is not fetched without one. Download it, then:")
        say(f"bnncore data {known.name} --from PATH")


def _report(known: PublishedSet, obtained: Obtained, as_json: bool) -> None:
    collection = open_collection(obtained.folder)
    splits = {split: _read(collection, split) for split in ("train", "test")}
    if not any(splits.values()):
        raise DatasetError(f"{obtained.folder}: neither split can be read")
    content: dict[str, Any] = {
        "name": known.name,
        "folder": str(obtained.folder),
        "checked": obtained.checked,
        "classes": list(next(images.classes for images in splits.values() if images)),
        "train": len(splits["train"] or ()),
        "test": len(splits["test"] or ()),
    }
    if as_json:
        print_json(content)
        return
    say(f"{known.name}: {known.title}")
    say(f"folder   {obtained.folder}")
    say(f"files    {obtained.checked}")
    for split, expected in (("train", known.train), ("test", known.test)):
        found = content[split]
        note = "" if found == expected else f"; its publisher has {expected:,}"
        say(f"{split:<8} {found:,} images{note}{_a_class(splits[split])}")
    if content["classes"]:
        say(f"classes  {', '.join(content['classes'])}")
    say()
    say(f"To train on it: bnncore train {known.dataset} --data {obtained.folder}")


def _a_class(images: LabelledImages | None) -> str:
    """Say how many there are of each class, in the few words that a line has."""
    if images is None:
        return ""
    counts = Counter(images.labels.tolist()).values()
    low, high = min(counts), max(counts)
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return f"; {len(counts)} classes, {each} of each"


def _read(collection: Collection, split: Any) -> LabelledImages | None:
    """Return a split, or None if the folder does not have it."""
    try:
        return collection.read(split, None, False)
    except DatasetError as error:
        remark(f"{split}: {error}")
        return None


def _as_dict(known: PublishedSet) -> dict[str, Any]:
    files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in known.fetched]
    return {
        "name": known.name,
        "title": known.title,
        "page": known.page,
        "terms": known.terms,
        "train": known.train,
        "test": known.test,
        "files": files,
    }


def _progress(file: PublishedFile) -> Progress:
    """Show a line that counts up, where somebody watches."""
    if not sys.stderr.isatty():
        return lambda count: None
    total = f" of {file.size / 1e6:.1f}" if file.size else ""

    def show(count: int) -> None:
        count_up(f"{file.name}: {count / 1e6:.1f}{total} MB", done=count == file.size)

    return show
