"""``card.json``: what a plugin says of its weights and data, for people and programs (docs/reference/card.md)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import asdict, field, frozen

from bnncore.errors import ResourceError
from bnncore.files import read_limited
from bnncore.formats.jsontext import MOST_BYTES, parse_json
from bnncore.plain_text import brief, shown

__all__ = ["CARD", "Card", "Metric", "card_bytes", "check_metric", "parse_card", "read_card"]

CARD = "card.json"

# Integers may have any number of digits in JSON, and what is no float cannot be shown.
_LARGEST = sys.float_info.max

_LIMIT_OF = "this is no card"

# Characters. They are shown in terminals and on pages: a line, some paragraphs.
_LONGEST_TITLE = 200
_LONGEST_TEXT = 10_000


@frozen(kw_only=True)
class Metric:
    """One measured figure.

    Attributes:
        name: for example ``accuracy``.
        value: the figure; accuracies from 0 to 1.
        samples: how many images it was measured on.
        data: which data, for example ``CIFAR-10 test``.
        method: how, for example ``once, after the choice of weights on a part of train``.
        topology: which network.
    """

    name: str
    value: float
    samples: int
    data: str
    method: str
    topology: str


@frozen(kw_only=True)
class Card:
    """What whoever supplies a network's parameters says of them, and of the data that they were trained on.

    Attributes:
        title: one line.
        description: a paragraph.
        source: where the data come from.
        licenses: of ``weights`` and ``data``.
        metrics: measured figures.
        recipe: how the weights were made, as plain data.
        networks: for each topology name, the figures that can be recomputed: ``parameters``,
            ``operations`` (multiply-accumulates an image) and ``file_bytes``.
    """

    title: str
    description: str
    source: str
    licenses: Mapping[str, str]
    metrics: tuple[Metric, ...]
    recipe: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, int]] = field(factory=dict)

    def _repr_html_(self) -> str:
        """Return what Jupyter shows; a terminal shows ``repr``."""
        from bnncore import html

        rows = [("source", self.source)]
        rows += [(f"licence of {kind}", licence) for kind, licence in self.licenses.items()]
        rows += [
            (
                f"{metric.name}, {metric.topology}",
                f"{metric.value:.4g} on {metric.samples:,} of {metric.data} ({metric.method})",
            )
            for metric in self.metrics
        ]
        rows += [
            (f"size, {name}", ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in figures.items()))
            for name, figures in self.networks.items()
        ]
        rows += [(f"recipe: {key}", str(value)) for key, value in self.recipe.items()]
        return html.facts(self.title, rows, self.description)


def read_card(path: Path) -> Card:
    """Read a ``card.json``.

    Raises:
        ResourceError: if it cannot be read, or as ``parse_card``.
    """
    return parse_card(read_limited(path, MOST_BYTES, ResourceError, _LIMIT_OF), str(path))


def parse_card(data: bytes, where: str) -> Card:
    """Parse the bytes of a ``card.json``; ``where`` names it in errors.

    Raises:
        ResourceError: if it is no JSON, or a key is missing, unknown or of the wrong type.
    """
    try:
        content = parse_json(data)
        metrics = tuple(Metric(**metric) for metric in content.pop("metrics"))
        licenses, recipe, networks = (
            MappingProxyType(dict(content.pop(key))) for key in ("licenses", "recipe", "networks")
        )
        card = Card(metrics=metrics, licenses=licenses, recipe=recipe, networks=networks, **content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ResourceError(f"{where}: not a card: {type(error).__name__}: {brief(error)}") from error
    try:
        _check(card)
        for metric in card.metrics:
            check_metric(metric)
    except TypeError as error:
        raise ResourceError(f"{where}: {brief(error)}") from error
    return card


def _check(card: Card) -> None:
    """Refuse what is of another type than a card's attributes are; raises TypeError."""
    for key in ("title", "description", "source"):
        if not isinstance(getattr(card, key), str):
            raise TypeError(f"{key} must be text")
    for key, value, longest in (
        ("title", card.title, _LONGEST_TITLE),
        ("description", card.description, _LONGEST_TEXT),
        ("source", card.source, _LONGEST_TEXT),
    ):
        if len(value) > longest:
            raise TypeError(f"{key} must have at most {longest} characters, found {len(value)}")
    for kind in ("weights", "data", *card.licenses):
        licence = card.licenses.get(kind)
        if not isinstance(licence, str) or len(licence) > _LONGEST_TEXT:
            raise TypeError(f"licenses must name the licence of the {kind}")
    for name, figures in card.networks.items():
        if not isinstance(figures, Mapping) or not all(isinstance(each, int) for each in figures.values()):
            raise TypeError(f"networks must have whole numbers for {shown(name)}, found {shown(figures)}")


def card_bytes(card: Card) -> bytes:
    """Return the bytes of a ``card.json``; ``parse_card`` reads them back."""
    content = {
        "title": card.title,
        "description": card.description,
        "source": card.source,
        "licenses": dict(card.licenses),
        "metrics": [asdict(metric) for metric in card.metrics],
        "recipe": dict(card.recipe),
        "networks": {name: dict(figures) for name, figures in sorted(card.networks.items())},
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def check_metric(metric: Metric) -> Metric:
    """Return a metric if its figures are numbers and the rest is text.

    Raises:
        TypeError: if they are not.
    """
    value, samples = metric.value, metric.samples
    numbers = isinstance(value, (int, float)) and isinstance(samples, int)
    # With not, since no comparison with NaN is true.
    if not numbers or not abs(value) <= _LARGEST or not abs(samples) <= _LARGEST:
        raise TypeError(f"metric {metric.name!r} needs a number and a sample count")
    for key in ("name", "data", "method", "topology"):
        if not isinstance(getattr(metric, key), str):
            raise TypeError(f"metric {metric.name!r}: {key} must be text")
    return metric
