"""BNN-PYNQ's published parameter sets, without any file of recorded outputs: digests stand for them.

``BNNCORE_TEST_DATA`` may name a checkout of BNN-PYNQ (commit d39c1c7), which holds the sets. With MNIST's test images
in its subfolder ``data/mnist``, the original's own answers to some of them are compared as well.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from attrs import frozen
from bnnhw.network import LayerParameters, Network
from bnnhw.reference import scores
from independent.recorded import digest_of_files, digest_of_scores, made_pictures

import bnncore
from bnncore.builtin.topologies import FOLDINGS, TOPOLOGIES
from bnncore.formats.binparam import read_binparam

pytestmark = pytest.mark.slow


@frozen(kw_only=True)
class Published:
    """What is known of one parameter set.

    Attributes:
        files: digest of its files.
        accumulators: digest of what the last layer adds up for our pictures, by ``independent_scores``.
        original: of MNIST's sets, digest of BNN-PYNQ's own output bits of the ten classes for ``MNIST_IMAGES``.
    """

    files: str
    accumulators: str
    original: str | None = None


SETS = {
    "cifar10/cnvW1A1": Published(
        files="008c786484c22274d93c76457367d3a197ce22375efbb8adab892b3beec0f5e4",
        accumulators="8d9df214778c1eca1df96470df76e79c9741ef44e3ab8e370bab73aa4802c680",
    ),
    "cifar10/cnvW1A2": Published(
        files="0f244050350135bd706c0047280a1de8b15672eba079936f0025b69b0f1f82be",
        accumulators="e13bbebbff7b99c1833706a491ee38989d4e2669d0e322c5ac970cdf18649f49",
    ),
    "cifar10/cnvW2A2": Published(
        files="9e0fa94e3fe9b14a5c60bc67f9a28ae66ba235c6a1949cb12605b6222cdff80a",
        accumulators="3548ca210371861b30dae7885c5cf05cd9ce472da7609cff5e12a5b5cab443f3",
    ),
    "mnist/lfcW1A1": Published(
        files="3b56a32fc5c55bb552d4e5dffd3a22e938463f0d1d6195c8ea33ed30e1ed93e3",
        accumulators="9b6900e2f4fc69f1ca301099b9b81a512cdb68eaf79a21d6a295288da02e1aca",
        original="dea84de4ae37169956329c3d77d40cfd48bbf89ec3b81a50d497fe2012a90ce1",
    ),
    "mnist/lfcW1A2": Published(
        files="d6783703531f0ac2cb9d6ddb9979ec2538025fc59bcab19c072c87bf76b1d3cd",
        accumulators="42b42841d0dea05be3313c3d3495560a76d621bc2a392b37c767f939adf30493",
        original="05f380cf859d6ed6d79652f8be9788fb66cc53b41a469cdf7e0825e7a1d03b05",
    ),
}

# The images that the original was run on, in this order: of MNIST's test images, those whose SHA-256 begins so.
# A split is kept in many orders; no two of its images begin alike.
MNIST_IMAGES = """
    d469b96b 03fabed4 125464a2 b7ded814 61687a58 965b75df 62722809 edf67853 8c11ffce b2c9424b 202fbd31 9aaf29ea
    f2762fde c948161b ca0df238 329aa817 7597030f 45986ea4 f1de1ae0 8ae351c8 3f8c3b26 d5707869 59034b38 6ca56a5b
    b7bb2ea3 ad17a0dc 1ad62594 83c70717 a36a39e3 c6982261 093fd2c1 abfb961f fd4d688e f51e7b06 2b181936 938ec835
    786d62a6 a920cb04 c311db9d 2886d198 f3351a8e ea33e798 98b41302 d5bbfa57 f7ce7d13 b6d86a5d 974ef661 f37d2b28
    54c29af8 a97f2774 c6915d57 a25e554a 6b4f9f48 d68918dc a40afdeb 00ebaf76 e0d64e4d 8308c38c ab8896c7 7b154f43
    418aa04f 5bfe6997 f39c7b0d 48eac282 a3862eb2 0dbc7a80 21b4ad13 26c95167 f2097d30 21c7dd96 8f6a418c 4fa3fef8
    829e1384 d1e03aab c2bcadcb 92cf1ac6 c8d473c9 98660c63 76ade3cd 1eb20b76 cf05e5f7 4ad632aa ef3b6883 2b0bfad7
    22e34b7d 868da6c7 675556e8 3241e0ef 85836c54 edf95b49 d6fc219c 1a904423 06f93eb0 62557d1b 6800122f 1b4df82f
    06c416ef 77b8560c 65af3e84 093fce32
""".split()  # noqa: SIM905  # a hundred quoted words are harder to read


def read(binparams: Path, name: str) -> Network:
    if not (binparams / name).is_dir():
        pytest.skip(f"no parameter set {name} there")
    network = Path(name).name
    return read_binparam(binparams / name, TOPOLOGIES[network], FOLDINGS[network])[0]


def without_last_thresholds(network: Network) -> Network:
    """Return a network whose scores are what its last layer adds up: more than the bits that it makes of them."""
    if network.topology.output == "scores":
        return network
    *before, last = network.layers
    none = np.zeros((len(last.weights), 0), np.int32)
    return Network(
        topology=attrs.evolve(network.topology, output="scores"),
        layers=(*before, LayerParameters(weights=last.weights, thresholds=none)),
    )


@pytest.fixture(scope="session")
def mnist_images(data_folder: Path) -> npt.NDArray[np.uint8]:
    """Return MNIST's test images of ``MNIST_IMAGES``, uint8 [100, 28, 28]."""
    path = data_folder / "data" / "mnist" / "t10k-images-idx3-ubyte.gz"
    if not path.is_file():
        pytest.skip("BNNCORE_TEST_DATA names a folder without data/mnist/t10k-images-idx3-ubyte.gz")
    images = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)
    by_digest = {hashlib.sha256(image.tobytes()).hexdigest()[:8]: image for image in images}
    return np.stack([by_digest[each] for each in MNIST_IMAGES])


@pytest.mark.parametrize("name", SETS)
def test_the_files_are_those_that_digests_were_taken_of(binparams: Path, name: str) -> None:
    read(binparams, name)
    assert digest_of_files(binparams / name) == SETS[name].files


@pytest.mark.parametrize("name", SETS)
def test_accumulators_of_the_last_layer(binparams: Path, name: str) -> None:
    network = without_last_thresholds(read(binparams, name))
    assert digest_of_scores(scores(network, made_pictures(network.topology.input))) == SETS[name].accumulators


@pytest.mark.parametrize("name", SETS)
def test_the_recorded_accumulators_are_those_of_another_library(binparams: Path, name: str) -> None:
    from independent.evaluator import independent_scores

    network = without_last_thresholds(read(binparams, name))
    found = independent_scores(network, made_pictures(network.topology.input))
    assert digest_of_scores(found) == SETS[name].accumulators


@pytest.mark.parametrize("name", [name for name, known in SETS.items() if known.original])
def test_answers_of_the_original_to_images_of_mnist(
    binparams: Path, mnist_images: npt.NDArray[np.uint8], name: str
) -> None:
    read(binparams, name)
    with bnncore.load(binparams / name) as classifier:
        assert digest_of_scores(classifier.scores(mnist_images)) == SETS[name].original


# With the files of recorded outputs: what the digests and the other library's evaluation rest on.


@pytest.mark.parametrize("name", SETS)
def test_the_other_library_gives_the_originals_answers(test_data: Path, binparams: Path, name: str) -> None:
    from independent.evaluator import independent_scores

    with np.load(test_data / "bnn-pynq" / "oracle" / f"{name.replace('/', '-')}.npz") as file:
        inputs, expected = file["inputs"][::4], file["scores"][::4]
    found = independent_scores(read(binparams, name), inputs)
    np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)


@pytest.mark.parametrize("name", [name for name, known in SETS.items() if known.original])
def test_the_digests_are_of_the_originals_answers(
    test_data: Path, mnist_images: npt.NDArray[np.uint8], name: str
) -> None:
    with np.load(test_data / "bnn-pynq" / "oracle" / f"{name.replace('/', '-')}.npz") as file:
        np.testing.assert_array_equal(mnist_images, file["inputs"])
        assert digest_of_scores(file["scores"]) == SETS[name].original
