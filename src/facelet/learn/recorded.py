"""Many small launches made one: what a GPU does at every step is recorded once, as a CUDA graph, and replayed.

>>> step = Recorded(function)
>>> loss = step(faces, labels)  # tensors of the same shapes at every call

Python takes longer to launch a small net's kernels than a GPU takes to run them, and a replay is a single launch:
https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/. The numbers are the same, random ones included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

WARM = 3
"""Calls before the recording, in which kernels are chosen and constants made."""


class Recorded:
    """``function``, which launches the same kernels on the same memory at every call, whatever the tensors hold.

    Args:
        function: from tensors, or None, to a tensor. It neither reads a value off the GPU nor counts in Python.
        wanted: False calls it as it is, and so does a CPU.
        say: prints the line that tells when a function could not be recorded; it is called as it is then.
    """

    def __init__(
        self, function: Callable[..., Tensor], wanted: bool = True, say: Callable[[str], None] | None = None
    ) -> None:
        self._function, self._wanted, self._say = function, wanted, say
        self._calls = 0
        self._graph: Any = None
        self._given: tuple[Tensor | None, ...] = ()
        self._found: Tensor = torch.empty(0)

    @property
    def replays(self) -> bool:
        """Whether the next call is a replay, which finds gradients where the last one left them: they must not be dropped."""
        return self._graph is not None

    def __call__(self, *given: Tensor | None) -> Tensor:
        """What ``function`` returns; a replay overwrites it. Shapes are those of the first call."""
        if self._graph is None and self._due(given):
            self._record(given)
        if self._graph is None:
            return self._function(*given)
        for place, value in zip(self._given, given, strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        self._graph.replay()
        return self._found

    def _due(self, given: tuple[Tensor | None, ...]) -> bool:
        self._calls += 1
        return self._wanted and self._calls > WARM and all(value is None or value.is_cuda for value in given)

    def _record(self, given: tuple[Tensor | None, ...]) -> None:
        self._given = tuple(None if value is None else value.clone() for value in given)
        graph = torch.cuda.CUDAGraph()
        torch.clear_autocast_cache()  # weights rounded before now would never follow the net's
        try:
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self._found = self._function(*self._given)
        except RuntimeError as error:
            self._wanted = False
            torch.cuda.synchronize()
            if self._say:
                self._say(f"  not recorded for the GPU, every step is launched anew: {str(error).splitlines()[0]}")
        else:
            self._graph = graph
        torch.clear_autocast_cache()
