"""What training yields: figures of each epoch, the network, what cross-validation found. Without PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from bnncore.evaluation.accuracy import Counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from bnnhw.network import Network

__all__ = ["CrossValidation", "Epoch", "Outcome"]


@frozen(kw_only=True)
class Epoch:
    """Figures of one epoch.

    Attributes:
        number: from 1.
        loss: mean over the epoch's training images.
        train_accuracy: on the changed training images, while they were trained on, 0 to 1.
        validation_accuracy: at the end of the epoch, 0 to 1, or None without validation images.
        learning_rate: at the end.
        seconds: of wall time, without the validation.
    """

    number: int
    loss: float
    train_accuracy: float
    validation_accuracy: float | None
    learning_rate: float
    seconds: float


@frozen(kw_only=True, eq=False)
class Outcome:
    """What a run leaves.

    Attributes:
        network: the integer network.
        history: figures of every epoch.
        finished: False if it was stopped early.
        classes: names, where the images had some.
    """

    network: Network
    history: tuple[Epoch, ...]
    finished: bool
    classes: tuple[str, ...]


@frozen(kw_only=True, eq=False)
class CrossValidation(Counted):
    """What networks answered to images that they were not trained on.

    Attributes:
        scores: int32 [N, classes], the integer scores or bits of each image.
        predicted: int64 [N], the answers.
        labels: int64 [N], the true classes.
        folds: how many networks were trained.
    """

    scores: npt.NDArray[np.int32]
    predicted: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    folds: int

    @property
    def right(self) -> int:
        """Number of right answers."""
        return int((self.predicted == self.labels).sum())
