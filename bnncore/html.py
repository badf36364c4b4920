"""Pieces of HTML for Jupyter, made of plain values: small tables, bars and pictures.

Predictions, classifiers and cards put them together, each what it shows of itself; nothing here knows any of them. The
pieces escape every text that they are given, colours are the page's own, so that dark themes work, and pictures
are embedded.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["answer", "bar", "facts", "picture", "sheet", "time_text"]

_CELL = "text-align:left;padding:1px 8px 1px 0;border:none"
_FAINT = "opacity:0.65"


def time_text(seconds: float) -> str:
    """Return a duration with a fitting unit, for example ``2.3 ms``; plain text."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def facts(title: str, rows: Iterable[tuple[str, str]], text: str | None = None) -> str:
    """Return a title, a paragraph if there is one, and a table of names and values."""
    paragraph = "" if text is None else f"<p>{escape(text)}</p>"
    cells = "".join(
        f'<tr><td style="{_CELL};vertical-align:top;{_FAINT}">{escape(name)}</td>'
        f'<td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<div><b>{escape(title)}</b>{paragraph}<table style="border:none">{cells}</table></div>'


def answer(
    seen: npt.NDArray[np.uint8] | None,
    title: str,
    rows: Iterable[tuple[str, float, int]],
    foot: str,
    note: str | None = None,
) -> str:
    """Return a picture, and beside it a title, a bar for each row, and a faint last line.

    Args:
        seen: as ``picture`` takes it.
        title: in bold.
        rows: name, share from 0 to 1 for the bar, and number.
        foot: the last line.
        note: stands behind the title.
    """
    cells = "".join(
        f'<tr><td style="{_CELL}">{escape(name)}</td><td style="{_CELL}">{bar(share)}</td>'
        f'<td style="{_CELL};text-align:right">{number}</td></tr>'
        for name, share, number in rows
    )
    remark = f" · {escape(note)}" if note else ""
    return (
        '<div style="display:flex;gap:12px;align-items:flex-start">'
        f"{picture(seen, 96)}"
        f"<div><b>{escape(title)}</b>{remark}"
        f'<table style="border:none;margin:2px 0">{cells}</table>'
        f'<span style="{_FAINT}">{escape(foot)}</span>'
        "</div></div>"
    )


def sheet(
    title: str,
    text: str,
    foot: str,
    tiles: Iterable[tuple[npt.NDArray[np.uint8] | None, str, float]],
    more: int = 0,
) -> str:
    """Return a contact sheet: a title with a text, a faint line, then pictures above their names.

    Args:
        title: in bold.
        text: stands behind the title.
        foot: the line below.
        tiles: picture, name, and share from 0 to 1.
        more: how many further there are that are not shown.
    """
    shown = "".join(
        '<figure style="margin:0;width:72px;text-align:center">'
        f"{picture(seen, 64)}"
        f'<figcaption style="line-height:1.2;overflow:hidden;text-overflow:ellipsis">{escape(name)}<br>'
        f'<span style="{_FAINT}">{share:.0%}</span></figcaption></figure>'
        for seen, name, share in tiles
    )
    rest = f'<div style="{_FAINT}">and {more} more</div>' if more else ""
    return (
        f"<div><b>{escape(title)}</b>: {escape(text)}"
        f'<div style="{_FAINT}">{escape(foot)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:6px;margin-top:4px">{shown}</div>{rest}</div>'
    )


def bar(share: float) -> str:
    """Return a bar for a share; below 0 it is empty, above 1 full."""
    width = round(100 * min(max(share, 0.0), 1.0))
    return (
        '<div style="width:120px;height:9px;border:1px solid currentColor;opacity:0.8">'
        f'<div style="width:{width}%;height:100%;background:currentColor"></div></div>'
    )


def picture(seen: npt.NDArray[np.uint8] | None, side: int) -> str:
    """Return an embedded picture with hard pixels; nothing where it was not kept or is no picture.

    Args:
        seen: uint8 [H, W], [H, W, 1], [H, W, 3] or [H, W, 4]; None or any other depth is nothing.
        side: width on the page, in pixels.
    """
    if seen is None:
        return ""
    from PIL import Image

    if seen.ndim == 3 and seen.shape[2] == 1:
        seen = seen[:, :, 0]
    if not (seen.ndim == 2 or seen.shape[2] in (3, 4)):
        return ""
    file = io.BytesIO()
    Image.fromarray(seen).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<img alt="what the network sees" src="data:image/png;base64,{data}" '
        f'style="width:{side}px;height:auto;image-rendering:pixelated;max-width:none">'
    )
