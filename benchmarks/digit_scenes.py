"""How often a digit is told right in pictures as people take them, and how long preparing one takes.

Scenes of 640x480 pixels are made from digits of MNIST's training split, so that its test split stays unseen:

    python benchmarks/digit_scenes.py --mnist FOLDER [--parameters NAME_OR_PATH] [--count 500]

FOLDER holds ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, also with ``.gz``. What is printed is the
share of right answers for each scene, next to that for the same digits as MNIST has them, and the median time of
the preparation of one picture on one core.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

import bnncore
from bnncore.datasets import read
from bnncore.pictures.decoding import Resampling

Grey = npt.NDArray[np.float64]
Scene = Callable[[npt.NDArray[np.uint8], np.random.Generator], Image.Image]

WIDTH, HEIGHT = 640, 480


def ink_of(digit: npt.NDArray[np.uint8], rng: np.random.Generator, *, fine: bool = False) -> Grey:
    """Return 0 to 1 [HEIGHT, WIDTH]: a digit of 180 to 360 pixels somewhere on the page, in whole."""
    side = int(rng.integers(200, 380))
    large = Image.fromarray(digit).resize((side, side), Resampling.BICUBIC)
    if fine:
        # A pen's line, thinner than MNIST's.
        large = large.filter(ImageFilter.MinFilter(2 * (side // 80) + 1))
    page = Image.new("L", (WIDTH, HEIGHT))
    left, top = rng.integers(30, WIDTH - side - 30), rng.integers(20, HEIGHT - side - 20)
    page.paste(large, (int(left), int(top)))
    return np.asarray(page.filter(ImageFilter.GaussianBlur(1.5)), np.float64) / 255


def page(ink: Grey, light: Grey | float = 1.0, *, paper: float = 225, pen: float = 45) -> Grey:
    """Return the picture of ink on paper in some light."""
    return (paper + (pen - paper) * ink) * light


def picture(grey: Grey) -> Image.Image:
    """Return what a camera makes of it: RGB, 8 bits."""
    return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")


def noisy(grey: Grey, rng: np.random.Generator, sigma: float) -> Grey:
    """Return it with the noise of a sensor."""
    return grey + rng.normal(0, sigma, grey.shape)


def across(rng: np.random.Generator) -> Grey:
    """Return -1 to 1 [HEIGHT, WIDTH]: how far a pixel is in a direction taken at random."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    along = np.cos(angle) * columns + np.sin(angle) * rows
    result: Grey = along / np.abs(along).max()
    return result


def plain(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    return picture(page(ink_of(digit, rng)))


def fall_off(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """A lamp at one side: the other has a quarter of its light."""
    return picture(page(ink_of(digit, rng), 0.625 + 0.375 * across(rng)))


def vignette(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """A lens whose corners get a third of the light."""
    rows, columns = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    return picture(page(ink_of(digit, rng), 1 - 0.33 * (rows**2 + columns**2)))


def shadow(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """The edge of a hand's shadow goes through the picture."""
    edge = across(rng) - rng.uniform(-0.3, 0.3)
    return picture(page(ink_of(digit, rng), 0.7 + 0.3 * np.clip(edge / rng.uniform(0.02, 0.2), -1, 1)))


def pencil(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """Thin and pale, on paper with grain."""
    ink = ink_of(digit, rng, fine=True) * rng.uniform(0.7, 1, (HEIGHT, WIDTH))
    return picture(noisy(page(ink, 0.9 + 0.1 * across(rng), pen=150), rng, 4))


def noise(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """A sensor in the dark."""
    return picture(noisy(page(ink_of(digit, rng), 0.6), rng, 20))


def webcam(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """Blurred, uneven, noisy, pale, and compressed."""
    light = 0.75 + 0.25 * across(rng)
    grey = noisy(page(ink_of(digit, rng), light, paper=190, pen=70), rng, 8)
    small = picture(grey).filter(ImageFilter.GaussianBlur(2))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=40)
    return Image.open(io.BytesIO(buffer.getvalue()))


def rotated_paper(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """A sheet askew on a dark desk, which shows in the corners."""
    sheet = picture(page(ink_of(digit, rng), 0.9 + 0.1 * across(rng)))
    desk = tuple(int(each) for each in rng.integers(20, 70, 3))
    angle = float(rng.choice([-1, 1]) * rng.uniform(4, 10))
    turned = sheet.rotate(angle, Resampling.BICUBIC, expand=True, fillcolor=desk)
    return turned.resize((WIDTH, HEIGHT), Resampling.BILINEAR)


def strips(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """The paper ends before the picture does, at one side or several: dark strips along the edge."""
    grey = page(ink_of(digit, rng), 0.9 + 0.1 * across(rng))
    sides = rng.permutation(4)[: rng.integers(1, 4)]
    for side in sides:
        width = int(rng.integers(5, 20))
        index: list[slice] = [slice(None), slice(None)]
        index[side % 2] = slice(0, width) if side < 2 else slice(-width, None)
        grey[tuple(index)] = rng.uniform(10, 80)
    return picture(noisy(grey, rng, 2))


def chalk(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Image.Image:
    """Light on dark, unevenly lit."""
    return picture(noisy(page(ink_of(digit, rng), 0.7 + 0.3 * across(rng), paper=60, pen=220), rng, 5))


SCENES: dict[str, Scene] = {
    "plain": plain,
    "fall-off": fall_off,
    "vignette": vignette,
    "shadow": shadow,
    "pencil": pencil,
    "noise": noise,
    "webcam": webcam,
    "rotated paper": rotated_paper,
    "strips": strips,
    "chalk": chalk,
}


def main() -> None:
    """Print one line a scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True, help="folder with MNIST's training files")
    parser.add_argument("--parameters", default="mnist_lfc", help="a dataset's name, or a path with parameters")
    parser.add_argument("--count", type=int, default=500, help="digits a scene, the last of the split")
    given = parser.parse_args()
    is_path = "/" in given.parameters
    classifier = bnncore.load(given.parameters) if is_path else bnncore.get(given.parameters)
    data = read(given.mnist, "train")
    chosen = np.arange(len(data) - given.count, len(data))
    digits, labels = data.images[chosen], data.labels[chosen]
    told = np.array([each.index for each in classifier.classify_batch(list(digits))])
    print(f"{'as in MNIST':14} {np.mean(told == labels):6.1%}")
    for name, scene in SCENES.items():
        rng = np.random.default_rng(0)
        seconds, right = [], 0
        for digit, label in zip(digits, labels):
            image = scene(digit, rng)
            image.load()
            start = time.perf_counter()
            try:
                seen = classifier.preprocess(image)
            except bnncore.BnnError:
                continue
            finally:
                seconds.append(time.perf_counter() - start)
            right += classifier.classify(seen).index == label
        print(f"{name:14} {right / len(labels):6.1%} {statistics.median(seconds) * 1000:6.2f} ms")


if __name__ == "__main__":
    main()
