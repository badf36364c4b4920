"""What a network is trained on: labelled images, and how they become its input."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bnnhw.topology import Topology

from bnncore import get, registry
from bnncore.errors import BnnError

if TYPE_CHECKING:
    from bnncore.datasets import LabelledImages, Survey
    from bnncore.datasets.collection import Collection, Prepare
    from bnncore.datasets.splits import Split
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
        when_surveyed: called with the survey once the path was looked through, before a picture is read; None for
            nobody.
    """

    def __init__(
        self,
        topology: Topology,
        name: str,
        dataset: str | None,
        source: Callable[[], _Source],
        path: Path | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self.topology, self.name, self.dataset = topology, name, dataset
        self.preprocessing: Preprocessing | None = preprocessing
        self._open, self._path = source, path
        self.when_surveyed: Callable[[Survey], None] | None = None
        self._opened: _Source | None = None
        self._last: tuple[tuple[str, ...], LabelledImages] | None = None

    @classmethod
    def of_dataset(
        cls,
        name: str,
        path: str | os.PathLike[str],
        topology: str | None = None,
        *,
        skip_broken: bool = False,
    ) -> TrainingData:
        """Return the images of an installed dataset, from its publisher's files or your own for its classes.

        Args:
            name: of the dataset, as in ``bnncore.get``.
            path: in any layout that ``bnncore.datasets.read`` knows.
            topology: one of those that the dataset is offered on; None for its first.
            skip_broken: go on without pictures that cannot be read.

        Raises:
            PluginError: if nobody offers the name, or its plugin is broken.
        """
        classifier = get(name, "numpy", topology=topology)
        source = partial(
            _OfPath, Path(path), classifier.preprocess, classifier.classes, name, skip_broken=skip_broken
        )
        return cls(classifier.topology, name, name, source, Path(path), classifier.preprocessing)

    @classmethod
    def of_pictures(
        cls,
        path: str | os.PathLike[str],
        topology: str | Topology = _DEFAULT_TOPOLOGY,
        *,
        skip_broken: bool = False,
    ) -> TrainingData:
        """Return pictures of your own classes.

        Args:
            path: one folder of pictures a class (perhaps in ``train``, ``val`` and ``test``), or a CSV of paths and
                labels.
            topology: name of an installed one, or a record.
            skip_broken: go on without pictures that cannot be read.

        Raises:
            PluginError: if nobody offers the topology, or its plugin is broken.
        """
        from bnncore.pictures.preprocessing import Pipeline
        from bnncore.records import Preprocessing

        network = registry.topology(topology) if isinstance(topology, str) else topology
        preprocessing = Preprocessing.default(network.input)
        pipeline = Pipeline(preprocessing, network.input)
        source = partial(_OfPath, Path(path), pipeline, None, None, skip_broken=skip_broken)
        return cls(network, Path(path).name, None, source, Path(path), preprocessing)

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
        return cls(network, name, None, partial(_InMemory, images))

    @property
    def survey(self) -> Survey | None:
        """What the path holds, before a picture is decoded; None for images in memory.

        Raises:
            DatasetError: if the path holds no images in a known layout, or such as cannot be trained on.
        """
        return self._source.survey

    @property
    def validation(self) -> int:
        """How many images the data's own validation split has, which are read for that; 0 without one, or without data.

        Raises:
            DatasetError: as ``read``.
        """
        if self._path is not None and not self._path.exists():
            return 0
        found = self.survey
        return len(self.read(("validation",))) if found and "validation" in found.splits else 0

    def read(self, splits: Sequence[str] = ("train",)) -> LabelledImages:
        """Read the splits one after the other, as far as the data are split; the same ones only once.

        Args:
            splits: of ``train``, ``validation`` and ``test``; pictures that are not split are returned for any. A
                validation split that is not there is left out beside others.

        Raises:
            DatasetError: if the path holds no images in a known layout, damaged ones, or a class without any to
                train on.
            BnnError: if the classes are not those of the dataset.
        """
        wanted = tuple(splits)
        if self._last is None or self._last[0] != wanted:
            self._last = wanted, self._source.read(wanted)
        return self._last[1]

    @property
    def _source(self) -> _Source:
        if self._opened is None:
            opened = self._open()
            count, outputs = len(opened.survey.classes) if opened.survey else 0, self.topology.outputs
            if count > outputs:
                raise BnnError(
                    f"topology {self.topology.name!r} has {outputs} outputs, {count} classes do not fit; "
                    "choose a topology with more outputs"
                )
            self._opened = opened
            if self.when_surveyed is not None and opened.survey is not None:
                self.when_surveyed(opened.survey)
        return self._opened


class _Source(Protocol):
    """Where images come from, looked through but not read."""

    @property
    def survey(self) -> Survey | None: ...

    def read(self, splits: tuple[str, ...]) -> LabelledImages: ...


class _InMemory:
    """Images that are not split."""

    survey = None

    def __init__(self, images: LabelledImages) -> None:
        self._images = images

    def read(self, splits: tuple[str, ...]) -> LabelledImages:
        return self._images


class _OfPath:
    """Splits of a path, with the classes of a dataset if it is one's."""

    def __init__(
        self,
        path: Path,
        prepare: Prepare,
        classes: tuple[str, ...] | None,
        dataset: str | None,
        *,
        skip_broken: bool,
    ) -> None:
        from bnncore.datasets.reading import open_collection

        self._path, self._prepare, self._classes, self._dataset = path, prepare, classes, dataset
        self._skip_broken = skip_broken
        self._collection: Collection = open_collection(path, classes)
        self.survey: Survey = self._collection.survey
        self._parts: dict[str, LabelledImages] = {}
        if classes is None:
            self._check_classes()
        else:
            self._check_names(self.survey.classes, classes)

    def read(self, splits: tuple[str, ...]) -> LabelledImages:
        import numpy as np
        from attrs import evolve

        from bnncore.datasets import joined

        # Pictures that are not split must not come twice.
        there = self.survey.splits
        chosen = [split for split in splits if split != "validation" or split in there or len(splits) == 1]
        chosen = chosen if there else chosen[:1]
        # All that will be trained on, so that what is broken is told at once.
        together = ("train", "validation") if {"train", "validation"} & set(chosen) else ()
        self._load([*chosen, *(split for split in together if split in there and split not in chosen)])
        parts = [self._parts[split] for split in chosen]
        whole = joined(parts)
        # What was read is not kept twice.
        ends = np.cumsum([len(part) for part in parts])
        for split, part, end in zip(chosen, parts, ends):
            self._parts[split] = evolve(part, images=whole.images[end - len(part) : end])
        return whole

    def _load(self, splits: Sequence[str]) -> None:
        from bnncore.datasets.picture_reading import BrokenPictures

        errors: list[BrokenPictures] = []
        for split in splits:
            if split in self._parts:
                continue
            known: Split = split  # type: ignore[assignment]  # the recipe checked it
            try:
                data = self._collection.read(known, self._prepare, self._skip_broken)
            except BrokenPictures as error:
                errors.append(error)
                continue
            if self._classes is not None:
                self._check_names(data.classes, self._classes)
                data = data.named(self._classes)
            self._parts[split] = data
        if errors:
            raise BrokenPictures.together(self._path, errors)

    def _check_names(self, found: tuple[str, ...], expected: tuple[str, ...]) -> None:
        from bnncore.formats.classes import class_name

        if found and tuple(map(class_name, found)) != tuple(map(class_name, expected)):
            raise BnnError(
                f"{self._path}: has the classes {', '.join(found)}, dataset {self._dataset!r} has "
                f"{', '.join(expected)}; they must be the same, in the same order"
            )

    def _check_classes(self) -> None:
        """Refuse classes of one's own that a network could not learn, for want of pictures to train on."""
        counts = self.survey.counts
        if "train" not in self.survey.splits or not counts.get("train"):
            return
        for name in self.survey.classes:
            if name not in counts["train"]:
                where = " and ".join(split for split in self.survey.splits if name in counts.get(split, ()))
                raise BnnError(
                    f"{self._path}: class {name!r} has pictures in {where} alone, so no network can learn it; put "
                    "some into train, or take the class away"
                )
