"""The kinds of what a distribution can offer: one row each, and everything that goes by kinds reads this table.

A new kind is a hook in ``bnncore.hookspecs``, its record, a row here, a folder of ``bnncore.publishing.templates`` and
a page in ``docs/hooks``. A test holds rows and hooks together.
"""

from __future__ import annotations

from typing import NamedTuple

from bnnhw.topology import Topology

from bnncore.records import Backend, Bitstream, Dataset, Parameters, Preprocessing

__all__ = [
    "BACKEND",
    "BITSTREAM",
    "DATASET",
    "PARAMETERS",
    "PREPROCESSING",
    "TOPOLOGY",
    "Kind",
    "hook_names",
    "kind_of",
    "kinds",
    "offered_kinds",
]


# Made at every start, as bnnhw.environment.Variable.
class Kind(NamedTuple):
    """One kind of offer.

    Attributes:
        word: for people, and for ``bnncore new --kind``.
        hook: that describes it; its arguments are ``parts``.
        record: type of what the hook returns.
        parts: of an entry point's name, with dots between, as the hook's arguments are called.
        spelt: those parts that the hook is given as the entry point spells them, the others in canonical form.
        group: of entry points; None for what goes with another offer and has no name of its own.
        shared: whether any number of distributions may offer the same name.
    """

    word: str
    hook: str
    record: type
    parts: tuple[str, ...]
    spelt: tuple[str, ...] = ()
    group: str | None = None
    shared: bool = False

    @property
    def form(self) -> str:
        """What the name of an entry point looks like, in words."""
        return ".".join(f"<{part}>" for part in self.parts) if len(self.parts) > 1 else "a name without a dot"


DATASET = Kind(
    word="dataset", group="bnncore.datasets", hook="bnncore_dataset", record=Dataset, parts=("name",)
)
# Further parameters for somebody else's dataset; a dataset's own come with it.
PARAMETERS = Kind(
    word="parameters",
    group="bnncore.parameters",
    hook="bnncore_parameters",
    record=Parameters,
    parts=("dataset", "topology"),
    spelt=("topology",),
    shared=True,
)
# Goes with the parameters that were trained that way.
PREPROCESSING = Kind(
    word="preprocessing",
    hook="bnncore_preprocessing",
    record=Preprocessing,
    parts=("dataset", "topology"),
    spelt=("topology",),
)
TOPOLOGY = Kind(
    word="topology",
    group="bnncore.topologies",
    hook="bnncore_topology",
    record=Topology,
    parts=("name",),
    spelt=("name",),
)
BITSTREAM = Kind(
    word="bitstream",
    group="bnncore.bitstreams",
    hook="bnncore_bitstream",
    record=Bitstream,
    parts=("topology", "board"),
    spelt=("topology", "board"),
)
BACKEND = Kind(
    word="backend", group="bnncore.backends", hook="bnncore_backend", record=Backend, parts=("name",)
)

_TABLE = (DATASET, PARAMETERS, PREPROCESSING, TOPOLOGY, BITSTREAM, BACKEND)


def kinds() -> tuple[Kind, ...]:
    """Return every kind."""
    return _TABLE


def hook_names() -> tuple[str, ...]:
    """Return the names of all hooks of the contract."""
    return tuple(kind.hook for kind in _TABLE)


def offered_kinds() -> tuple[Kind, ...]:
    """Return the kinds that have names of their own, and so a group of entry points."""
    return tuple(kind for kind in _TABLE if kind.group is not None)


def kind_of(group: str) -> Kind:
    """Return the kind of a group of entry points.

    Raises:
        KeyError: if there is none.
    """
    for kind in _TABLE:
        if kind.group is not None and kind.group == group:
            return kind
    raise KeyError(group)
