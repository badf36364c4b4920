"""The registry: from a name to records. The typed face of index and plugins.

No method here imports numpy, PIL, cffi or pynq, and a method imports the one plugin that owns the
name asked for, no other.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any, TypeVar

from bnnhw.locks import new_rlock
from bnnhw.topology import Folding, Topology

from bnncore import environment
from bnncore.discovery.host import PluginHost, PluginWarning
from bnncore.discovery.index import Claim, Index
from bnncore.discovery.kinds import BACKEND, BITSTREAM, DATASET, TOPOLOGY, Kind
from bnncore.discovery.names import canonical
from bnncore.discovery.offers import Offers, find_offers
from bnncore.errors import PluginError, UnknownNameError
from bnncore.records import Backend, Bitstream, Dataset

__all__ = ["Registry"]

Record = TypeVar("Record")


class Registry:
    """Everything that the installed distributions offer.

    One registry serves a process (``bnncore.registry``); it may be used from several threads.
    """

    def __init__(self) -> None:
        self._lock = new_rlock()
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
            importlib.invalidate_caches()

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
        return self.rescan().names(DATASET)

    def topology_names(self) -> tuple[str, ...]:
        """Return the names of all topologies as their plugins spell them, sorted."""
        return tuple(sorted({claim.declared for claim in self.index.of(TOPOLOGY) if not claim.blocked}))

    def owner(self, kind: Kind, name: str) -> Claim:
        """Return the one claim of a name; see ``Index.owner``.

        A name that is missing is looked for once more in fresh metadata, so that an installation in a
        running notebook is seen.
        """
        try:
            return self.index.owner(kind, name)
        except UnknownNameError:
            return self.rescan().owner(kind, name)

    # -- describe: the owner's hooks ---------------------------------------------------------

    def ask(self, claim: Claim, kind: Kind, **arguments: str) -> Any:
        """Call the hook of a kind on the plugin behind a claim.

        Returns:
            The kind's record, of exactly the names that were asked for, or None.

        Raises:
            PluginError: if the plugin is broken, or returns something else.
        """
        record = self._host.call(claim, kind.hook, kind.record, **arguments)
        for part, asked in arguments.items():
            found = getattr(record, part, None)
            if isinstance(found, str) and canonical(found) != canonical(asked):
                of = "" if part == "name" else f"that of {part} "
                raise PluginError(
                    f"plugin {claim.owner} was asked for {kind.word} {'.'.join(arguments.values())!r} and returned "
                    f"{of}{found!r}"
                )
        return record

    def describe(self, claim: Claim) -> Any:
        """Return the record of what a claim offers, of its kind's type.

        Raises:
            PluginError: if the plugin is broken, or returns something else or None.
        """
        record = self.ask(claim, claim.kind, **claim.parts)
        if record is None:
            raise PluginError(
                f"plugin {claim.owner} declares {claim.kind.word} {claim.declared!r} but its hook "
                "returned None for it; update or uninstall it"
            )
        return record

    def plugin(self, claim: Claim) -> object:
        """Return the plugin behind a claim, imported, and not held to the contract: for who wants to see how it fails.

        Raises:
            PluginError: if it cannot be imported.
        """
        return self._host.plugin(claim)

    def condemn(self, claim: Claim, problem: str) -> None:
        """Let every use of the plugin behind a claim be a ``PluginError``; it is not imported."""
        self._host.condemn(claim, problem)

    def dataset(self, name: str) -> Dataset:
        """Return the record of a dataset.

        Raises:
            PluginError: if the name has no usable owner.
        """
        record: Dataset = self.describe(self.owner(DATASET, name))
        return record

    def topology(self, name: str) -> Topology:
        """Return the record of a topology.

        Raises:
            PluginError: if the name has no usable owner.
        """
        record: Topology = self.describe(self.owner(TOPOLOGY, name))
        return record

    def offers(self, dataset: Dataset) -> Offers:
        """Return who offers parameters of a dataset."""
        return find_offers(self.index, dataset, self.owner(DATASET, dataset.name))

    def bitstream(self, topology: str, board: str) -> Bitstream | None:
        """Return the accelerator of a topology for a board, or None if nobody offers one."""
        name = f"{canonical(topology)}.{canonical(board)}"
        index = self.index
        record: Bitstream | None = None
        if index.of(BITSTREAM, name):
            record = self.describe(index.owner(BITSTREAM, name))
        return record

    def folding(self, topology: str) -> Folding | None:
        """Return the folding in which binparam folders of a topology are written, or None if nobody says.

        It is that of a bitstream: BNN-PYNQ's own where there is one, since its folders are what people have.
        """
        prefix = f"{canonical(topology)}."
        claims = [
            each for each in self.index.of(BITSTREAM) if each.name.startswith(prefix) and not each.blocked
        ]
        for claim in sorted(claims, key=lambda each: not each.own):
            record: Bitstream = self.describe(claim)
            return record.folding
        return None

    def backend(self, name: str) -> Backend:
        """Return the record of a backend.

        Raises:
            PluginError: if the name has no usable owner.
        """
        record: Backend = self.describe(self.owner(BACKEND, name))
        return record

    def backends(self, *, warn: bool = True) -> tuple[Backend, ...]:
        """Return every usable backend, highest priority first; broken ones are warned of once, if at all."""
        found = [record for name in self.index.names(BACKEND) if (record := self._try_backend(name, warn))]
        return tuple(sorted(found, key=lambda record: (-record.priority, record.name)))

    def broken_backends(self) -> tuple[tuple[Claim, PluginError], ...]:
        """Return who offers the backends that ``backends`` leaves out, and why; what is blocked is not among them."""
        found = []
        for name in self.index.names(BACKEND):
            try:
                self.backend(name)
            except PluginError as error:
                claims = [claim for claim in self.index.of(BACKEND, name) if not claim.blocked]
                found += [(claim, error) for claim in claims]
        return tuple(found)

    def rescan(self) -> Index:
        """Read the metadata again, and return them; plugins that were imported stay as they are."""
        with self._lock:
            if self._index is not None:
                # What was installed since shall be importable, too. The first time, nothing was looked for yet.
                importlib.invalidate_caches()
            self._index = Index.scan()
            return self._index

    # ------------------------------------------------------------------------------------------

    def warn(self, error: PluginError) -> None:
        """Warn of a plugin that is left out, once; raise instead under ``BNNCORE_STRICT=1``."""
        if environment.STRICT.value not in ("", "0"):
            raise error
        with self._lock:
            if str(error) in self._warned:
                return
            self._warned.add(str(error))
        warnings.warn(str(error), PluginWarning, stacklevel=3)

    def _try_backend(self, name: str, warn: bool) -> Backend | None:
        try:
            return self.backend(name)
        except PluginError as error:
            if warn:
                self.warn(error)
            return None
