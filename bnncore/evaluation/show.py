"""An evaluation as text and as pictures."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bnncore.datasets import LabelledImages
from bnncore.evaluation.measure import Evaluation
from bnncore.pictures.decoding import Resampling

__all__ = ["class_table", "confusion_picture", "confusion_text", "confusions", "contact_sheet"]

_CELL = 36
_MARGIN = 110
_MOST_PIXELS = 3600
# Cells as high as a line of text.
_NAMED = 14
_TILE = 96

# So many columns of five characters fit beside a name into a line; of confusions, so many lines onto a screen.
_MATRIX_CLASSES = 20
_WORST = 20


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


def confusions(evaluation: Evaluation) -> str:
    """Return what was taken for what, under a heading: the matrix, or the worst pairs where it is too wide."""
    if len(evaluation.classes) <= _MATRIX_CLASSES:
        return f"rows: true class, columns: answer\n{confusion_text(evaluation)}"
    wrong = evaluation.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_WORST]
    pairs = [(row, column) for row, column in zip(*np.unravel_index(order, wrong.shape)) if wrong[row, column]]
    if not pairs:
        return "no confusions"
    images = evaluation.confusion.sum(axis=1)
    names = evaluation.classes
    side = max(len(names[row]) for row, _ in pairs)
    lines = [f"the worst of {np.count_nonzero(wrong)} confusions: true class, answer, how often"]
    lines += [
        f"{names[row].ljust(side)} -> {names[column]}: {wrong[row, column]} of {images[row]}"
        for row, column in pairs
    ]
    return "\n".join(lines)


def confusion_picture(evaluation: Evaluation) -> Image.Image:
    """Return the confusion matrix as a picture: darker cells hold a larger part of their row.

    Cells of many classes are smaller, and have no room for numbers, and at last none for names.
    """
    counts = evaluation.confusion
    size = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = max(2, min(_CELL, _MOST_PIXELS // size))
    extent = _MARGIN + size * cell + 8
    picture = Image.new("RGB", (extent, extent), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((8, 8), "rows: true class", fill="black")
    draw.text((8, 22), "columns: answer", fill="black")
    for row in range(size):
        if cell >= _NAMED:
            place = _MARGIN + row * cell + cell // 3
            _write(draw, (8, place), evaluation.classes[row][:15])
            _upright_text(picture, evaluation.classes[row][:15], place, _MARGIN - 6)
        for column in range(size):
            left, top = _MARGIN + column * cell, _MARGIN + row * cell
            share = float(shares[row, column])
            right = row == column
            # Blue for right answers, red for wrong ones; white where there are none.
            fade = int(255 * (1 - math.sqrt(share)))
            colour = (fade, fade, 255) if right else (255, fade, fade)
            gap = 2 if cell >= _NAMED else 1
            draw.rectangle((left, top, left + cell - gap, top + cell - gap), fill=colour)
            if counts[row, column] and cell == _CELL:
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
