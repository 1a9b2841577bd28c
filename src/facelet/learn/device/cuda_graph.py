"""Many small launches made one: what a GPU does at every step is recorded once, as a CUDA graph, and replayed.

>>> step = CudaGraph(function, name="student")
>>> loss = step(faces, labels)  # tensors of the same shapes at every call

Python takes longer to launch a small net's kernels than a GPU takes to run them, and a replay is a single launch:
https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/. The numbers are the same, random ones included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from facelet.errors import FaceletError

WARM = 3
"""Calls before the recording, in which kernels are chosen and constants made."""


class CudaGraph:
    """``function``, which launches the same kernels on the same memory at every call, whatever the tensors hold.

    Args:
        function: from tensors, or None, to a tensor. It neither reads a value off the GPU nor counts in Python. Where it goes
            backward it drops the gradients first; after a replay they lie where the recording left them.
        name: of the training, for the message.
        wanted: False calls it as it is, and so does a CPU.

    Raises FaceletError when it cannot be recorded.
    """

    def __init__(self, function: Callable[..., Tensor], name: str = "", wanted: bool = True) -> None:
        self._function, self._name, self._wanted = function, name, wanted
        self._calls = 0
        self.forget()

    def forget(self) -> None:
        """Gives back the recording's memory; the next call records anew. Left to the garbage collector, it could stay for long."""
        self._graph: Any = None
        self._given: tuple[Tensor | None, ...] = ()
        self._found: Tensor = torch.empty(0)

    def __call__(self, *given: Tensor | None) -> Tensor:
        """What ``function`` returns. Shapes are those of the first call."""
        if self._graph is None and self._due(given):
            self._record(given)
        if self._graph is None:
            return self._function(*given)
        for place, value in zip(self._given, given, strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        self._graph.replay()
        return self._found.clone()  # the next replay writes there

    def _due(self, given: tuple[Tensor | None, ...]) -> bool:
        self._calls += 1
        return self._wanted and self._calls > WARM and all(value is None or value.is_cuda for value in given)

    def _record(self, given: tuple[Tensor | None, ...]) -> None:
        self._given = tuple(None if value is None else value.clone() for value in given)
        graph = torch.cuda.CUDAGraph()
        try:
            # a capture that fails stays on its own stream, but for the outer context
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(graph, capture_error_mode="thread_local"),
            ):
                self._found = self._function(*self._given)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # torch says only that the capture failed, and keeps why in the context
            cause = str(error.__context__ or error).splitlines()[0]
            raise FaceletError(
                f"{self._name}: its step cannot be recorded for the GPU ({cause}); `record: false` in the recipe's step "
                "launches every one anew"
            ) from None
        self._graph = graph
