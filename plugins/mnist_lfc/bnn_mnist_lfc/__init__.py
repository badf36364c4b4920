"""MNIST: handwritten digits on the fully connected network."""

from __future__ import annotations

from bnncore import Dataset, Parameters, Preprocessing, Step, hookimpl, packaged

__all__ = ["BNNCORE_API", "bnncore_dataset", "bnncore_parameters", "bnncore_preprocessing"]

BNNCORE_API = 1


@hookimpl
def bnncore_dataset(name: str) -> Dataset | None:
    """Return the dataset."""
    if name != "mnist_lfc":
        return None
    return Dataset(
        name=name,
        title="MNIST: handwritten digits on the fully connected network",
        classes=packaged(__name__, "classes.txt"),
        topologies=("lfcW1A1",),
        card=packaged(__name__, "card.json"),
    )


@hookimpl
def bnncore_parameters(dataset: str, topology: str) -> Parameters | None:
    """Return the weights that were trained for lfcW1A1."""
    if dataset != "mnist_lfc" or topology != "lfcW1A1":
        return None
    return Parameters(
        dataset=dataset,
        topology=topology,
        topology_digest="54fac22233db12e86fbb819c6d58396ab1db351f3781f40b3baca6eab581cf87",
        resource=packaged(__name__, "weights.npz"),
        golden=packaged(__name__, "golden.npz"),
    )


@hookimpl
def bnncore_preprocessing(dataset: str, topology: str) -> Preprocessing | None:
    """Return how pictures were prepared for these weights."""
    return Preprocessing(steps=(Step(operation="digit"),)) if dataset == "mnist_lfc" else None
