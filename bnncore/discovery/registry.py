"""The registry: from a name to records. The typed face of index and plugins.

No method here imports numpy, PIL, cffi or pynq, and a method imports the one plugin that owns the
name asked for, no other.
"""

from __future__ import annotations

import difflib
import os
import threading
import warnings
from typing import TypeVar

from bnnhw.topology import Topology

from bnncore.discovery.host import PluginHost, PluginWarning
from bnncore.discovery.index import BACKENDS, BITSTREAMS, DATASETS, PARAMETERS, TOPOLOGIES, Claim, Index
from bnncore.discovery.names import canonical
from bnncore.discovery.offers import Offers, find_offers
from bnncore.errors import AmbiguousError, BlockedError, ConflictError, PluginError, UnknownNameError
from bnncore.records import Backend, Bitstream, Dataset, Parameters, Preprocessing

__all__ = ["Registry"]

Record = TypeVar("Record")

_KIND = {
    DATASETS: "dataset",
    TOPOLOGIES: "topology",
    BITSTREAMS: "bitstream",
    BACKENDS: "backend",
    PARAMETERS: "parameters",
}


class Registry:
    """Everything that the installed distributions offer.

    One registry serves a process (``bnncore.registry``); it may be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._host = PluginHost()
        self._warned: set[str] = set()

    # -- names: metadata alone ---------------------------------------------------------------

    def refresh(self) -> None:
        """Forget the index and every failure, so that the next call sees what is installed now."""
        with self._lock:
            self._index = None
            self._host = PluginHost()
            self._warned.clear()

    @property
    def index(self) -> Index:
        """The index as last scanned."""
        with self._lock:
            if self._index is None:
                self._index = Index.scan()
            return self._index

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with installed plugins, as far as it is known without importing more."""
        return (*self.index.faults, *(str(error) for error in self._host.faults))

    def names(self) -> tuple[str, ...]:
        """Return the names of all datasets that are not blocked, sorted; imports no plugin.

        Metadata are read afresh, so that what was installed or removed meanwhile shows.
        """
        with self._lock:
            self._index = Index.scan()
            return self._index.names(DATASETS)

    def topology_names(self) -> tuple[str, ...]:
        """Return the names of all topologies as their plugins spell them, sorted."""
        return tuple(sorted({claim.declared for claim in self.index.of(TOPOLOGIES) if not claim.blocked}))

    def owner(self, group: str, name: str) -> Claim:
        """Return the one claim of a name.

        A name that is missing is looked for once more in fresh metadata, so that an installation in a
        running notebook is seen.

        Raises:
            UnknownNameError: if nobody offers it; the message has close names and a hint.
            ConflictError: if several distributions do, naming each with its version.
            BlockedError: if its distribution is blocked.
        """
        name = canonical(name)
        claims = self.index.of(group, name)
        if not claims:
            self.rescan()
            claims = self.index.of(group, name)
        if not claims:
            raise self._unknown(group, name)
        free = [claim for claim in claims if not claim.blocked]
        if not free:
            claim = claims[0]
            raise BlockedError(f"{_KIND[group]} {name!r} of {claim.owner} is blocked: {claim.blocked}")
        if len(free) > 1:
            owners = " and ".join(f"{claim.owner} ({claim.value})" for claim in free)
            raise ConflictError(
                f"{_KIND[group]} {name!r} is offered by {owners}; uninstall all but one, or set "
                f"BNNCORE_DISABLE={free[-1].distribution}"
            )
        return free[0]

    # -- describe: the owner's hooks ---------------------------------------------------------

    def dataset(self, name: str) -> Dataset:
        """Return the record of a dataset.

        Raises:
            PluginError: if the name has no usable owner.
        """
        claim = self.owner(DATASETS, name)
        record = self._host.call(claim, "bnncore_dataset", Dataset, name=claim.name)
        return self._named(claim, record, record.name if record else None)

    def topology(self, name: str) -> Topology:
        """Return the record of a topology.

        Raises:
            PluginError: if the name has no usable owner.
        """
        claim = self.owner(TOPOLOGIES, name)
        record = self._host.call(claim, "bnncore_topology", Topology, name=claim.declared)
        return self._named(claim, record, record.name if record else None)

    def parameters(self, dataset: Dataset, topology: str, source: str | None = None) -> Parameters:
        """Return the parameters of a dataset on one of its topologies.

        Args:
            dataset: its record.
            topology: name of the topology.
            source: distribution that shall supply them; None for the dataset's own plugin, or
                for the only one that offers them.

        Raises:
            AmbiguousError: if nobody, not the source, or without a source several others offer them.
            PluginError: if the plugin offers none after all, or those of something else.
        """
        claim = self.offers(dataset).choose_owner(topology, source)
        name = canonical(dataset.name)
        record = self._host.call(claim, "bnncore_parameters", Parameters, dataset=name, topology=topology)
        if record is None:
            raise PluginError(f"plugin {claim.owner} offers no parameters of {dataset.name!r} for {topology!r}")
        if canonical(record.dataset) != name or canonical(record.topology) != canonical(topology):
            raise PluginError(
                f"plugin {claim.owner} was asked for parameters of {name!r} for {topology!r} and returned "
                f"those of {record.dataset!r} for {record.topology!r}"
            )
        return record

    def offers(self, dataset: Dataset) -> Offers:
        """Return who offers parameters of a dataset."""
        return find_offers(self.index, dataset, self.owner(DATASETS, dataset.name))

    def preprocessing(self, dataset: Dataset, topology: str, source: str | None = None) -> Preprocessing | None:
        """Return how pictures were prepared for the parameters, or None for the default; see ``prepared``."""
        found = self.prepared(dataset, topology, source)
        return None if found is None else found[1]

    def prepared(
        self, dataset: Dataset, topology: str, source: str | None = None
    ) -> tuple[Claim, Preprocessing] | None:
        """Return who says how pictures were prepared for the parameters, and how; None for the default.

        The plugin of the parameters is asked first, since they were trained that way, then the dataset's.
        """
        name = canonical(dataset.name)
        offers = self.offers(dataset)
        for claim in dict.fromkeys((offers.choose_owner(topology, source), offers.own)):
            record = self._host.call(
                claim, "bnncore_preprocessing", Preprocessing, dataset=name, topology=topology
            )
            if record is not None:
                return claim, record
        return None

    def bitstream(self, topology: str, board: str) -> Bitstream | None:
        """Return the accelerator of a topology for a board, or None if nobody offers one."""
        name = f"{canonical(topology)}.{canonical(board)}"
        if not self.index.of(BITSTREAMS, name):
            return None
        claim = self.owner(BITSTREAMS, name)
        topology, _, board = claim.declared.partition(".")
        return self._host.call(claim, "bnncore_bitstream", Bitstream, topology=topology, board=board)

    def backend(self, name: str) -> Backend:
        """Return the record of a backend.

        Raises:
            PluginError: if the name has no usable owner.
        """
        claim = self.owner(BACKENDS, name)
        record = self._host.call(claim, "bnncore_backend", Backend, name=claim.name)
        return self._named(claim, record, record.name if record else None)

    def backends(self) -> tuple[Backend, ...]:
        """Return every usable backend, highest priority first; broken ones are warned of once."""
        found = [record for name in self.index.names(BACKENDS) if (record := self._try_backend(name))]
        return tuple(sorted(found, key=lambda record: (-record.priority, record.name)))

    def choose_topology(self, dataset: Dataset, topology: str | None, source: str | None = None) -> str:
        """Return the asked topology of a dataset, or its first, as its plugin spells it.

        Args:
            dataset: its record.
            topology: asked for, or None.
            source: distribution that shall supply the parameters, or None for any.

        Raises:
            AmbiguousError: if it is not offered, or none is asked for and the source offers several but not
                the dataset's first; the message has the choices.
        """
        try:
            return self.offers(dataset).choose_topology(topology, source)
        except AmbiguousError:
            # It may have been installed since the index was read.
            self.rescan()
            return self.offers(dataset).choose_topology(topology, source)

    def rescan(self) -> None:
        """Read the metadata again; plugins that were imported stay as they are."""
        with self._lock:
            self._index = Index.scan()

    # ------------------------------------------------------------------------------------------

    def warn(self, error: PluginError) -> None:
        """Warn of a plugin that is left out, once; raise instead under ``BNNCORE_STRICT=1``."""
        if os.environ.get("BNNCORE_STRICT", "") not in ("", "0"):
            raise error
        with self._lock:
            if str(error) in self._warned:
                return
            self._warned.add(str(error))
        warnings.warn(str(error), PluginWarning, stacklevel=3)

    def _try_backend(self, name: str) -> Backend | None:
        try:
            return self.backend(name)
        except PluginError as error:
            self.warn(error)
            return None

    def _named(self, claim: Claim, record: Record | None, name: str | None) -> Record:
        if record is None or name is None:
            raise PluginError(
                f"plugin {claim.owner} declares {_KIND[claim.group]} {claim.declared!r} but its hook "
                "returned None for it; update or uninstall it"
            )
        if canonical(name) != claim.name:
            raise PluginError(
                f"plugin {claim.owner} was asked for {_KIND[claim.group]} {claim.declared!r} and returned {name!r}"
            )
        return record

    def _unknown(self, group: str, name: str) -> UnknownNameError:
        kind = _KIND[group]
        known = self.index.names(group)
        close = difflib.get_close_matches(name, known)
        if close:
            hint = f"did you mean {' or '.join(repr(each) for each in close)}?"
        elif known:
            hint = f"installed: {', '.join(known)}"
        else:
            hint = "none is installed"
        if group == DATASETS:
            hint += f". If a distribution offers it: pip install bnn-{name.replace('_', '-')}"
        return UnknownNameError(f"no installed distribution offers {kind} {name!r}; {hint}")
