"""The shared hardware layer of bnncore: what executes a binarized network.

It knows networks and machines, and nothing of plugins. Modules, in the order data flows:
``topology`` (records and units, no numpy), ``network`` (a topology with parameters), ``reference`` (the
exact meaning, in numpy), ``folding`` (words of an accelerator), ``executor`` (what every backend offers),
``cpu`` and ``fpga`` (the machines), ``outputs`` (which class wins).
"""

from __future__ import annotations

from bnnhw.errors import BackendError, BnnError, InputError, NetworkError, TopologyError
from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology

__all__ = [
    "BackendError",
    "BnnError",
    "Conv",
    "Dense",
    "Folding",
    "Input",
    "InputError",
    "NetworkError",
    "Pool",
    "Topology",
    "TopologyError",
    "__version__",
]

__version__ = "0.1.0"
