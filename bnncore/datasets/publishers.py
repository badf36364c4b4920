"""What the publishers of known data sets offer: names, sizes, checksums, terms.

Checksums are those that several independent projects pin, among them TensorFlow Datasets (MNIST), Keras
(CIFAR-10 for Python) and torchvision's ports (CIFAR-10 binary). For CUCUMBER-9 none is published.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from bnncore.datasets.labelled import DatasetError
from bnncore.discovery.names import canonical
from bnncore.spelling import argument

__all__ = ["PUBLISHED", "PublishedFile", "PublishedSet", "published"]


@frozen(kw_only=True)
class PublishedFile:
    """One file as its publisher offers it.

    Attributes:
        name: of the file.
        size: in bytes; None if it is not known.
        sha256: hex digest.
        urls: where it is offered, tried in order; empty if it is only recognised, never fetched.
    """

    name: str
    size: int | None
    sha256: str
    urls: tuple[str, ...] = field(default=())


@frozen(kw_only=True)
class PublishedSet:
    """One data set as its publisher offers it.

    Attributes:
        name: as in ``bnncore data NAME``.
        title: for people.
        dataset: name of the dataset whose networks are trained on it.
        page: where it is described.
        terms: what its publisher says of its use.
        files: all of them; those with addresses are fetched.
        layout: ``cifar`` or ``idx``.
        train: how many images the training split has.
        test: how many the test split has.
        part: for archives that hold several layouts, a pattern that tells the one that is meant.
    """

    name: str
    title: str
    dataset: str
    page: str
    terms: str
    files: tuple[PublishedFile, ...]
    layout: Literal["cifar", "idx"]
    train: int
    test: int
    part: str | None = None

    @property
    def fetched(self) -> tuple[PublishedFile, ...]:
        """The files that a fetch gets; none where no checksum is known."""
        return tuple(file for file in self.files if file.urls)


def _mnist(name: str, size: int, sha256: str) -> PublishedFile:
    # The author's own server has been closed to the public; these two copies are kept by TensorFlow's
    # and PyTorch's maintainers.
    mirrors = (
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
    )
    return PublishedFile(name=name, size=size, sha256=sha256, urls=tuple(f"{each}/{name}" for each in mirrors))


_SETS = (
    PublishedSet(
        name="cifar10",
        dataset="cifar10",
        title="CIFAR-10: photographs of ten kinds of things",
        page="https://www.cs.toronto.edu/~kriz/cifar.html",
        terms="free to use; the author asks to cite Krizhevsky 2009",
        files=(
            PublishedFile(
                name="cifar-10-binary.tar.gz",
                size=170_052_171,
                sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                urls=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            ),
            PublishedFile(
                name="cifar-10-python.tar.gz",
                size=170_498_071,
                sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
        ),
        layout="cifar",
        train=50_000,
        test=10_000,
    ),
    PublishedSet(
        name="cucumber9",
        dataset="cucumber9",
        title="CUCUMBER-9: nine grades of cucumbers, prototype 1",
        page="https://github.com/workpiles/CUCUMBER-9",
        terms="CC BY, the author says in the repository's issue 1",
        files=(),
        layout="cifar",
        train=2_475,
        test=495,
        part=r"proto(type)?[-_ ]?1",
    ),
    PublishedSet(
        name="mnist",
        dataset="mnist_lfc",
        title="MNIST: handwritten digits",
        page="http://yann.lecun.com/exdb/mnist/",
        terms="CC BY-SA 3.0, by Yann LeCun and Corinna Cortes",
        files=(
            _mnist(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            _mnist(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            _mnist(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            _mnist(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        layout="idx",
        train=60_000,
        test=10_000,
    ),
)

PUBLISHED = {each.name: each for each in _SETS}
"""The known data sets by name."""


def published(name: str) -> PublishedSet:
    """Return a known data set, by its own name or that of the dataset that is trained on it.

    Raises:
        DatasetError: if none has that name.
    """
    for known in PUBLISHED.values():
        if canonical(name) in (known.name, known.dataset):
            return known
    raise DatasetError(
        f"no publisher's files of {name!r} are known, only of {', '.join(PUBLISHED)}; give a folder of your own "
        f"where {argument('path', option='data')} is taken"
    )
