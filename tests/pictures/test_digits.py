"""A digit from any picture, placed as MNIST places it."""

from __future__ import annotations

import gzip
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bnnhw.topology import Input
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import bnncore
from bnncore.datasets import read
from bnncore.errors import InputError
from bnncore.pictures.decoding import Resampling
from bnncore.pictures.digits import digit
from bnncore.pictures.preprocessing import Pipeline
from bnncore.records import Preprocessing

LFC = Input(height=28, width=28, bits=1)
see = Pipeline(Preprocessing.default(LFC), LFC)


def seven(
    size: tuple[int, int] = (200, 240),
    ink: Any = 0,
    paper: Any = 255,
    at: tuple[int, int] = (60, 50),
    mode: str = "L",
) -> Image.Image:
    """Return a picture of a 7, 80 pixels wide and 140 high, its upper left corner at ``at``."""
    image = Image.new(mode, size, paper)
    x, y = at
    points = [
        (x, y),
        (x + 80, y),
        (x + 80, y + 16),
        (x + 34, y + 139),
        (x + 14, y + 139),
        (x + 60, y + 16),
        (x, y + 16),
    ]
    ImageDraw.Draw(image).polygon(points, fill=ink)
    return image


SEVEN = see(seven())


def shown(array: np.ndarray) -> np.ndarray:
    """Return what the one-bit network sees."""
    return array >= 128


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether the ink is the same but for its edges, and a pixel to the side."""
    padded = np.pad(shown(one), 1)
    shifted = [padded[y : y + 28, x : x + 28] for y in range(3) for x in range(3)]
    return max(float((s & shown(other)).sum() / (s | shown(other)).sum()) for s in shifted) > 0.7


# -- placed as MNIST places it ---------------------------------------------------------------------


def test_it_is_light_on_black_in_the_networks_shape() -> None:
    assert (SEVEN.shape, SEVEN.dtype) == ((28, 28), np.uint8)
    assert SEVEN.max() == 255
    assert np.median(SEVEN) == 0


def test_the_ink_fits_a_box_of_20_pixels() -> None:
    rows, columns = np.nonzero(SEVEN)
    assert rows.max() - rows.min() + 1 == 20
    assert columns.max() - columns.min() + 1 == round(20 * 81 / 140)


def test_its_centre_of_mass_is_in_the_middle() -> None:
    weight = SEVEN / SEVEN.sum()
    assert abs((weight.sum(axis=1) * np.arange(28)).sum() - 14) <= 0.6
    assert abs((weight.sum(axis=0) * np.arange(28)).sum() - 14) <= 0.6


def test_mnist_itself_lies_there(test_data: Path) -> None:
    """The rule is MNIST's: half of its digits do not move by a pixel when they are placed again."""
    images, _ = mnist(test_data, 300)
    moved = []
    for image in images:
        again = see(np.pad(image, 6))
        shift = [np.average(np.arange(28), weights=a.sum(axis=axis)) for a in (image, again) for axis in (0, 1)]
        moved.append(max(abs(shift[0] - shift[2]), abs(shift[1] - shift[3])))
    assert np.median(moved) < 0.5


# -- whatever the picture --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "ink", "paper"),
    [
        ("L", 0, 255),
        ("L", 255, 0),
        ("L", 90, 160),
        ("L", 160, 90),
        ("L", 0, 40),
        ("1", 0, 1),
        ("1", 1, 0),
        ("RGB", (20, 30, 140), (240, 230, 200)),
        ("RGB", (255, 220, 0), (0, 60, 20)),
        ("RGB", (200, 0, 0), (255, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0, 0)),
        ("RGBA", (0, 0, 0, 255), (0, 0, 0, 0)),
        ("RGBA", (255, 255, 255, 255), (0, 0, 0, 0)),
        ("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)),
        ("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)),
        ("LA", (0, 255), (0, 0)),
        ("LA", (255, 255), (0, 0)),
        ("P", 3, 250),
        ("I;16", 0, 65535),
        ("I;16", 50_000, 10_000),
    ],
)
def test_ink_of_any_colour_and_polarity_gives_the_same_digit(mode: str, ink: Any, paper: Any) -> None:
    if mode == "P":
        image = seven(ink=ink, paper=paper).convert("P")
    elif mode == "I;16":
        mask = np.asarray(seven()) == 0
        image = Image.fromarray(np.where(mask, ink, paper).astype(np.uint16))
    else:
        image = seven(ink=ink, paper=paper, mode=mode)
    assert alike(see(image), SEVEN)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.integers(1, 400), st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_it_does_not_matter_where_on_the_page_it_is(
    left: int, top: int, right: int, bottom: int, dark: bool
) -> None:
    size = (left + 81 + right, top + 140 + bottom)
    image = seven(size, 0 if dark else 255, 255 if dark else 0, (left, top))
    assert alike(see(image), SEVEN)


@pytest.mark.parametrize("scale", [0.2, 0.5, 2, 8])
def test_it_does_not_matter_how_large_it_is(scale: float) -> None:
    image = seven()
    resized = image.resize((round(200 * scale), round(240 * scale)))
    assert alike(see(resized), SEVEN)


def test_noise_on_the_paper_does_not_count_as_ink() -> None:
    rng = np.random.default_rng(1)
    noisy = np.asarray(seven(ink=40, paper=200)) + rng.normal(0, 8, (240, 200))
    assert alike(see(np.clip(noisy, 0, 255).astype(np.uint8)), SEVEN)


def pen(width: int, size: tuple[int, int] = (400, 400)) -> Image.Image:
    """Return a 7 in one line of a pen, 200 pixels wide and 300 high."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).line([(100, 50), (300, 50), (160, 350)], fill=0, width=width, joint="curve")
    return image


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_a_fine_pen_leaves_strokes_as_wide_as_those_of_mnist(width: int) -> None:
    found = see(pen(width))
    assert alike(found, see(pen(33)))
    # Along the slanted stroke every row has ink, about two pixels of it.
    rows = shown(found)[8:23].sum(axis=1)
    assert rows.min() >= 1
    assert 1.5 <= rows.mean() <= 4


def test_strokes_as_wide_as_those_of_mnist_are_left_alone(test_data: Path) -> None:
    images, _ = mnist(test_data, 100)
    ink = [shown(image).sum() for image in images]
    seen = [shown(see(on_paper(image))).sum() for image in images]
    assert np.median(np.abs(np.subtract(seen, ink)) / ink) < 0.1


def test_ink_that_touches_the_edge_is_ink() -> None:
    image = seven().crop((60, 50, 141, 190))
    assert alike(see(image), SEVEN)


@pytest.mark.parametrize("value", [0, 7, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (1, 4000), (300, 200)])
def test_an_empty_page_is_black(size: tuple[int, int], value: int) -> None:
    if size == (28, 28) and value < 128:
        return  # as it is: that is what the network may be asked
    assert not shown(see(Image.new("L", size, value))).any()


def test_an_empty_transparent_page_is_black() -> None:
    assert not see(Image.new("RGBA", (50, 50), (0, 0, 0, 0))).any()
    assert not see(Image.new("LA", (50, 50), (255, 0))).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.sampled_from((1, 3, 4)))
def test_any_picture_gives_an_input_of_the_network(width: int, height: int, seed: int, channels: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 256, (height, width, channels)).astype(np.uint8)
    try:
        found = see(array)
    except InputError:
        reject()  # By chance, as several digits.
    assert (found.shape, found.dtype) == ((28, 28), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (400, 1), (401, 3), (1, 4000)])
def test_single_specks_and_lines(size: tuple[int, int]) -> None:
    image = Image.new("L", size, 255)
    image.putpixel((size[0] // 2, size[1] // 2), 0)
    assert see(image).shape == (28, 28)


# -- the same, written plainly ---------------------------------------------------------------------


def plain_otsu(ink: np.ndarray) -> float:
    """Return the edge with the greatest variance between what is below and what is not (Otsu 1979)."""
    counts, edges = np.histogram(ink, bins=64)
    centres = (edges[:-1] + edges[1:]) / 2
    best, threshold = 0.0, float(edges[1])
    for split in range(1, 64):
        below, above = int(counts[:split].sum()), int(counts[split:].sum())
        if below and above:
            # Summed in order, as a running sum is.
            sums = np.cumsum(counts * centres)
            means = sums[split - 1] / below, (sums[-1] - sums[split - 1]) / above
            between = below * above * (means[0] - means[1]) ** 2
            if between > best:
                best, threshold = between, float(edges[split])
    return threshold


def plain_bold(given: np.ndarray) -> np.ndarray:
    scale = min(1.0, 80 / max(given.shape))
    size = (max(1, round(given.shape[1] * scale)), max(1, round(given.shape[0] * scale)))
    ink = np.asarray(Image.fromarray(given).resize(size, Resampling.BOX))
    stroke = ink > plain_otsu(ink)
    edges = sum(int((np.diff(stroke.astype(int), axis=axis) != 0).sum()) for axis in (0, 1))
    width = 2.4 * stroke.sum() / max(edges, 1)
    wanted = 0.11 * max(ink.shape)
    if width >= 0.8 * wanted:
        return given
    more = round(wanted - width)
    padded = np.pad(ink, more)
    height, width = (side + more for side in ink.shape)
    return np.array(
        [[padded[y : y + more + 1, x : x + more + 1].max() for x in range(width)] for y in range(height)]
    )


def plain_digit(grey: np.ndarray) -> np.ndarray:
    """Return what ``digit`` makes of a grey picture that is none yet, in the terms of its description."""
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(edge))
    ink = grey.astype(np.float32) - np.float32(paper)
    if paper - grey.min() > grey.max() - paper:
        ink = -ink
    ink = np.clip(ink, 0, None)
    canvas = np.zeros((28, 28), np.uint8)
    if ink.max() < 16:
        return canvas
    rows, columns = np.nonzero(ink > plain_otsu(ink))
    ink = plain_bold(ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    height, width = ink.shape
    scale = min(20 / width, 20 / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    filter_ = Resampling.BOX if scale < 1 else Resampling.BICUBIC
    ink = np.clip(np.asarray(Image.fromarray(ink).resize(size, filter_)), 0, None)
    ink = ink * (255 / float(ink.max()))
    height, width = ink.shape
    row, column = (ink.sum(axis=1) @ np.arange(height)), (ink.sum(axis=0) @ np.arange(width))
    row, column = row / float(ink.sum()), column / float(ink.sum())
    top = min(max(round(14 - row), 0), 28 - height)
    left = min(max(round(14 - column), 0), 28 - width)
    canvas[top : top + height, left : left + width] = np.round(ink)
    return canvas


def is_plain(grey: np.ndarray) -> bool:
    """Say whether nine tenths of the edge are of one grey, and most of the picture is of it."""
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]).astype(int)
    distance = np.abs(grey.astype(int) - int(np.median(edge)))
    return bool(np.ptp(np.sort(edge)[: len(edge) - len(edge) // 10]) <= 8 and (distance < 16).mean() > 0.6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    width=st.integers(1, 140),
    height=st.integers(1, 140),
    lines=st.integers(0, 3),
    pen=st.integers(1, 12),
    noise=st.sampled_from((0, 1)),
    seed=st.integers(0, 2**32 - 1),
)
def test_it_is_what_the_plain_description_gives(
    width: int, height: int, lines: int, pen: int, noise: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    page = Image.new("L", (width, height), int(rng.integers(0, 256)))
    for _ in range(lines):
        points = list(zip(rng.integers(0, width, 3).tolist(), rng.integers(0, height, 3).tolist()))
        ImageDraw.Draw(page).line(points, fill=int(rng.integers(0, 256)), width=pen)
    grey = np.clip(np.asarray(page) + rng.normal(0, noise, (height, width)), 0, 255).astype(np.uint8)
    # Others have no plain background; what is made of them is seen on scenes.
    assume(is_plain(grey))
    # As colour, so that no picture passes for a digit as it is.
    try:
        found = digit(Image.fromarray(grey).convert("RGB"), LFC)
    except InputError:
        reject()  # Lines apart are several digits.
    assert np.array_equal(np.asarray(found), plain_digit(grey))


# -- light ------------------------------------------------------------------------------------------


def lit(page: Image.Image, light: np.ndarray) -> Image.Image:
    """Return a page in some light, of 0 to 1."""
    return Image.fromarray(np.rint(np.asarray(page) * light).astype(np.uint8))


def ramp(page: Image.Image, darkest: float) -> np.ndarray:
    return np.tile(np.linspace(darkest, 1, page.width), (page.height, 1))


@pytest.mark.parametrize("darkest", [0.7, 0.4, 0.15])
@pytest.mark.parametrize("chalk", [False, True])
def test_light_that_falls_off_is_no_ink(darkest: float, chalk: bool) -> None:
    page = seven().point(lambda value: 230 - value * 3 // 4 if chalk else 30 + value * 3 // 4)
    assert alike(see(lit(page, ramp(page, darkest))), SEVEN)


def test_the_edge_of_a_shadow_through_a_digit_is_no_ink() -> None:
    page = seven()
    light = np.where(np.arange(page.width) < page.width // 2, 0.4, 1.0) * np.ones((page.height, 1))
    assert alike(see(lit(page, light)), SEVEN)


@pytest.mark.parametrize("sides", [(0,), (1,), (2,), (3,), (0, 1), (0, 3), (0, 1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("width", [3, 12])
def test_what_lies_beside_the_paper_is_no_ink(sides: tuple[int, ...], width: int) -> None:
    page = seven()
    left, top, right, bottom = (width if side in sides else 0 for side in range(4))
    desk = Image.new("L", page.size, 40)
    desk.paste(page.crop((left, top, page.width - right, page.height - bottom)), (left, top))
    assert alike(see(desk), SEVEN)


@pytest.mark.parametrize("angle", [-12, -5, 5, 12])
def test_a_sheet_that_lies_askew_on_a_dark_desk_is_paper(angle: int) -> None:
    page = Image.new("L", (400, 400), 230)
    page.paste(seven(), (100, 100))
    desk = page.rotate(angle, Resampling.BICUBIC, expand=True, fillcolor=35)
    upright = see(desk.rotate(-angle, Resampling.BICUBIC, fillcolor=35))
    assert alike(upright, SEVEN)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("count", [2, 3])
def test_several_digits_are_said_to_be_several(count: int, across: bool) -> None:
    size = (200 * count, 200) if across else (200, 200 * count)
    page = Image.new("L", size, 255)
    for position in range(count):
        page.paste(seven(), (200 * position, 0) if across else (0, 200 * position))
    with pytest.raises(InputError, match=f"expected one digit, found {count} in a row"):
        see(page)


@pytest.mark.parametrize("mode", ["P", "PA", "LA", "RGBA", "La", "RGB", "1", "CMYK"])
def test_a_large_picture_is_shrunk_in_strips_as_at_once(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Image.effect_noise((930, 1111), 90)
    page.paste(seven().resize((500, 500)), (200, 300))
    page = page.convert("RGBA" if mode in ("PA", "RGBA") else "LA" if mode in ("LA", "La") else "RGB")
    page = page.quantize(16) if mode == "P" else page.convert(mode)
    whole = np.asarray(digit(page, LFC))
    monkeypatch.setattr("bnncore.pictures.digits._AT_ONCE", 10_000)
    assert np.array_equal(np.asarray(digit(page, LFC)), whole)


# -- what is a digit already -----------------------------------------------------------------------


def test_a_light_digit_of_the_inputs_size_is_untouched() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[2:5, 3:9] = np.arange(18).reshape(3, 6) + 100
    for source in (image, Image.fromarray(image)):
        assert np.array_equal(see(source), image)


def test_an_array_of_the_inputs_size_is_untouched_even_if_it_is_dark_on_light() -> None:
    image = np.full((28, 28), 255, np.uint8)
    assert np.array_equal(see(image), image)


@given(st.integers(0, 2**32 - 1), st.integers(120, 136), st.integers(0, 16))
def test_the_median_of_the_border_tells_what_is_light_on_dark(seed: int, centre: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(max(centre - spread, 0), centre + spread + 1, (28, 28)).astype(np.uint8)
    # What is inside must not count.
    pixels[1:-1, 1:-1] = rng.integers(0, 256)
    image = Image.fromarray(pixels)
    median = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))
    assert (digit(image, LFC) is image) == (median < 128)


def test_a_dark_digit_of_the_inputs_size_is_turned_light() -> None:
    image = Image.fromarray(255 - SEVEN)
    assert alike(see(image), SEVEN)


def test_another_input_size_scales_the_box() -> None:
    large = digit(seven(), Input(height=56, width=56, bits=1))
    rows = np.nonzero(np.asarray(large))[0]
    assert (large.size, rows.max() - rows.min() + 1) == ((56, 56), 40)


def test_a_step_leaves_the_given_image_alone() -> None:
    image = seven()
    before = image.tobytes()
    digit(image, LFC)
    assert image.tobytes() == before


def test_a_floating_point_picture_is_refused() -> None:
    with pytest.raises(InputError, match="convert to 8 bits first"):
        see(Image.new("F", (28, 28)))


# -- real digits through a published network -------------------------------------------------------


def mnist(test_data: Path, count: int) -> tuple[np.ndarray, np.ndarray]:
    folder = test_data / "data" / "mnist"
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + count * 784), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + count), np.uint8, offset=8)
    return images, labels


@pytest.fixture(scope="module")
def published(binparams: Path) -> bnncore.Classifier:
    return bnncore.load(binparams / "mnist" / "lfcW1A1", backend="numpy")


def large(image: np.ndarray) -> np.ndarray:
    """Return a digit ten times as large, light on black."""
    return np.asarray(Image.fromarray(image).resize((280, 280), Resampling.BICUBIC))


def on_paper(image: np.ndarray) -> np.ndarray:
    return 255 - large(image)


def in_blue_on_yellow(image: np.ndarray) -> np.ndarray:
    share = large(image)[..., None] / 255
    return (np.array([240, 230, 200]) * (1 - share) + np.array([20, 40, 120]) * share).astype(np.uint8)


def in_a_corner(image: np.ndarray) -> np.ndarray:
    page = np.full((700, 500), 235, np.uint8)
    page[390:670, 200:480] = 235 - (large(image) * 0.8).astype(np.uint8)
    return page


def on_a_blackboard(image: np.ndarray) -> np.ndarray:
    return (40 + large(image) * 0.6).astype(np.uint8)


def as_ink_on_nothing(image: np.ndarray) -> np.ndarray:
    ink = large(image)
    return np.dstack([np.zeros_like(ink)] * 3 + [ink])


def in_two_colours(image: np.ndarray) -> Image.Image:
    return Image.fromarray(on_paper(image)).convert("1")


def in_its_own_size(image: np.ndarray) -> Image.Image:
    return Image.fromarray(255 - image)


@pytest.mark.slow
@pytest.mark.parametrize(
    "render",
    [
        on_paper,
        in_blue_on_yellow,
        in_a_corner,
        on_a_blackboard,
        as_ink_on_nothing,
        in_two_colours,
        in_its_own_size,
    ],
)
def test_digits_in_pictures_are_told_apart_as_well_as_those_of_mnist(
    test_data: Path, published: bnncore.Classifier, render: Callable[[np.ndarray], Any]
) -> None:
    images, labels = mnist(test_data, 200)
    raw = [each.index for each in published.classify_batch(images)]
    seen = [each.index for each in published.classify_batch([render(image) for image in images])]
    as_published = np.mean(raw == labels)
    assert as_published > 0.96
    assert np.mean(seen == labels) >= as_published - 0.02


@pytest.mark.slow
def test_digits_in_uneven_light_are_told_apart_as_well_as_those_of_mnist(test_data: Path) -> None:
    """The scenes of ``benchmarks/digit_scenes.py``, made of digits that networks were trained on."""
    scenes = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "digit_scenes.py"))["SCENES"]
    data = read(test_data / "data" / "mnist", "train").subset(np.arange(40))
    classifier = bnncore.get("mnist_lfc")
    shares = {}
    for name, scene in scenes.items():
        rng = np.random.default_rng(1)
        told = [each.index for each in classifier.classify_batch([scene(image, rng) for image in data.images])]
        shares[name] = float(np.mean(told == data.labels))
    assert min(shares.values()) >= 0.95, shares
