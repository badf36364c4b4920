"""A plugin's executor, held to what it promised: what it returns is checked, and what it raises says whose it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bnncore.errors import BackendError, BnnError, PluginError
from bnncore.foreign import failure, foreign_code, is_users
from bnncore.spelling import argument

__all__ = ["CheckedExecutor", "Spent"]

# Comparing with np.int32 would make a dtype of it at every call.
_INT32 = np.dtype(np.int32)
_LIMITS = np.iinfo(np.int32)
_ARRAY = np.ndarray


class Spent(NamedTuple):
    """Seconds that an executor has spent so far, where it accounts for them."""

    pack: float
    transfer: float
    compute: float


class CheckedExecutor:
    """Run another distribution's executor as ``bnnhw.executor.SingleExecutor``.

    What it returns is a copy, so that an executor that uses one array for all its answers changes none of before.
    For one image alone that costs a tenth of a microsecond; bnncore's own executors are not wrapped.

    Args:
        executor: what the backend's function returned.
        name: of the backend, as its record has it; what the executor calls itself does not count.
        owner: distribution and version.
        outputs: of the network.

    Raises:
        PluginError: if it is no executor.
    """

    def __init__(self, executor: Any, *, name: str, owner: str, outputs: int) -> None:
        self.name = name
        self._executor = executor
        self._owner = owner
        self._outputs = outputs
        self._size = outputs * _INT32.itemsize
        self._first = (1, outputs)
        with foreign_code(owner, lambda error: failure(f"{self._where}: its executor", error, PluginError)):
            scores, close, single = (getattr(executor, each, None) for each in ("scores", "close", "single"))
            whole = callable(scores) and callable(close)
        if not whole:
            raise PluginError(f"{self._where} returned {type(executor).__name__}, expected an executor")
        self._scores: Any = scores
        self._close: Any = close
        self._single: Any = single
        self.single: Callable[[npt.NDArray[np.uint8]], bytes] = (
            self._by_scores if single is None else self._by_single
        )

    @property
    def seconds(self) -> Spent | None:
        """What the executor says that it has spent, or None if it does not account for it."""
        try:
            spent = self._executor.seconds
            return Spent(float(spent.pack), float(spent.transfer), float(spent.compute))
        except Exception:
            # Nothing that is promised.
            return None

    def scores(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Return int32 [N, outputs] for uint8 [N, *input shape], in an array of its own.

        Raises:
            BackendError: if the executor fails, or returns anything but whole numbers of that shape and range.
        """
        with foreign_code(self._owner, self._failure):
            return self._checked(self._scores(batch), len(batch))

    def close(self) -> None:
        """Release the device.

        Raises:
            BackendError: if the executor fails.
        """
        with foreign_code(self._owner, self._failure):
            self._close()

    # Both by hand, as foreign_code would take longer than all the rest.
    def _by_single(self, image: npt.NDArray[np.uint8]) -> bytes:
        try:
            found = self._single(image)
            if type(found) is bytes and len(found) == self._size:
                return found
            if isinstance(found, (bytes, bytearray)) and len(found) == self._size:
                return bytes(found)
            raise self._wrong(
                f"{len(found)} bytes" if isinstance(found, (bytes, bytearray)) else type(found).__name__,
                f"the {self._size} bytes of int32 [{self._outputs}]",
            )
        except _WrongAnswer:
            raise
        except BaseException as error:
            if is_users(error):
                raise
            raise self._failure(error) from error

    def _by_scores(self, image: npt.NDArray[np.uint8]) -> bytes:
        try:
            found = self._scores(image[None])
            if type(found) is _ARRAY and found.dtype == _INT32 and found.shape == self._first:
                return found.tobytes()
            return self._checked(found, 1).tobytes()
        except _WrongAnswer:
            raise
        except BaseException as error:
            if is_users(error):
                raise
            raise self._failure(error) from error

    def _checked(self, found: Any, count: int) -> npt.NDArray[np.int32]:
        expected = f"int32 {[count, self._outputs]}"
        if not isinstance(found, np.ndarray):
            raise self._wrong(type(found).__name__, expected)
        if found.dtype.kind not in "iu" or found.shape != (count, self._outputs):
            raise self._wrong(f"{found.dtype} {list(found.shape)}", expected)
        if found.dtype != _INT32 and found.size:
            least, most = int(found.min()), int(found.max())
            if least < _LIMITS.min or most > _LIMITS.max:
                raise self._wrong(f"{found.dtype} from {least} to {most}", expected)
        return np.array(found, dtype=np.int32, order="C")

    @property
    def _where(self) -> str:
        return f"backend {self.name!r} of {self._owner}"

    def _wrong(self, found: str, expected: str) -> _WrongAnswer:
        return _WrongAnswer(
            f"{self._where} returned {found}, expected {expected}; update or uninstall it, or choose another "
            f"one with {argument('backend')}"
        )

    def _failure(self, error: BaseException) -> BnnError:
        if isinstance(error, _WrongAnswer):
            return error
        return failure(self._where, error, BackendError)


class _WrongAnswer(BackendError):
    """An answer that is not what the network's outputs are."""
