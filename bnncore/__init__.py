"""A plugin-based registry of binarized neural networks.

>>> import bnncore
>>> bnncore.names()
('cifar10', 'cucumber9', 'mnist_lfc')
>>> bnncore.get("cucumber9").classify("examples/cucumber.png").label
'M'

The same call gives the same integers on a CPU and on a PYNQ board's FPGA. Datasets, networks,
bitstreams and backends come as installed packages; ``bnncore.hookspecs`` is their contract.
"""

from __future__ import annotations

# Before all others: where this process is the command, Ctrl-C may come while they are imported.
from bnncore import interrupts  # noqa: F401

# isort: split
import os
from collections.abc import Sequence

from bnnhw.topology import Conv, Dense, Folding, Input, Pool, Topology

from bnncore.classifier import Classifier, SelftestError
from bnncore.deprecation import SOURCE, renamed_keyword
from bnncore.discovery.host import PluginWarning
from bnncore.discovery.registry import Registry
from bnncore.errors import (
    AmbiguousError,
    BackendError,
    BlockedError,
    BnnError,
    ConflictError,
    InputError,
    NetworkError,
    ParameterError,
    PluginError,
    ResourceError,
    SettingError,
    TopologyError,
    UnknownNameError,
)
from bnncore.hookspecs import hookimpl
from bnncore.opening import load_classifier, open_classifier
from bnncore.options import Options
from bnncore.prediction import Prediction, Predictions
from bnncore.records import Backend, Bitstream, Dataset, Parameters, Preprocessing, Resource, Step
from bnncore.resources import packaged

__all__ = [
    "AmbiguousError",
    "Backend",
    "BackendError",
    "Bitstream",
    "BlockedError",
    "BnnError",
    "Classifier",
    "ConflictError",
    "Conv",
    "Dataset",
    "Dense",
    "Folding",
    "Input",
    "InputError",
    "NetworkError",
    "Options",
    "ParameterError",
    "Parameters",
    "PluginError",
    "PluginWarning",
    "Pool",
    "Prediction",
    "Predictions",
    "Preprocessing",
    "Resource",
    "ResourceError",
    "SelftestError",
    "SettingError",
    "Step",
    "Topology",
    "TopologyError",
    "UnknownNameError",
    "__version__",
    "get",
    "hookimpl",
    "load",
    "names",
    "packaged",
    "registry",
]

__version__ = "0.1.0"

registry = Registry()
"""What the installed distributions offer; one for the process."""


def names() -> tuple[str, ...]:
    """Return the names of all installed datasets, sorted, without importing any plugin.

    >>> bnncore.names()
    ('cifar10', 'cucumber9', 'mnist_lfc')
    """
    return registry.names()


@renamed_keyword(SOURCE)
def get(
    name: str,
    backend: str = "auto",
    *,
    topology: str | None = None,
    distribution: str | None = None,
    board: str | None = None,
    threads: int | None = None,
    bitstreams: str | os.PathLike[str] | None = None,
) -> Classifier:
    """Return a classifier for an installed dataset.

    Only the plugin that owns the name is imported; numpy, weights and devices wait for the first picture.

    Args:
        name: of the dataset; case does not matter, ``-`` is ``_``. Never a path: see ``load``.
        backend: ``auto`` takes the FPGA where a board and a fitting bitstream exist, else the CPU; ``numpy``,
            ``cpu``, ``fpga`` or a plugin's take that one or raise.
        topology: one of those that the dataset is offered on; None for its first.
        distribution: that shall supply the parameters, where several offer some for this dataset; None for the
            dataset's own.
        board: for ``fpga``, the name of the board, or None for the one at hand.
        threads: most threads to use; None for the default.
        bitstreams: for ``fpga``, the folder where you keep bitstreams; None for the one that
            ``BNNCORE_BITSTREAMS`` names, if any.

    Raises:
        UnknownNameError: if nobody offers the name.
        ConflictError: if two distributions do.
        AmbiguousError: if topology or distribution leave several choices, or none; the message has them.
        PluginError: if its plugin is broken.
        ParameterError: if its parameters are for another topology.

    >>> bnncore.get("cucumber9").classify("examples/cucumber.png").label
    'M'
    """
    options = Options(backend=backend, board=board, threads=threads, bitstreams=bitstreams)
    return open_classifier(registry, name, options, topology=topology, distribution=distribution)


def load(
    path: str | os.PathLike[str],
    *,
    topology: str | Topology | None = None,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    backend: str = "auto",
    board: str | None = None,
    threads: int | None = None,
    bitstreams: str | os.PathLike[str] | None = None,
) -> Classifier:
    """Return a classifier for parameters in a file or folder, without a plugin.

    Args:
        path: an ``.npz`` file of bnncore, or a binparam directory of BNN-PYNQ.
        topology: name or record. An ``.npz`` says it; a directory is named after it.
        classes: class names, where the file has none or others are wanted.
        preprocessing: how pictures become inputs, where that of the file is not wanted. An ``.npz`` of version 2 says
            it; else it is a letterbox, or digits for one-bit grey.
        backend: as in ``get``.
        board: as in ``get``.
        threads: as in ``get``.
        bitstreams: as in ``get``.

    Raises:
        ParameterError: if anything in it is not as it should be; nothing is used then.

    >>> bnncore.load("params/cifar10/cnvW1A1").classify("examples/ship.png").label
    'Ship'
    """
    options = Options(backend=backend, board=board, threads=threads, bitstreams=bitstreams)
    return load_classifier(
        registry, path, options, topology=topology, classes=classes, preprocessing=preprocessing
    )
