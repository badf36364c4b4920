"""An evaluation as text and as pictures."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bnncore.datasets import LabelledImages
from bnncore.evaluation.measure import Evaluation
from bnncore.pictures.decoding import Resampling

__all__ = ["class_table", "confusion_picture", "confusion_text", "contact_sheet"]

_CELL = 36
_MARGIN = 110
_TILE = 96


def class_table(evaluation: Evaluation) -> list[tuple[str, str, str, str]]:
    """Return rows of (class, images, precision, recall) for a table."""
    images = evaluation.confusion.sum(axis=1)
    return [
        (name, str(int(count)), _percent(precision), _percent(recall))
        for name, count, precision, recall in zip(
            evaluation.classes, images, evaluation.precision, evaluation.recall
        )
    ]


def confusion_text(evaluation: Evaluation) -> str:
    """Return the confusion matrix as text: a row a true class, a column an answer; zeros are dots."""
    counts = evaluation.confusion
    width = max(len(str(int(counts.max()))), 4)
    heads = [name[:width].rjust(width) for name in evaluation.classes]
    side = max(len(name) for name in evaluation.classes)
    lines = [" " * side + " " + " ".join(heads)]
    for name, row in zip(evaluation.classes, counts):
        cells = [(str(int(count)) if count else ".").rjust(width) for count in row]
        lines.append(name.ljust(side) + " " + " ".join(cells))
    return "\n".join(lines)


def confusion_picture(evaluation: Evaluation) -> Image.Image:
    """Return the confusion matrix as a picture: darker cells hold a larger part of their row."""
    counts = evaluation.confusion
    size = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    extent = _MARGIN + size * _CELL + 8
    picture = Image.new("RGB", (extent, extent), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((8, 8), "rows: true class", fill="black")
    draw.text((8, 22), "columns: answer", fill="black")
    for row in range(size):
        _write(draw, (8, _MARGIN + row * _CELL + 12), evaluation.classes[row][:15])
        _upright_text(picture, evaluation.classes[row][:15], _MARGIN + row * _CELL + 12, _MARGIN - 6)
        for column in range(size):
            left, top = _MARGIN + column * _CELL, _MARGIN + row * _CELL
            share = float(shares[row, column])
            right = row == column
            # Blue for right answers, red for wrong ones; white where there are none.
            fade = int(255 * (1 - math.sqrt(share)))
            colour = (fade, fade, 255) if right else (255, fade, fade)
            draw.rectangle((left, top, left + _CELL - 2, top + _CELL - 2), fill=colour)
            if counts[row, column]:
                ink = "white" if share > 0.4 else "black"
                draw.text((left + 4, top + 12), str(int(counts[row, column])), fill=ink)
    return picture


def contact_sheet(evaluation: Evaluation, data: LabelledImages, count: int = 25) -> Image.Image:
    """Return the worst mistakes, each with its true class and the answer under it.

    The images are as the network sees them, enlarged; an empty sheet says that there are no mistakes.
    """
    chosen = evaluation.worst(count)
    columns = max(1, min(5, len(chosen)))
    rows = max(1, -(-len(chosen) // columns))
    sheet = Image.new("RGB", (max(columns, 2) * (_TILE + 8) + 8, rows * (_TILE + 36) + 8), "white")
    draw = ImageDraw.Draw(sheet)
    if not len(chosen):
        draw.text((8, 8), "no mistakes", fill="black")
    for place, position in enumerate(chosen):
        left, top = 8 + place % columns * (_TILE + 8), 8 + place // columns * (_TILE + 36)
        sheet.paste(_enlarged(data.images[position]), (left, top))
        truth, answer = data.labels[position], evaluation.predicted[position]
        _write(draw, (left, top + _TILE + 2), f"is {evaluation.classes[truth]}"[:16])
        _write(draw, (left, top + _TILE + 15), f"not {evaluation.classes[answer]}"[:16], "firebrick")
    return sheet


def _enlarged(image: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image).convert("RGB").resize((_TILE, _TILE), Resampling.NEAREST)


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, ink: str = "black") -> None:
    """Write text; a Pillow whose own font has few letters writes question marks for the others."""
    try:
        draw.text(place, text, fill=ink)
    except UnicodeEncodeError:
        draw.text(place, text.encode("latin-1", "replace").decode("latin-1"), fill=ink)


def _upright_text(picture: Image.Image, text: str, left: int, bottom: int) -> None:
    """Write text from the bottom upwards."""
    strip = Image.new("RGB", (_MARGIN - 10, 14), "white")
    _write(ImageDraw.Draw(strip), (0, 0), text)
    turned = strip.rotate(90, expand=True)
    picture.paste(turned, (left, bottom - turned.height))


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
