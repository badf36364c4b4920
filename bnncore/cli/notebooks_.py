"""``bnncore notebooks FOLDER``."""

from __future__ import annotations

from pathlib import Path

import click

from bnncore.cli.output import say
from bnncore.notebooks import copy_notebooks

__all__ = ["command"]


@click.command("notebooks")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Copy the notebooks into FOLDER, which may exist; files that are there already are not touched.

    To open them: pip install 'bnncore[notebooks]', then jupyter lab FOLDER.
    """
    for path in copy_notebooks(folder):
        say(str(path))
