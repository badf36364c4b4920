"""CUCUMBER-9: nine grades of cucumbers."""

from __future__ import annotations

from bnncore import Dataset, Parameters, Preprocessing, Step, hookimpl, packaged

__all__ = ["BNNCORE_API", "bnncore_dataset", "bnncore_parameters", "bnncore_preprocessing"]

BNNCORE_API = 1


@hookimpl
def bnncore_dataset(name: str) -> Dataset | None:
    """Return the dataset."""
    if name != "cucumber9":
        return None
    return Dataset(
        name=name,
        title="CUCUMBER-9: nine grades of cucumbers",
        classes=packaged(__name__, "classes.txt"),
        topologies=("cnvW1A1",),
        card=packaged(__name__, "card.json"),
    )


@hookimpl
def bnncore_parameters(dataset: str, topology: str) -> Parameters | None:
    """Return the weights that were trained for cnvW1A1."""
    if dataset != "cucumber9" or topology != "cnvW1A1":
        return None
    return Parameters(
        dataset=dataset,
        topology=topology,
        topology_digest="9875126fc29f9dd119e91eb7e5e5a38162287fd6974cff75cebfdd187664d7ff",
        resource=packaged(__name__, "weights.npz"),
        golden=packaged(__name__, "golden.npz"),
    )


@hookimpl
def bnncore_preprocessing(dataset: str, topology: str) -> Preprocessing | None:
    """Return how pictures were prepared for these weights."""
    return Preprocessing(steps=(Step(operation="fit"),)) if dataset == "cucumber9" else None
