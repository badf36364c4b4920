"""What a network is trained on: labelled images, and how they become its input."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bnnhw.topology import Topology

from bnncore import get, registry
from bnncore.errors import BnnError

if TYPE_CHECKING:
    from bnncore.datasets import LabelledImages
    from bnncore.datasets.picture_folders import Prepare
    from bnncore.records import Preprocessing

__all__ = ["TrainingData"]

_DEFAULT_TOPOLOGY = "cnvW1A1"


class TrainingData:
    """Labelled images for a network; nothing is read before ``read``.

    Made by ``of_dataset``, ``of_pictures`` or ``of_images``.

    Attributes:
        topology: of the network that they are for.
        name: what they are called: the dataset, or the folder or table of the pictures.
        dataset: the dataset whose images they are; None for classes of one's own.
        preprocessing: how pictures become these images, which the weights record; None where that is not known.
    """

    def __init__(
        self,
        topology: Topology,
        name: str,
        dataset: str | None,
        read: Callable[[tuple[str, ...]], LabelledImages],
    ) -> None:
        self.topology, self.name, self.dataset = topology, name, dataset
        self._read = read
        self.preprocessing: Preprocessing | None = None
        self._last: tuple[tuple[str, ...], LabelledImages] | None = None

    @classmethod
    def of_dataset(cls, name: str, path: str | os.PathLike[str], topology: str | None = None) -> TrainingData:
        """Return the images of an installed dataset, from its publisher's files or your own for its classes.

        Args:
            name: of the dataset, as in ``bnncore.get``.
            path: in any layout that ``bnncore.datasets.read`` knows.
            topology: one of those that the dataset is offered on; None for its first.

        Raises:
            PluginError: if nobody offers the name, or its plugin is broken.
        """
        classifier = get(name, "numpy", topology=topology)
        reader = _Reader(Path(path), classifier.preprocess, classifier.classes, name)
        made = cls(classifier.topology, name, name, reader)
        made.preprocessing = classifier.preprocessing
        return made

    @classmethod
    def of_pictures(
        cls, path: str | os.PathLike[str], topology: str | Topology = _DEFAULT_TOPOLOGY
    ) -> TrainingData:
        """Return pictures of your own classes.

        Args:
            path: one folder of pictures a class (perhaps in ``train`` and ``test``), or a CSV of paths and labels.
            topology: name of an installed one, or a record.

        Raises:
            PluginError: if nobody offers the topology, or its plugin is broken.
        """
        from bnncore.pictures.preprocessing import Pipeline
        from bnncore.records import Preprocessing

        network = registry.topology(topology) if isinstance(topology, str) else topology
        preprocessing = Preprocessing.default(network.input)
        pipeline = Pipeline(preprocessing, network.input)
        made = cls(network, Path(path).name, None, _Reader(Path(path), pipeline, None, None))
        made.preprocessing = preprocessing
        return made

    @classmethod
    def of_images(
        cls, images: LabelledImages, topology: str | Topology = _DEFAULT_TOPOLOGY, name: str = "images"
    ) -> TrainingData:
        """Return images that are in memory already, all of them to train on.

        Args:
            images: in the shape of the topology's input.
            topology: name of an installed one, or a record.
            name: what they are called.

        Raises:
            PluginError: if nobody offers the topology, or its plugin is broken.
        """
        network = registry.topology(topology) if isinstance(topology, str) else topology
        return cls(network, name, None, lambda splits: images)

    def read(self, splits: Sequence[str] = ("train",)) -> LabelledImages:
        """Read the splits one after the other, as far as the data are split; the same ones only once.

        Args:
            splits: of ``train`` and ``test``; pictures that are not split are returned for any.

        Raises:
            DatasetError: if the path holds no images in a known layout, or damaged ones.
            BnnError: if the classes are not those of the dataset.
        """
        wanted = tuple(splits)
        if self._last is None or self._last[0] != wanted:
            self._last = wanted, self._read(wanted)
        return self._last[1]


class _Reader:
    """Read splits from a path, with the classes of a dataset if it is one's."""

    def __init__(
        self, path: Path, prepare: Prepare, classes: tuple[str, ...] | None, dataset: str | None
    ) -> None:
        self._path, self._prepare, self._classes, self._dataset = path, prepare, classes, dataset

    def __call__(self, splits: tuple[str, ...]) -> LabelledImages:
        from bnncore.datasets import has_splits, joined, read

        # Pictures that are not split must not come twice.
        chosen = splits if has_splits(self._path) else splits[:1]
        parts = [
            read(self._path, split, self._prepare, self._classes)  # type: ignore[arg-type]  # the recipe checked it
            for split in chosen
        ]
        data = joined(parts)
        if self._classes is not None and data.classes not in ((), self._classes):
            raise BnnError(
                f"{self._path}: has the classes {', '.join(data.classes)}, dataset {self._dataset!r} has "
                f"{', '.join(self._classes)}; they must be the same, in the same order"
            )
        return data if data.classes or self._classes is None else data.named(self._classes)
