"""A function of tensors that a GPU repeats from a recording.

A training step of these networks is some hundreds of short kernels. Starting each of them from Python takes longer
than it runs; recorded as a CUDA graph, they start together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Recorded"]

# Calls before the recording: in the first ones libraries choose their kernels, and optimisers make their state.
_CALLS_BEFORE = 3


class Recorded:
    """Call a function; on a GPU record the fourth call, and replay it from then on.

    What the function reads and writes besides its arguments must stay where it is in memory, and it must not wait
    for results. On other devices it is called each time.

    Args:
        function: of tensors, to one tensor.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self._function = function
        self.forget()

    def forget(self) -> None:
        """Record anew: what the function does, or where its tensors are, has changed."""
        self._calls = 0
        self._graph: Any = None
        self._arguments: list[Tensor] = []
        self._result: Tensor | None = None

    def __call__(self, *arguments: Tensor) -> Tensor:
        """Return the function's result; arguments are to be of the same shapes and types each time."""
        if arguments[0].device.type != "cuda":
            return self._function(*arguments)
        if self._graph is None:
            if self._calls < _CALLS_BEFORE:
                self._calls += 1
                return self._aside(*arguments)
            self._record(*arguments)
        for mine, given in zip(self._arguments, arguments):
            mine.copy_(given, non_blocking=True)
        self._graph.replay()
        assert self._result is not None
        return self._result.clone()

    def _aside(self, *arguments: Tensor) -> Tensor:
        """Call the function on a stream of its own, as the recording will: gradients belong to a stream."""
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            result = self._function(*arguments)
        here.wait_stream(aside)
        return result

    def _record(self, *arguments: Tensor) -> None:
        self._arguments = [argument.clone() for argument in arguments]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._result = self._function(*self._arguments)
