"""The whole contract between bnncore and a plugin, on one screen.

A plugin is a module named by entry points in the groups ``bnncore.datasets``, ``bnncore.topologies``,
``bnncore.bitstreams`` (``<topology>.<board>``), ``bnncore.backends`` and ``bnncore.parameters``
(``<dataset>.<topology>``, for parameters of somebody else's dataset); the entry point's name is the id. It
implements those of these hooks that it needs, decorated with ``bnncore.hookimpl``, without default values,
and returns None for names that are not its own. A hook is called only on the plugin that owns the name.
Hooks run in the step "describe": they return records, and import neither numpy, PIL, cffi nor pynq.

A module may state ``BNNCORE_API = 1``, the level of this contract it was written for.
"""

from __future__ import annotations

import pluggy
from bnnhw.topology import Topology

from bnncore.records import Backend, Bitstream, Dataset, Parameters, Preprocessing

__all__ = ["API_LEVEL", "PROJECT", "Hooks", "hookimpl"]

PROJECT = "bnncore"
API_LEVEL = 1

hookimpl = pluggy.HookimplMarker(PROJECT)
_hookspec = pluggy.HookspecMarker(PROJECT)


class Hooks:
    """The hooks; each returns None for a name that the plugin does not own."""

    @_hookspec(firstresult=True)
    def bnncore_dataset(self, name: str) -> Dataset | None:
        """Return the dataset of that canonical name."""

    @_hookspec(firstresult=True)
    def bnncore_parameters(self, dataset: str, topology: str) -> Parameters | None:
        """Return the parameters of a dataset on a topology."""

    @_hookspec(firstresult=True)
    def bnncore_preprocessing(self, dataset: str, topology: str) -> Preprocessing | None:
        """Return how pictures become inputs; None for the default of the topology's input."""

    @_hookspec(firstresult=True)
    def bnncore_topology(self, name: str) -> Topology | None:
        """Return the topology of that name."""

    @_hookspec(firstresult=True)
    def bnncore_bitstream(self, topology: str, board: str) -> Bitstream | None:
        """Return the accelerator of a topology for a board."""

    @_hookspec(firstresult=True)
    def bnncore_backend(self, name: str) -> Backend | None:
        """Return the backend of that name."""
