"""Third parties: an author who publishes plugins and users who install them, each with an environment of their own.

Everything goes through public commands, in processes, outside the tree: ``bnncore new``, ``train``, ``pack``,
``check``, build, pip and uv. Nothing here imports bnncore.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from outsiders.workshop import Environment, run, uv
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outsiders")


@pytest.fixture(scope="session")
def own_wheels(place: Path) -> list[Path]:
    """Return the wheels of bnncore itself, built once."""
    for project in (ROOT / "hw", ROOT):
        uv("build", "--quiet", "--wheel", "--out-dir", str(place / "own"), str(project), cwd=place)
    return sorted((place / "own").glob("*.whl"))


@pytest.fixture(scope="session")
def environment(place: Path, own_wheels: list[Path]) -> Callable[..., Environment]:
    """Return a function that makes an environment with bnncore and further requirements, with pip or with uv."""

    def make(name: str, *requirements: object, installer: str = "uv") -> Environment:
        folder = place / "environments" / name
        wanted = [*map(str, own_wheels), *map(str, requirements)]
        if installer == "uv":
            uv("venv", "--quiet", "--python", sys.executable, str(folder), cwd=place)
            python = str(Environment(folder).python)
            uv("pip", "install", "--quiet", "--python", python, *wanted, cwd=place)
        else:
            run([sys.executable, "-m", "venv", str(folder)], place)
            Environment(folder).run("-m", "pip", "install", "--quiet", *wanted)
        return Environment(folder)

    return make


@pytest.fixture(scope="session")
def author(environment: Callable[..., Environment]) -> Environment:
    return environment("author", "build[uv]", "pytest")


@pytest.fixture(scope="session")
def pictures(place: Path) -> Path:
    """Draw a data set: ``train`` and ``test``, discs, squares and stripes in random places and colours."""
    drawn = random.Random(0)
    folder = place / "pictures"
    for split, count in (("train", 100), ("test", 20)):
        for label in ("disc", "square", "stripes"):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                _draw(label, drawn).save(folder / split / label / f"{number}.png")
    return folder


def _draw(label: str, drawn: random.Random) -> Image.Image:
    side = 48
    background, colour = ([drawn.randrange(256) for _ in range(3)] for _ in range(2))
    while sum(abs(a - b) for a, b in zip(background, colour)) < 250:
        colour = [drawn.randrange(256) for _ in range(3)]
    image = Image.new("RGB", (side, side), tuple(background))
    pen = ImageDraw.Draw(image)
    size = drawn.randrange(18, 34)
    left, top = drawn.randrange(side - size), drawn.randrange(side - size)
    box = (left, top, left + size, top + size)
    if label == "disc":
        pen.ellipse(box, fill=tuple(colour))
    elif label == "square":
        pen.rectangle(box, fill=tuple(colour))
    else:
        for row in range(0, side, 8):
            pen.rectangle((0, row, side, row + 3), fill=tuple(colour))
    return image


@pytest.fixture(scope="session")
def build(place: Path) -> Callable[[Path], Path]:
    """Return a function that builds a project as its author would, sdist first, and returns the wheel."""

    def make(project: Path) -> Path:
        dist = project / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        command = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(dist), str(project)]
        run(command, place)
        return next(dist.glob("*.whl"))

    return make


@pytest.fixture(scope="session")
def shapes(place: Path, author: Environment, pictures: Path) -> Path:
    """The tutorial's path: from pictures to a packed project, trained on cnvW1A1 for a few epochs."""
    work = place / "shapes"
    work.mkdir()
    author.bnncore("new", "shapes", "--images", str(pictures), cwd=work)
    train = ["train", "--images", str(pictures), "--topology", "cnvW1A1", "--out", "trained", "--epochs", "4"]
    # The one command that needs PyTorch, which is too large for yet another environment.
    run([sys.executable, "-m", "bnncore", *train, "--seed", "1", "--validation", "0"], work)
    author.bnncore(
        "evaluate", "trained/weights.npz", "--data", str(pictures), "--out", "measured", "--json", cwd=work
    )
    author.bnncore("pack", "bnn-shapes", "trained", "--metrics", "measured/evaluation.json", cwd=work)
    return work / "bnn-shapes"


@pytest.fixture(scope="session")
def wheels(
    place: Path,
    author: Environment,
    environment: Callable[..., Environment],
    build: Callable[[Path], Path],
    shapes: Path,
) -> dict[str, Path]:
    """Return the wheels of six third parties, each made by public commands alone."""
    work = place / "projects"
    work.mkdir()
    found = {"shapes": build(shapes)}
    author.bnncore("new", "wide", "--kind", "topology", cwd=work)
    source = work / "bnn-wide" / "bnn_wide" / "__init__.py"
    source.write_text(source.read_text().replace("height=24, width=24", "height=20, width=36"))
    found["wide"] = build(work / "bnn-wide")
    # Who builds upon another's plugin has it installed.
    uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        author.python,
        str(found["wide"]),
        str(found["shapes"]),
        cwd=work,
    )
    new = {
        "flags": ("--classes", "calm,gale", "--topology", "wide"),
        "card": ("--kind", "bitstream", "--topology", "wide", "--board", "my-board"),
        "engine": ("--kind", "backend"),
        "better": ("--kind", "parameters", "--dataset", "shapes", "--topology", "cnvW1A2"),
    }
    for name, options in new.items():
        author.bnncore("new", name, *options, cwd=work)
        found[name] = build(work / f"bnn-{name}")
    return found
