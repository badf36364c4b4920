"""The notebooks that come with bnncore, and copying them to where they can be run and changed."""

from __future__ import annotations

import shutil
from pathlib import Path

from bnncore.errors import ResourceError
from bnncore.places import check_folder
from bnncore.writing import new_folder

__all__ = ["copy_notebooks", "notebooks_folder"]


def notebooks_folder() -> Path:
    """Return the folder of the installed notebooks, or the repository's where bnncore runs from there.

    Raises:
        ResourceError: if there is neither.
    """
    package = Path(__file__).resolve().parent
    for place in (package / "_notebooks", package.parent / "notebooks"):
        if any(place.glob("*.ipynb")):
            return place
    raise ResourceError(f"no notebooks beside {package}; the distribution bnncore is damaged: reinstall it")


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the notebooks and their pictures, and return the notebooks' paths.

    Raises:
        ResourceError: if one of the files is there already, or cannot be written; nothing is copied then.
    """
    source = notebooks_folder()
    names = sorted(
        path.relative_to(source)
        for pattern in ("*.ipynb", "*.md", "pictures/*")
        for path in source.glob(pattern)
    )
    for name in names:
        if (folder / name).exists():
            raise ResourceError(
                f"{folder / name}: exists already; choose a new folder, so that none of your work is lost"
            )
    check_folder(folder, ResourceError)
    try:
        with new_folder(folder) as place:
            for name in names:
                (place / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, place / name)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return [folder / name for name in names if name.suffix == ".ipynb"]
