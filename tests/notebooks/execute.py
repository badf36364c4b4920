"""Run the notebooks and keep what they show: ``python tests/notebooks/execute.py [NAME…]``, or ``make notebooks``."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
_PATIENCE = 900
_CELL_FILE = re.compile(r"\S*ipykernel_\d+/\d+\.py:\d+: ")


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook as it is after running all of its cells in a folder.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=_PATIENCE,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    # Where several programs share the processor, threads that wait for each other only burn it.
    client.execute(env=os.environ | {"OMP_NUM_THREADS": "1"})
    return notebook


def _forget_places(notebook: nbformat.NotebookNode) -> None:
    """Leave out where a cell's code lay when it warned: a temporary file of the machine."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = _CELL_FILE.sub("", output["text"])


def main(names: list[str]) -> None:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "notebooks"
            shutil.copytree(NOTEBOOKS, folder)
            notebook = execute(path, folder)
        # What the kernel was, is the machine's and not the notebook's.
        notebook.metadata["language_info"] = {"name": "python"}
        _forget_places(notebook)
        nbformat.write(notebook, path)
        print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
