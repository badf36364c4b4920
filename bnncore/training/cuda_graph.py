"""A function of tensors that a GPU repeats from a recording.

A training step of these networks is some hundreds of short kernels. Starting each of them from Python takes longer
than it runs; recorded as a CUDA graph, they start together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Recorder"]

# Calls before the recording: in the first ones libraries choose their kernels, and optimisers make their state.
_CALLS_BEFORE = 3


class Recorder:
    """Call a function; on a GPU record its fourth call, and replay it from then on.

    What the function reads and writes besides its arguments must stay where it is in memory, and it must not wait
    for results. On other devices it is called each time.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Record anew: what the function does, or where its tensors are, has changed."""
        self._calls = 0
        self._graph: Any = None
        self._arguments: list[Tensor] = []
        self._result: Tensor | None = None

    def __call__(self, function: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
        """Return the function's result, a tensor.

        Args:
            function: the same each time; it is not kept, as it may belong to who keeps the recorder.
            arguments: tensors of the same shapes and types each time.
        """
        device = arguments[0].device
        if device.type != "cuda":
            return function(*arguments)
        with torch.cuda.device(device):
            if self._calls < _CALLS_BEFORE:
                self._calls += 1
                return _aside(function, arguments)
            if self._graph is None:
                self._record(function, arguments)
            for mine, given in zip(self._arguments, arguments):
                mine.copy_(given, non_blocking=True)
            self._graph.replay()
            assert self._result is not None
            return self._result.clone()

    def _record(self, function: Callable[..., Tensor], arguments: tuple[Tensor, ...]) -> None:
        graph, own = torch.cuda.CUDAGraph(), [argument.clone() for argument in arguments]
        # On a stream of this device; the default one belongs to the device that was recorded on first.
        with torch.cuda.graph(graph, stream=_new_stream()):
            result = function(*own)
        # Kept when it is whole.
        self._graph, self._arguments, self._result = graph, own, result


def _aside(function: Callable[..., Tensor], arguments: tuple[Tensor, ...]) -> Tensor:
    """Call the function on a stream of its own, as the recording will: gradients belong to a stream."""
    here, aside = torch.cuda.current_stream(), _new_stream()
    aside.wait_stream(here)
    try:
        with torch.cuda.stream(aside):
            return function(*arguments)
    finally:
        here.wait_stream(aside)


def _new_stream() -> torch.cuda.Stream:
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch
