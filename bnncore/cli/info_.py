"""``bnncore info NAME``."""

from __future__ import annotations

from typing import Any

import click

from bnncore import get, registry
from bnncore.cli.output import json_option, print_json
from bnncore.discovery.index import DATASETS

__all__ = ["command"]


@click.command("info")
@click.argument("name")
@click.option("--topology", help="One of the dataset's networks; its first if left out.")
@click.option("--source", help="Distribution that shall supply the parameters.")
@json_option
def command(name: str, topology: str | None, source: str | None, as_json: bool) -> None:
    """Show what is known of the dataset NAME: classes, network, figures, licences."""
    claim = registry.owner(DATASETS, name)
    dataset = registry.dataset(name)
    classifier = get(name, topology=topology, source=source)
    card = classifier.card
    network = classifier.topology
    parameters = registry.parameters(dataset, network.name, source)
    content: dict[str, Any] = {
        "name": dataset.name,
        "title": dataset.title,
        "distribution": claim.distribution,
        "version": claim.version,
        "classes": list(classifier.classes),
        "topologies": list(dataset.topologies),
        "topology": network.name,
        "input": list(network.input.shape),
        "parameters": network.weights,
        "operations": network.operations,
        "file_bytes": parameters.resource.size,
    }
    if card is not None:
        content |= {
            "description": card.description,
            "source": card.source,
            "licenses": dict(card.licenses),
            "metrics": [
                {
                    "name": m.name,
                    "value": m.value,
                    "samples": m.samples,
                    "data": m.data,
                    "method": m.method,
                    "topology": m.topology,
                }
                for m in card.metrics
            ],
        }
    if as_json:
        print_json(content)
        return
    click.echo(f"{dataset.name}: {dataset.title}")
    click.echo(f"from          {claim.owner}")
    if card is not None:
        click.echo(f"about         {card.description}")
        click.echo(f"data          {card.source}")
        for kind, licence in card.licenses.items():
            click.echo(f"licence       {kind}: {licence}")
    click.echo(f"classes       {len(classifier.classes)}: {', '.join(classifier.classes)}")
    shape = "x".join(str(side) for side in network.input.shape)
    click.echo(f"network       {network.name} (of {', '.join(dataset.topologies)}), input {shape}")
    click.echo(
        f"size          {network.weights:,} weights in {parameters.resource.size:,} bytes, "
        f"{network.operations:,} operations an image"
    )
    for metric in card.metrics if card is not None else ():
        click.echo(
            f"{metric.name:<13} {metric.value:.4g} on {metric.samples:,} of {metric.data}, "
            f"{metric.topology} ({metric.method})"
        )
