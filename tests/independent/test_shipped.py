"""The networks of this repository's plugins, against another library and against digests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from bnnhw.network import Network
from independent.recorded import digest_of_scores, made_pictures

import bnncore

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

# Digests of the scores in each file of golden vectors, and of the scores for our made pictures, both computed by
# ``independent_scores``. They change when a plugin's weights do, and never else.
SCORES = {
    "cifar10/cnvW1A1": (
        "41464dacf0988f0c840a20465e5c1b8fde93662fb2c75c4d6aa5cda10b0209fb",
        "b42fd3a6b3c518081618b8d7bb7e928532dbde2fb0d2d300c61685d51175d5b1",
    ),
    "cifar10/cnvW1A2": (
        "fd1add19b958487632869c081f5965cd50b09c2751e1acd3ca00f893249135a1",
        "8bf388c2d9bdd9876aab9940f89fc6dd88c698855e1e927051ed10572021691c",
    ),
    "cucumber9/cnvW1A1": (
        "7ca11646f50b26179c5927f1851dbb0bb7302da834192976cae82fb11e4a3b0a",
        "0e90253e1b62b81b7a603e570421dd2fa508b710b9331d5505b02fa4a44798b1",
    ),
    "mnist_lfc/lfcW1A1": (
        "c6001462328d57c3c551c13bd0242f193f350b6b90df3df81c9ac1de8fade2f1",
        "48a54af4f5279096cad43a5044457b6195b9f9b3504098073c04446bdb1f6058",
    ),
}


def parts(name: str) -> tuple[str, str]:
    dataset, topology = name.split("/")
    return dataset, topology


def golden(name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    dataset, topology = parts(name)
    package = ROOT / "plugins" / dataset / f"bnn_{dataset}"
    # The first network's files lie in the package itself, those of others in a folder of the network's name.
    folder = package / topology if (package / topology).is_dir() else package
    with np.load(folder / "golden.npz") as file:
        return file["inputs"], file["scores"]


def network(name: str) -> Network:
    dataset, topology = parts(name)
    return bnncore.get(dataset, "numpy", topology=topology).network


def test_every_network_of_the_plugins_is_here() -> None:
    plugins = [path.parent.parent.name for path in ROOT.glob("plugins/*/*/manifest.json")]
    shipped = {
        f"{name}/{topology}" for name in plugins for topology in bnncore.registry.dataset(name).topologies
    }
    assert set(SCORES) == shipped


@pytest.mark.parametrize("name", SCORES)
def test_golden_vectors_are_those_that_were_recorded(name: str) -> None:
    assert digest_of_scores(golden(name)[1]) == SCORES[name][0]


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("name", SCORES)
def test_backends_give_the_recorded_scores(name: str, backend: str) -> None:
    dataset, topology = parts(name)
    with bnncore.get(dataset, backend, topology=topology) as classifier:
        try:
            found = classifier.scores(made_pictures(classifier.topology.input))
        except bnncore.BackendError as error:
            if backend == "numpy":
                raise
            pytest.skip(str(error))
    assert found.dtype == np.int32
    assert digest_of_scores(found) == SCORES[name][1]


@pytest.mark.parametrize("name", SCORES)
def test_another_library_gives_the_golden_vectors_and_the_recorded_scores(name: str) -> None:
    # Not at the top: without torch, the digests are still compared.
    from independent.evaluator import independent_scores

    inputs, expected = golden(name)
    found = independent_scores(network(name), inputs)
    np.testing.assert_array_equal(found, expected)
    made = made_pictures(network(name).topology.input)
    classes = len(bnncore.get(parts(name)[0]).classes)
    assert digest_of_scores(independent_scores(network(name), made)[:, :classes]) == SCORES[name][1]
