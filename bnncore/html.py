"""How predictions, classifiers and cards show themselves in Jupyter: small tables in plain HTML.

Imported only when a notebook asks. Every text that comes from elsewhere is escaped, colours are the
page's own, so that dark themes work, and images are embedded.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bnncore.classifier import Classifier
    from bnncore.formats.card import Card
    from bnncore.prediction import Prediction

__all__ = ["card_html", "classifier_html", "prediction_html", "predictions_html", "time_text"]

_BARS = 5
_TILES = 60
_CELL = "text-align:left;padding:1px 8px 1px 0;border:none"
_FAINT = "opacity:0.65"


def time_text(seconds: float) -> str:
    """Return a duration with a fitting unit, for example ``2.3 ms``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def prediction_html(prediction: Prediction) -> str:
    """Return the image as the network sees it, the best classes as bars, backend and time."""
    shares = dict(zip(prediction.classes, prediction.confidences()))
    rows = [
        f'<tr><td style="{_CELL}">{escape(label)}</td><td style="{_CELL}">{_bar(shares[label])}</td>'
        f'<td style="{_CELL};text-align:right">{score}</td></tr>'
        for label, score in prediction.top(_BARS)
    ]
    note = f" · {escape(prediction.note)}" if prediction.note else ""
    return (
        '<div style="display:flex;gap:12px;align-items:flex-start">'
        f"{_image(prediction.seen, 96)}"
        f"<div><b>{escape(prediction.label)}</b>{note}"
        f'<table style="border:none;margin:2px 0">{"".join(rows)}</table>'
        f'<span style="{_FAINT}">{escape(prediction.backend)}, {time_text(prediction.seconds)}</span>'
        "</div></div>"
    )


def predictions_html(predictions: Sequence[Prediction]) -> str:
    """Return a contact sheet: how many of each class, then each image above its class."""
    if not predictions:
        return "<i>no pictures</i>"
    counts = Counter(prediction.label for prediction in predictions)
    found = ", ".join(f"{escape(label)} {count}" for label, count in counts.most_common())
    backends = ", ".join(escape(name) for name in dict.fromkeys(each.backend for each in predictions))
    mean = sum(each.seconds for each in predictions) / len(predictions)
    tiles = "".join(
        '<figure style="margin:0;width:72px;text-align:center">'
        f"{_image(each.seen, 64)}"
        f'<figcaption style="line-height:1.2;overflow:hidden;text-overflow:ellipsis">{escape(each.label)}<br>'
        f'<span style="{_FAINT}">{each.confidence:.0%}</span></figcaption></figure>'
        for each in predictions[:_TILES]
    )
    rest = len(predictions) - _TILES
    more = f'<div style="{_FAINT}">and {rest} more</div>' if rest > 0 else ""
    return (
        f"<div><b>{len(predictions)} pictures</b>: {found}"
        f'<div style="{_FAINT}">{backends}, {time_text(mean)} a picture</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:6px;margin-top:4px">{tiles}</div>{more}</div>'
    )


def classifier_html(classifier: Classifier, backend: str) -> str:
    """Return what a classifier is: classes, network and, in the given words, its backend; opens no device."""
    topology = classifier.topology
    shape = " x ".join(str(side) for side in topology.input.shape)
    return _facts(
        f"<b>{escape(classifier.name)}</b>",
        [
            (f"{len(classifier.classes)} classes", ", ".join(classifier.classes)),
            ("network", f"{topology.name}, input {shape}"),
            ("size", f"{topology.weights:,} weights, {topology.operations:,} operations a picture"),
            ("backend", backend),
        ],
    )


def card_html(card: Card) -> str:
    """Return a card: where data and weights come from, their licences, and what was measured."""
    facts = [("source", card.source)]
    facts += [(f"licence of {kind}", licence) for kind, licence in card.licenses.items()]
    facts += [
        (
            f"{metric.name}, {metric.topology}",
            f"{metric.value:.4g} on {metric.samples:,} of {metric.data} ({metric.method})",
        )
        for metric in card.metrics
    ]
    facts += [
        (f"size, {name}", ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in figures.items()))
        for name, figures in card.networks.items()
    ]
    facts += [(f"recipe: {key}", str(value)) for key, value in card.recipe.items()]
    return _facts(f"<b>{escape(card.title)}</b><p>{escape(card.description)}</p>", facts)


def _facts(head: str, facts: Iterable[tuple[str, str]]) -> str:
    rows = "".join(
        f'<tr><td style="{_CELL};vertical-align:top;{_FAINT}">{escape(name)}</td>'
        f'<td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in facts
    )
    return f'<div>{head}<table style="border:none">{rows}</table></div>'


def _bar(share: float) -> str:
    width = round(100 * min(max(share, 0.0), 1.0))
    return (
        '<div style="width:120px;height:9px;border:1px solid currentColor;opacity:0.8">'
        f'<div style="width:{width}%;height:100%;background:currentColor"></div></div>'
    )


def _image(seen: npt.NDArray[np.uint8] | None, side: int) -> str:
    """Return an embedded picture with hard pixels; nothing where it was not kept or is no picture."""
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
