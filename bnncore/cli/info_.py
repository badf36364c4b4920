"""``bnncore info NAME``."""

from __future__ import annotations

from typing import Any

import click
from attrs import asdict

from bnncore.classifier import Classifier
from bnncore.cli.network_options import Asked, network_options
from bnncore.cli.output import json_option, print_json, say
from bnncore.formats.card import Card

__all__ = ["command"]


@click.command("info")
@click.argument("name")
@network_options
@json_option
def command(name: str, asked: Asked, as_json: bool) -> None:
    """Show what is known of the dataset NAME: classes, network, figures, licences.

    Figures, licences and preprocessing are those of who supplies the parameters. NAME may be a path, too.
    """
    classifier = asked.open(name)
    card = classifier.card
    if as_json:
        print_json(_content(classifier, card))
        return
    _print(classifier, card)


def _content(classifier: Classifier, card: Card | None) -> dict[str, Any]:
    network, found = classifier.topology, classifier.resolution
    content: dict[str, Any] = {"name": classifier.name}
    if found is not None:
        content |= {
            "title": found.dataset.title,
            "distribution": found.owner.distribution,
            "version": found.owner.version,
            "topologies": list(found.dataset.topologies),
            "parameters_from": {
                "distribution": found.parameters_owner.distribution,
                "version": found.parameters_owner.version,
            },
            "file_bytes": found.parameters.resource.size,
        }
    content |= {
        "classes": list(classifier.classes),
        "topology": network.name,
        "input": list(network.input.shape),
        "parameters": network.weights,
        "operations": network.operations,
        "preprocessing": classifier.preprocessing.describe(),
    }
    if card is not None:
        content |= {
            "description": card.description,
            "source": card.source,
            "licenses": dict(card.licenses),
            "metrics": [asdict(metric) for metric in card.metrics],
        }
    return content


def _print(classifier: Classifier, card: Card | None) -> None:
    network, found = classifier.topology, classifier.resolution
    say(f"{classifier.name}: {found.dataset.title if found else network.summary}")
    offered = bytes_ = ""
    if found is not None:
        offered = f" (of {', '.join(found.dataset.topologies)})"
        bytes_ = f" in {found.parameters.resource.size:,} bytes"
        say(f"from          {found.owner.owner}")
        if not found.own:
            say(f"parameters    {found.parameters_owner.owner}")
    if card is not None:
        say(f"about         {card.description}")
        say(f"data          {card.source}")
        for kind, licence in card.licenses.items():
            say(f"licence       {kind}: {licence}")
    say(f"classes       {len(classifier.classes)}: {', '.join(classifier.classes)}")
    shape = "x".join(str(side) for side in network.input.shape)
    say(f"network       {network.name}{offered}, input {shape}")
    say(f"pictures      {classifier.preprocessing.describe()}")
    say(f"size          {network.weights:,} weights{bytes_}, {network.operations:,} operations an image")
    for metric in card.metrics if card is not None else ():
        say(
            f"{metric.name:<13} {metric.value:.4g} on {metric.samples:,} of {metric.data}, "
            f"{metric.topology} ({metric.method})"
        )
