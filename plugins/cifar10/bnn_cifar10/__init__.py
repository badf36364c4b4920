"""CIFAR-10: ten kinds of things in 32x32 colour pictures."""

from __future__ import annotations

from bnncore import Dataset, Parameters, Preprocessing, Step, hookimpl, packaged

__all__ = ["BNNCORE_API", "bnncore_dataset", "bnncore_parameters", "bnncore_preprocessing"]

BNNCORE_API = 1

# The first is taken where none is asked for: the smaller and faster one.
_DIGESTS = {
    "cnvW1A1": "9875126fc29f9dd119e91eb7e5e5a38162287fd6974cff75cebfdd187664d7ff",
    "cnvW1A2": "129cbe4f01e3799d2dd47faace2c58f54cd2c2040c976816fde0471218c380ce",
}
_FOLDERS = {"cnvW1A1": "", "cnvW1A2": "cnvW1A2/"}


@hookimpl
def bnncore_dataset(name: str) -> Dataset | None:
    """Return the dataset."""
    if name != "cifar10":
        return None
    return Dataset(
        name=name,
        title="CIFAR-10: ten kinds of things in 32x32 colour pictures",
        classes=packaged(__name__, "classes.txt"),
        topologies=tuple(_DIGESTS),
        card=packaged(__name__, "card.json"),
    )


@hookimpl
def bnncore_parameters(dataset: str, topology: str) -> Parameters | None:
    """Return the weights that were trained for a network."""
    if dataset != "cifar10" or topology not in _DIGESTS:
        return None
    folder = _FOLDERS[topology]
    return Parameters(
        dataset=dataset,
        topology=topology,
        topology_digest=_DIGESTS[topology],
        resource=packaged(__name__, f"{folder}weights.npz"),
        golden=packaged(__name__, f"{folder}golden.npz"),
    )


@hookimpl
def bnncore_preprocessing(dataset: str, topology: str) -> Preprocessing | None:
    """Return how pictures were prepared for these weights."""
    return Preprocessing(steps=(Step(operation="fit"),)) if dataset == "cifar10" else None
