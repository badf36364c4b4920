"""The card: complete, and right where it can be recomputed."""

from __future__ import annotations

from bnncore.conformance.reporting import CheckError, seen
from bnncore.conformance.subject import Subject, label
from bnncore.diagnosis.finding import Finding
from bnncore.errors import ResourceError
from bnncore.formats.card import Card, parse_card
from bnncore.publishing.pack import network_figures
from bnncore.resources import read_resource, resource_path

__all__ = ["check_card"]


def check_card(subject: Subject) -> Finding:
    """Check that titles, sources and licences are there, and parameters, operations and file size right."""
    if not subject.networks:
        return seen("offers no dataset or parameters", "skipped")
    measured: list[str] = []
    unmeasured: list[str] = []
    for network in subject.networks:
        try:
            resource = network.card
        except ResourceError as error:
            raise CheckError(f"{label(network)}: no card beside its parameters: {error}") from error
        where = str(resource_path(resource))
        card = parse_card(read_resource(resource), where)
        _check_text(card, where)
        expected = network_figures(network.topology, network.parameters.resource.size)
        found = dict(card.networks.get(network.topology.name, {}))
        if found != expected:
            raise CheckError(
                f"{where}: networks[{network.topology.name!r}] is {found}, recomputed {expected}; run bnncore pack"
            )
        metrics = [each for each in card.metrics if each.topology == network.topology.name]
        for metric in metrics:
            if metric.samples < 1 or (metric.name == "accuracy" and not 0 <= metric.value <= 1):
                raise CheckError(f"{where}: metric {metric} is impossible; accuracies are from 0 to 1")
        (measured if metrics else unmeasured).append(label(network))
    if unmeasured:
        return seen(f"complete, but no figure was measured for {', '.join(unmeasured)}", "note")
    return seen(f"complete, with measured figures for {', '.join(measured)}")


def _check_text(card: Card, where: str) -> None:
    texts = {"title": card.title, "description": card.description, "source": card.source}
    texts |= {f"licenses[{kind!r}]": licence for kind, licence in card.licenses.items()}
    for name, text in texts.items():
        if not text.strip():
            raise CheckError(f"{where}: {name} is empty; say what is true, if only 'not stated'")
    if not card.recipe:
        raise CheckError(f"{where}: recipe is empty; say how the weights were made")
