"""Cross-validation: an honest figure where there are too few images to hold some back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from bnnhw import reference
from bnnhw.network import Network
from bnnhw.outputs import winners
from bnnhw.topology import Topology

from bnncore.datasets import LabelledImages
from bnncore.errors import BnnError
from bnncore.formats.recipe import Recipe
from bnncore.training.progress import Reporter
from bnncore.training.results import CrossValidation
from bnncore.training.run import train

__all__ = ["cross_validate", "folds_of"]


def folds_of(labels: npt.NDArray[np.int64], count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return the fold of each image, 0 to count - 1, each class spread evenly over the folds.

    Raises:
        BnnError: if there are fewer images than folds.
    """
    if not 2 <= count <= len(labels):
        raise BnnError(f"{count} folds of {len(labels)} images are not possible; choose 2 to {len(labels)}")
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    folds = np.empty(len(labels), np.int64)
    folds[by_class] = np.arange(len(labels)) % count
    return folds


def cross_validate(
    recipe: Recipe,
    data: LabelledImages,
    topology: Topology,
    out: Path,
    *,
    folds: int = 5,
    seed: int = 0,
    threads: int | None = None,
    initial: Network | None = None,
    device: str = "cpu",
    reporter: Reporter | None = None,
) -> CrossValidation:
    """Train once a fold on the images of the others, and answer each image by the network that never saw it.

    Teachers, too, see only the images that their network is trained on. A run that was stopped continues.

    Args:
        recipe: how, the same for each fold.
        data: all images with their classes.
        topology: what to train.
        out: folder in which each fold has one.
        folds: how many, from 2 to the number of images.
        seed: of everything random; each fold's is one more than that of the fold before.
        threads: as in ``bnncore.training.run.train``, and so are the next three.
        initial: where to start.
        device: what computes.
        reporter: is told how it goes.

    Raises:
        BnnError: as ``train``, or if there are fewer images than folds.
        KeyboardInterrupt: if the user stops it; what was trained is kept.
    """
    classes = len(data.classes) or int(data.labels.max()) + 1
    fold_of = folds_of(data.labels, folds, seed)
    scores = np.empty((len(data), classes), np.int32)
    for fold in range(folds):
        held_out = np.flatnonzero(fold_of == fold)
        if reporter is not None:
            reporter.note(f"fold {fold + 1} of {folds}: {len(held_out)} images held out")
        outcome = train(
            recipe,
            data.subset(np.flatnonzero(fold_of != fold)),
            topology,
            out / f"fold-{fold}",
            seed=seed + fold,
            threads=threads,
            initial=initial,
            device=device,
            reporter=reporter,
        )
        if not outcome.finished:
            raise KeyboardInterrupt
        scores[held_out] = reference.scores(outcome.network, data.images[held_out])[:, :classes]
    return CrossValidation(
        scores=scores, predicted=winners(topology.output, scores), labels=data.labels, folds=folds
    )
