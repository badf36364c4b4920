"""A handwritten digit from any picture, placed as MNIST places it.

MNIST digits are light on black, scaled to fit 20x20 pixels, and centred by their centre of mass in
28x28 (LeCun, Cortes, Burges: The MNIST database). A picture of a digit on paper becomes that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from bnnhw.topology import Input
from PIL import Image

from bnncore.errors import InputError
from bnncore.pictures.decoding import Resampling, to_rgb
from bnncore.pictures.lighting import Ink, local_ink, varies

__all__ = ["digit"]

Array = npt.NDArray[Any]

# Pictures larger than this are averaged down first: a digit needs no more, and a photograph costs less.
_WORKING_SIDE = 400
# Pixels that are converted at once.
_AT_ONCE = 2**22
_BOX_SHARE = 20 / 28
# Width of MNIST's strokes over the longer side of the digit, in the middle.
_STROKE_SHARE = 0.11
_STROKE_SIDE = 80
# Steps of a histogram, as fine as Otsu's threshold needs to be.
_BINS = 64
# Pixels up to which looking for each one's step is quicker than what np.histogram does first.
_SMALL = 10_000
# Of the tallest digit of a row: the height of the others at least, and the paper between; less are pieces of one.
_ROW_SHARE, _GAP_SHARE = 0.6, 0.12
# Pixels; what is lower is no digit.
_LEAST_HEIGHT = 16
# Less contrast than this (of 255) is paper, not ink.
_LEAST_CONTRAST = 16


def digit(image: Image.Image, given: Input) -> Image.Image:
    """Return a light digit on black, sized and centred as in MNIST.

    A grey picture of the input's size that is light on dark already is returned as it is. Ink may be dark on light
    or light on dark; the border tells which. Where the border is of more than one grey, as in uneven light or
    where the paper ends, each place has a background of its own. An empty picture gives black.

    Raises:
        InputError: if there are several digits in a row.
    """
    size = (given.width, given.height)
    if image.size == size and image.mode == "L" and _is_light_on_dark(image):
        return image
    grey = _grey(image)
    ink, strong = _found_ink(grey)
    if ink.max() < _LEAST_CONTRAST:
        return Image.new("L", size)
    count = max(_in_a_row(strong), _in_a_row(strong.T))
    if count > 1 and max(image.size) > max(size):
        raise InputError(f"expected one digit, found {count} in a row; cut the picture into one digit each")
    rows, columns = (strong.any(axis=axis).nonzero()[0] for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _place(_fit(_bold(ink), given), given)


def _is_light_on_dark(image: Image.Image) -> bool:
    """Tell whether the median of a grey picture's outermost pixels is below 128."""
    # ``_border`` in bytes, since numpy's fixed costs would take longer than decoding the picture.
    data, width = image.tobytes(), image.width
    edge = sorted(data[:width] + data[-width:] + data[::width] + data[width - 1 :: width])
    middle = len(edge) // 2
    return edge[middle - 1] + edge[middle] < 2 * 128


def _grey(image: Image.Image) -> Array:
    """Return float32 [H, W], 0..255; what is transparent becomes the opposite of what is not."""
    largest = max(image.size)
    if largest > _WORKING_SIDE:
        image = _reduced(image, -(-largest // _WORKING_SIDE))
    elif image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "La", "RGBA", "RGBa"):
        # Pillow has no direct way from premultiplied grey.
        image = image.convert("LA") if image.mode == "La" else image
        rgba = np.asarray(image.convert("RGBA"), np.float32)
        grey = rgba[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
        alpha = rgba[..., 3] / 255
        seen = float((grey * alpha).sum() / max(float(alpha.sum()), 1e-6))
        background = 0.0 if seen >= 128 else 255.0
        return grey * alpha + background * (1 - alpha)
    grey_image = image if image.mode == "L" else to_rgb(image).convert("L")
    return np.asarray(grey_image, np.float32)


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Return the mean of each square of so many pixels, with colours instead of a palette's numbers.

    Strip by strip: colours and transparency would take many times the memory of the picture.
    """
    mode = image.mode
    if mode in ("P", "PA") or "transparency" in image.info:
        mode = "RGBA"
    elif mode == "1":
        mode = "L"
    width, height = image.size
    # Of whole squares, so that it is the same as at once.
    rows = factor * max(1, _AT_ONCE // (factor * width))
    if rows >= height or image.mode == mode in ("L", "RGB"):
        return (image if image.mode == mode else image.convert(mode)).reduce(factor)
    result = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows))).convert(mode)
        result.paste(strip.reduce(factor), (0, top // factor))
    return result


def _found_ink(grey: Array) -> Ink:
    """Return the ink on the one grey of the picture's edge or, where there is no such, on what is around each place."""
    ink = _ink(grey)
    strong = ink > _otsu(ink)
    if ink.max() < _LEAST_CONTRAST:
        return Ink(ink, strong)
    # More ink than paper is no digit: what the edge shows is a desk, and the digit is on the sheet that lies there.
    if 2 * np.count_nonzero(strong) > strong.size:
        return local_ink(grey)
    if varies(_edge(grey)) and not _is_cut_out(grey, strong):
        return local_ink(grey)
    return Ink(ink, strong)


def _is_cut_out(grey: Array, strong: Array) -> bool:
    """Say whether what varies along the edge is a digit that reaches it, on plain paper."""
    paper = np.sort(grey[~strong])
    if len(paper) == 0 or paper[len(paper) * 3 // 4] - paper[len(paper) // 4] > _LEAST_CONTRAST / 2:
        return False
    sides = (strong[0], strong[-1], strong[:, 0], strong[:, -1])
    # A desk or a shadow takes corners; a digit that reaches all four sides may, as the bar of a 7 does.
    corners = np.count_nonzero(strong[[0, 0, -1, -1], [0, -1, 0, -1]])
    return bool(corners == 0 or (corners <= 2 and all(side.any() for side in sides)))


def _in_a_row(strong: Array) -> int:
    """Count the digits beside each other: ink of about one height with paper between; 1 where there is no row."""
    inked = np.flatnonzero(strong.any(axis=0))
    tallest = int(np.ptp(np.flatnonzero(strong.any(axis=1)))) + 1
    splits = np.flatnonzero(np.diff(inked) > max(1, _GAP_SHARE * tallest)) + 1
    if len(splits) == 0:
        return 1
    heights = [
        np.ptp(np.flatnonzero(strong[:, part[0] : part[-1] + 1].any(axis=1))) + 1
        for part in np.split(inked, splits)
    ]
    least = max(_LEAST_HEIGHT, _ROW_SHARE * tallest)
    return max(1, sum(int(height >= least) for height in heights))


def _ink(grey: Array) -> Array:
    """Return float32 [H, W], 0 for the background and more for ink of either polarity."""
    background = _border(grey)
    darker, lighter = background - float(grey.min()), float(grey.max()) - background
    ink: Array = background - grey if darker > lighter else grey - background
    return np.maximum(ink, 0)


def _edge(grey: Array) -> Array:
    """Return the outermost pixels."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _border(grey: Array) -> float:
    """Return the median of the outermost pixels: what the digit is written on."""
    edge = np.sort(_edge(grey))
    # What np.median gives, at a fraction of its cost.
    return float(edge[(len(edge) - 1) // 2 : len(edge) // 2 + 1].mean())


def _otsu(ink: Array) -> float:
    """Return the threshold that best splits paper from ink (Otsu 1979)."""
    low, high = ink.min(), ink.max()
    if low == high:
        return float(low) - 0.5
    if ink.size > _SMALL:
        counts, edges = np.histogram(ink, bins=_BINS)
    else:
        # The same in few calls; np.histogram's many cost more than counting a small picture.
        edges = np.linspace(low, high, _BINS + 1, dtype=np.float32)
        counts = np.bincount(edges[1:-1].searchsorted(ink.ravel(), "right"), minlength=_BINS)
    # Floating point, since on 32 bits a product of counts has no room.
    below = np.cumsum(counts, dtype=np.float64)
    sums = np.cumsum(counts * ((edges[:-1] + edges[1:]) / 2))
    # Something lies on either side of every edge but the last.
    above = below[-1] - below[:-1]
    difference = sums[:-1] / below[:-1] - (sums[-1] - sums[:-1]) / above
    between = below[:-1] * above * difference**2
    return float(edges[int(between.argmax()) + 1])


def _bold(given: Array) -> Array:
    """Widen the strokes of a fine pen to those of MNIST, or they vanish between the few pixels."""
    # Measured on a smaller picture, where the dots of a dithered stroke have become one.
    scale = min(1.0, _STROKE_SIDE / max(given.shape))
    size = (max(1, round(given.shape[1] * scale)), max(1, round(given.shape[0] * scale)))
    ink = given
    if scale < 1:
        ink = np.asarray(Image.fromarray(given).resize(size, Resampling.BOX))
    stroke = ink > _otsu(ink)
    edges = np.count_nonzero(stroke[1:] != stroke[:-1]) + np.count_nonzero(stroke[:, 1:] != stroke[:, :-1])
    # A stroke has two sides; a slanted one has up to 1.4 times as many pixel edges as it is long.
    width = 1.2 * 2 * np.count_nonzero(stroke) / max(edges, 1)
    wanted = max(ink.shape) * _STROKE_SHARE
    if width >= 0.8 * wanted:
        return given
    more = round(wanted - width)
    for _ in ("down", "across"):
        ink = _widened(ink, more).T
    return ink


def _widened(ink: Array, more: int) -> Array:
    """Return float32 [H + more, W]: of each pixel and those above it, ``more`` + 1 in all, the largest."""
    height, width = ink.shape
    wide = np.zeros((height + more, width), ink.dtype)
    for shift in range(more + 1):
        part = wide[shift : shift + height]
        np.maximum(part, ink, out=part)
    return wide


def _fit(ink: Array, given: Input) -> Array:
    """Scale so that the ink fits MNIST's 20x20 box, the strongest stroke becoming 255."""
    height, width = ink.shape
    scale = min(given.width * _BOX_SHARE / width, given.height * _BOX_SHARE / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = Image.fromarray(ink).resize(size, Resampling.BOX if scale < 1 else Resampling.BICUBIC)
    scaled = np.maximum(np.asarray(smooth, np.float32), 0)
    strongest = float(scaled.max())
    return scaled * (255 / strongest) if strongest > 0 else scaled


def _place(ink: Array, given: Input) -> Image.Image:
    """Put the centre of mass in the middle, as far as the frame allows."""
    height, width = ink.shape
    total = max(float(ink.sum()), 1e-6)
    row = float((ink.sum(axis=1) @ np.arange(height)) / total)
    column = float((ink.sum(axis=0) @ np.arange(width)) / total)
    # The middle of 28 pixels is between 13 and 14; MNIST's centres of mass lie at 14.
    top = min(max(round(given.height / 2 - row), 0), given.height - height)
    left = min(max(round(given.width / 2 - column), 0), given.width - width)
    canvas = np.zeros((given.height, given.width), np.uint8)
    canvas[top : top + height, left : left + width] = np.rint(ink)
    return Image.fromarray(canvas)
