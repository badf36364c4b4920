"""Draw the example pictures of this folder: a digit on paper, a ship, a cucumber.

    python examples/draw.py

They are the project's own, so they may be shown and shipped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).resolve().parent
# Drawn large and shrunk, so that edges are smooth.
SCALE = 4


def digit() -> Image.Image:
    """A 7 in dark ink on slightly uneven paper."""
    side = 240 * SCALE
    shade = np.linspace(225, 250, side)[None, :] * np.linspace(0.96, 1.0, side)[:, None]
    paper = Image.fromarray(shade.astype(np.uint8))
    draw = ImageDraw.Draw(paper)
    stroke = [(70, 62), (168, 58), (150, 100), (124, 150), (108, 196)]
    points = [(x * SCALE, y * SCALE) for x, y in stroke]
    draw.line(points, fill=45, width=15 * SCALE, joint="curve")
    for x, y in (points[0], points[-1]):
        radius = 7 * SCALE
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=45)
    return paper.resize((240, 240), Image.Resampling.LANCZOS)


def ship() -> Image.Image:
    """A freighter on the sea under a clear sky."""
    width, height = 320 * SCALE, 240 * SCALE
    rows = np.linspace(0, 1, height)[:, None]
    sky = np.stack([150 + 60 * rows, 190 + 40 * rows, 230 + 15 * rows], axis=-1)
    picture = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8).copy())
    draw = ImageDraw.Draw(picture)

    def polygon(points: list[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    polygon([(0, 165), (320, 165), (320, 240), (0, 240)], (38, 78, 116))
    polygon([(20, 132), (300, 125), (272, 182), (52, 184)], (58, 40, 44))
    polygon([(30, 152), (290, 150), (272, 182), (52, 184)], (120, 34, 34))
    polygon([(60, 98), (120, 98), (120, 132), (60, 133)], (232, 232, 228))
    polygon([(70, 74), (110, 74), (110, 98), (70, 98)], (222, 222, 218))
    polygon([(82, 50), (100, 50), (100, 74), (82, 74)], (190, 60, 40))
    for left in range(140, 270, 26):
        polygon([(left, 106), (left + 22, 106), (left + 22, 128), (left, 129)], (170, 110, 60))
    for x in (152, 230):
        polygon([(x, 60), (x + 4, 60), (x + 4, 106), (x, 106)], (90, 90, 95))
    for row in range(170, 240, 9):
        for column in range((row * 7) % 40, 320, 46):
            polygon([(column, row), (column + 24, row - 1), (column + 24, row + 1)], (84, 128, 164))
    return picture.resize((320, 240), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.6))


def cucumber() -> Image.Image:
    """A long straight cucumber on a pale table, seen from above."""
    side = 320 * SCALE
    rows = np.linspace(1.06, 0.94, side)[:, None, None]
    table = (rows * np.array([182, 188, 200])).clip(0, 255)
    picture = Image.fromarray(np.broadcast_to(table, (side, side, 3)).astype(np.uint8).copy())
    draw = ImageDraw.Draw(picture)
    length, thickness = 278 * SCALE, 44 * SCALE

    def body(shift: float, width: float, colour: tuple[int, int, int]) -> None:
        for share in np.linspace(0, 1, 240):
            x = side / 2 + (share - 0.5) * (length - thickness)
            y = side / 2 + shift + (share - 0.5) * 0.04 * length
            radius = width / 2 * (1 - 0.3 * abs(2 * share - 1) ** 4)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    body(thickness * 0.3, thickness, (118, 122, 126))
    body(0, thickness, (34, 66, 34))
    body(-thickness * 0.12, thickness * 0.6, (48, 88, 44))
    body(-thickness * 0.22, thickness * 0.14, (120, 156, 108))
    return picture.resize((320, 320), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1.2))


if __name__ == "__main__":
    for picture in (digit, ship, cucumber):
        picture().save(HERE / f"{picture.__name__}.png", optimize=True)
