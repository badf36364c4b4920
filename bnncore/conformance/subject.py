"""The distribution that is being checked, and what it offers."""

from __future__ import annotations

import importlib
import json
import operator
from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from attrs import frozen
from bnnhw.topology import Topology

from bnncore.classifier import Classifier
from bnncore.conformance.outcome import CheckError
from bnncore.discovery.index import (
    BITSTREAMS,
    DATASETS,
    GROUPS,
    PARAMETERS,
    TOPOLOGIES,
    Claim,
    same_distribution,
)
from bnncore.discovery.names import canonical
from bnncore.discovery.registry import Registry
from bnncore.opening import open_classifier
from bnncore.records import Bitstream, Dataset, Parameters, Resource

__all__ = ["OfferedNetwork", "Subject"]


@frozen(kw_only=True)
class OfferedNetwork:
    """Parameters that the distribution offers, with what they are for."""

    dataset: Dataset
    topology: Topology
    parameters: Parameters

    @property
    def label(self) -> str:
        """Dataset and topology, as outcomes name them."""
        return f"{self.dataset.name} on {self.topology.name}"


class Subject:
    """An installed distribution with at least one entry point of bnncore.

    Args:
        name: of the distribution, in any spelling.

    Raises:
        CheckError: if it is not installed, or offers nothing.
    """

    def __init__(self, name: str) -> None:
        self.registry = Registry()
        try:
            self.distribution: Distribution = distribution(name)
        except PackageNotFoundError:
            plugins = sorted({claim.distribution for claim in self.registry.index.claims})
            raise CheckError(
                f"no distribution {name!r} is installed; installed plugins: {', '.join(plugins)}. For a project "
                "folder or a wheel, give its path"
            ) from None
        self.name: str = self.distribution.metadata["Name"]
        self.version = self.distribution.version
        self.claims: tuple[Claim, ...] = tuple(
            claim for claim in self.registry.index.claims if same_distribution(claim.distribution, self.name)
        )
        if not self.claims:
            raise CheckError(
                f"{self.name} {self.version} offers nothing to bnncore; declare an entry point in one of the "
                f"groups {', '.join(GROUPS)}"
            )

    def of(self, group: str) -> tuple[Claim, ...]:
        """Return its claims in one group."""
        return tuple(claim for claim in self.claims if claim.group == group)

    @property
    def packages(self) -> tuple[str, ...]:
        """Import names of the top-level packages that its entry points name."""
        return tuple(sorted({claim.value.partition(":")[0].strip().split(".")[0] for claim in self.claims}))

    @property
    def editable(self) -> bool:
        """Whether it is installed as a link to its sources, so that it may differ from its wheel."""
        return bool(self.origin.get("dir_info", {}).get("editable"))

    @property
    def folder(self) -> Path | None:
        """The project folder that it was installed from, if it is still there."""
        address = urlparse(self.origin.get("url", ""))
        path = Path(url2pathname(address.path))
        return path if address.scheme == "file" and path.is_dir() else None

    @property
    def origin(self) -> dict[str, Any]:
        """Where the installer had it from (PEP 610), or nothing."""
        text = self.distribution.read_text("direct_url.json")
        return json.loads(text) if text else {}

    @cached_property
    def plugins(self) -> dict[str, object]:
        """The plugin objects behind its entry points, imported."""
        return {claim.value: _import(claim.value) for claim in self.claims}

    @cached_property
    def datasets(self) -> tuple[Dataset, ...]:
        """The datasets that it offers."""
        return tuple(self.registry.dataset(claim.name) for claim in self.of(DATASETS))

    @cached_property
    def topologies(self) -> tuple[Topology, ...]:
        """The topologies that it offers."""
        return tuple(self.registry.topology(claim.declared) for claim in self.of(TOPOLOGIES))

    @cached_property
    def bitstreams(self) -> tuple[tuple[Claim, Bitstream], ...]:
        """The bitstreams that it offers, with their claims."""
        found = []
        for claim in self.of(BITSTREAMS):
            topology, _, board = claim.declared.partition(".")
            record = self.registry.bitstream(topology, board)
            if record is None:
                raise CheckError(
                    f"{self.name} declares bitstream {claim.declared!r} but its hook returned None for it"
                )
            found.append((claim, record))
        return tuple(found)

    @cached_property
    def networks(self) -> tuple[OfferedNetwork, ...]:
        """The parameters that it offers, for its own datasets and for others'."""
        found = []
        names = {canonical(claim.declared.partition(".")[0]) for claim in self.of(PARAMETERS)}
        for name in sorted(names | {claim.name for claim in self.of(DATASETS)}):
            dataset = self.registry.dataset(name)
            for topology, claims in self.registry.offers(dataset).claims.items():
                if any(same_distribution(claim.distribution, self.name) for claim in claims):
                    record = self.registry.topology(topology)
                    parameters = self.registry.parameters(dataset, record.name, self.name)
                    found.append(OfferedNetwork(dataset=dataset, topology=record, parameters=parameters))
        return tuple(found)

    def resources(self) -> Iterator[tuple[str, Resource]]:
        """Yield every file that its records declare, with what it is."""
        for dataset in self.datasets:
            yield f"classes of {dataset.name}", dataset.classes
            yield f"card of {dataset.name}", dataset.card
        for network in self.networks:
            yield f"parameters of {network.label}", network.parameters.resource
            if network.parameters.golden is not None:
                yield f"golden vectors of {network.label}", network.parameters.golden
        for claim, bitstream in self.bitstreams:
            # What users bring themselves is no business of the distribution.
            if isinstance(bitstream.bit, Resource):
                yield f"bitstream {claim.declared}", bitstream.bit
            if isinstance(bitstream.hwh, Resource):
                yield f"hand-off file of {claim.declared}", bitstream.hwh

    def open(self, network: OfferedNetwork, backend: str = "numpy") -> Classifier:
        """Return a classifier with parameters of this distribution."""
        return open_classifier(
            self.registry,
            network.dataset.name,
            topology=network.topology.name,
            source=self.name,
            backend=backend,
        )


def _import(value: str) -> object:
    module, _, attribute = value.partition(":")
    plugin: object = importlib.import_module(module.strip())
    return operator.attrgetter(attribute.strip())(plugin) if attribute.strip() else plugin
