"""The distribution that is being checked, and what it offers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from importlib.metadata import Distribution, PackagePath
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from bnnhw.topology import Topology

from bnncore.classifier import Classifier
from bnncore.conformance.reporting import CheckError
from bnncore.discovery.blocklist import same_distribution
from bnncore.discovery.entry_points import Entry
from bnncore.discovery.imports import module_of
from bnncore.discovery.index import Claim
from bnncore.discovery.installed import find_installed, read_installed
from bnncore.discovery.kinds import BITSTREAM, DATASET, TOPOLOGY, Kind, offered_kinds
from bnncore.discovery.registry import Registry
from bnncore.discovery.resolve import Resolution, offered_by
from bnncore.opening import open_resolved
from bnncore.options import Options
from bnncore.plain_text import shown
from bnncore.records import Bitstream, Dataset, Resource

__all__ = ["Subject", "label"]


def label(found: Resolution) -> str:
    """Return dataset and topology, as findings name the parameters of one."""
    return f"{found.dataset.name} on {found.topology.name}"


class Subject:
    """An installed distribution with at least one entry point of bnncore.

    Args:
        name: of the distribution, in any spelling.
        registry: to look it up in; None for a fresh one.

    Raises:
        CheckError: if it is not installed, or offers nothing.
    """

    def __init__(self, name: str, registry: Registry | None = None) -> None:
        self.registry = registry or Registry()
        found = find_installed(name)
        if found is None:
            plugins = sorted({claim.distribution for claim in self.registry.index.claims})
            raise CheckError(
                f"no distribution {shown(name)} is installed; installed plugins: {', '.join(plugins)}. For a project "
                "folder or a wheel, give its path"
            )
        self.name = found.name
        self.version = found.version
        self.entries: tuple[Entry, ...] = found.entries
        self.distribution: Distribution = found.metadata()
        self.origin: dict[str, Any] = found.origin()
        self.claims: tuple[Claim, ...] = tuple(
            claim for claim in self.registry.index.claims if same_distribution(claim.distribution, self.name)
        )
        self.faults = (
            *(each for each in self.registry.index.faults if each.startswith(f"{self.name} ")),
            *(
                each.text
                for each in read_installed(thorough=True).faults
                if same_distribution(each.distribution, self.name)
            ),
        )
        if not self.claims and not self.faults:
            groups = ", ".join(str(kind.group) for kind in offered_kinds())
            raise CheckError(
                f"{self.name} {self.version} offers nothing to bnncore; declare an entry point in one of the "
                f"groups {groups}"
            )

    @property
    def owner(self) -> str:
        """Name and version, as a ``Claim`` has them."""
        return f"{self.name} {self.version}"

    def of(self, kind: Kind) -> tuple[Claim, ...]:
        """Return its claims of one kind."""
        return tuple(claim for claim in self.claims if claim.kind == kind)

    @property
    def metadata(self) -> Any:
        """The headers of its metadata.

        Raises:
            CheckError: if they cannot be read.
        """
        try:
            return self.distribution.metadata
        except ValueError as error:
            raise CheckError(f"its METADATA cannot be read: {error}; build it anew") from error

    @property
    def files(self) -> list[PackagePath]:
        """What its installer has written, by its RECORD.

        Raises:
            CheckError: if there is none, or it cannot be read.
        """
        try:
            files = self.distribution.files
        except Exception as error:
            # Anything may stand in it, and every version of Python reads it otherwise.
            raise CheckError(f"its RECORD cannot be read: {error}; reinstall it") from error
        if files is None:
            raise CheckError("its RECORD is missing; reinstall it")
        return files

    @property
    def packages(self) -> tuple[str, ...]:
        """Import names of the top-level packages that its entry points name."""
        return tuple(sorted({module_of(claim.value).split(".")[0] for claim in self.claims}))

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

    @cached_property
    def plugins(self) -> dict[str, object]:
        """The plugin objects behind its entry points, imported."""
        return {claim.value: self.registry.plugin(claim) for claim in self.claims}

    @cached_property
    def datasets(self) -> tuple[Dataset, ...]:
        """The datasets that it offers."""
        return tuple(self.registry.dataset(claim.name) for claim in self.of(DATASET))

    @cached_property
    def topologies(self) -> tuple[Topology, ...]:
        """The topologies that it offers."""
        return tuple(self.registry.topology(claim.declared) for claim in self.of(TOPOLOGY))

    @cached_property
    def bitstreams(self) -> tuple[tuple[Claim, Bitstream], ...]:
        """The bitstreams that it offers, with their claims."""
        return tuple((claim, self.registry.describe(claim)) for claim in self.of(BITSTREAM))

    @cached_property
    def networks(self) -> tuple[Resolution, ...]:
        """What the parameters that it offers, for its own datasets and for others', are resolved to."""
        return tuple(offered_by(self.registry, self.name))

    def resources(self) -> Iterator[tuple[str, Resource]]:
        """Yield every file that its records declare, with what it is."""
        for dataset in self.datasets:
            yield f"classes of {dataset.name}", dataset.classes
            yield f"card of {dataset.name}", dataset.card
        for network in self.networks:
            yield f"parameters of {label(network)}", network.parameters.resource
            if network.parameters.golden is not None:
                yield f"golden vectors of {label(network)}", network.parameters.golden
        for claim, bitstream in self.bitstreams:
            # What users bring themselves is no business of the distribution.
            if isinstance(bitstream.bit, Resource):
                yield f"bitstream {claim.declared}", bitstream.bit
            if isinstance(bitstream.hwh, Resource):
                yield f"hand-off file of {claim.declared}", bitstream.hwh

    def open(self, network: Resolution, backend: str = "numpy") -> Classifier:
        """Return a classifier with parameters of this distribution."""
        return open_resolved(self.registry, network, Options(backend=backend))
