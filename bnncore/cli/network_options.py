"""The options of every command that opens a network: those of ``bnncore.get``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import evolve, frozen

from bnncore import Classifier, registry
from bnncore.cli.output import complain
from bnncore.deprecation import OPTION_SOURCE
from bnncore.errors import UnknownNameError
from bnncore.opening import load_classifier, open_classifier
from bnncore.options import Options

__all__ = ["Asked", "network_options"]


@frozen(kw_only=True)
class Asked:
    """Which network, and how it shall run.

    Attributes:
        topology, distribution: as in ``bnncore.get``.
        options: how it shall run.
    """

    topology: str | None
    distribution: str | None
    options: Options

    def open(self, name: str, backend: str | None = None) -> Classifier:
        """Open an installed dataset by its name, or parameters by their path.

        Args:
            name: of a dataset, or a path: what has a separator or a suffix is one, and a name never is.
            backend: to use instead of the one that was asked for.
        """
        options = self.options if backend is None else evolve(self.options, backend=backend)
        if Path(name).name == name and not Path(name).suffix:
            try:
                return open_classifier(
                    registry, name, options, topology=self.topology, distribution=self.distribution
                )
            except UnknownNameError as error:
                # Not by pathlib, which raises for names that no file system takes.
                if not os.path.exists(name):  # noqa: PTH110
                    raise
                raise UnknownNameError(
                    f"{error}. To use the {_what(name)} of that name, write ./{name}"
                ) from error
        if self.distribution is not None:
            raise click.UsageError(
                f"--distribution goes with the name of a dataset; {name!r} is a path, and holds its parameters itself"
            )
        return load_classifier(registry, name, options, topology=self.topology)


def _what(name: str) -> str:
    return "folder" if Path(name).is_dir() else "file"


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of ``bnncore.get``; it is called with ``asked=``, an ``Asked``."""

    @functools.wraps(command)
    def called(
        *args: Any,
        topology: str | None,
        distribution: str | None,
        old_distribution: str | None,
        backend: str,
        board: str | None,
        threads: int | None,
        bitstreams: Path | None,
        **others: Any,
    ) -> Any:
        if old_distribution is not None and distribution is not None:
            raise click.UsageError("choose one of --distribution and --source, its old name")
        if old_distribution is not None:
            complain(str(OPTION_SOURCE))
        options = Options(backend=backend, board=board, threads=threads, bitstreams=bitstreams)
        asked = Asked(topology=topology, distribution=distribution or old_distribution, options=options)
        return command(*args, asked=asked, **others)

    for option in reversed(_OPTIONS):
        called = option(called)
    return called


_OPTIONS = (
    click.option("--topology", help="One of the dataset's networks; its first if left out."),
    click.option("--distribution", help="That shall supply the parameters; the dataset's own if left out."),
    click.option("--source", "old_distribution", hidden=True),
    click.option("--backend", default="auto", show_default=True, help="auto, numpy, cpu, fpga or a plugin's."),
    click.option(
        "--board", help="For fpga: name of the board, for example pynq-z1; the one at hand if left out."
    ),
    click.option("--threads", type=click.IntRange(1), help="Most threads to use."),
    click.option(
        "--bitstreams",
        type=click.Path(file_okay=False, path_type=Path),
        help="For fpga: the folder where you keep bitstreams.",
    ),
)
