"""What runs a network, and the one check of the batches that it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from bnnhw.errors import InputError
from bnnhw.topology import Input

__all__ = ["Executor", "SingleExecutor", "checked_batch", "single_way"]

# Comparing with np.uint8 would make a dtype of it at every call.
_UINT8 = np.dtype(np.uint8)


class Executor(Protocol):
    """A network made ready on one device. Safe to call from several threads.

    Attributes:
        name: of the backend, as a prediction shows it.
    """

    name: str

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 [N, outputs] for uint8 [N, *input shape]; N may be 0.

        The integers are those of ``bnnhw.reference.scores``. The caller's array is not changed.

        Raises:
            InputError: if the batch has another dtype or shape.
        """

    def close(self) -> None:
        """Release the device; calling it again does nothing."""


class SingleExecutor(Executor, Protocol):
    """An executor with a shorter way for one image, for networks that take microseconds."""

    def single(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Return the outputs of one image as the bytes of an int32 array, which take a third of the array's time.

        Args:
            image: uint8 [*input shape], in one piece or not.

        Raises:
            InputError: if it has another dtype or shape.
        """


def single_way(executor: Executor) -> Callable[[npt.NDArray[np.uint8]], bytes]:
    """Return the executor's way for one image (``SingleExecutor.single``), or one by its ``scores``."""
    if hasattr(executor, "single"):
        return cast("SingleExecutor", executor).single
    return lambda image: np.asarray(executor.scores(image[None]), np.int32).tobytes()


def checked_batch(given: Input, batch: Any) -> npt.NDArray[np.uint8]:
    """Return the batch as a C-contiguous uint8 array [N, *input shape], copied only if need be.

    Raises:
        InputError: if it is no uint8 array of that shape; nothing is converted silently.
    """
    if not isinstance(batch, np.ndarray):
        raise InputError(
            f"expected a uint8 array of shape [N, {_shape(given)}], found {type(batch).__name__}; "
            "use numpy.asarray(batch, dtype=numpy.uint8)"
        )
    if batch.dtype != _UINT8 or batch.shape[1:] != given.shape or batch.ndim == 0:
        hint = ""
        if batch.shape == given.shape:
            hint = "; for one image use batch[None]"
        elif batch.dtype != _UINT8:
            hint = "; scale to 0..255 and convert with .astype(numpy.uint8)"
        raise InputError(
            f"expected a uint8 array of shape [N, {_shape(given)}], "
            f"found {batch.dtype} {list(batch.shape)}{hint}"
        )
    return np.ascontiguousarray(batch)


def _shape(given: Input) -> str:
    return ", ".join(str(side) for side in given.shape)
