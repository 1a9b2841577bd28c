"""Captures a training step as a CUDA graph and replays it.

>>> step = CudaGraph(function, name="student")
>>> loss = step(faces, labels)  # tensors of the same shapes at every call

For a small net, launching the kernels from Python takes longer than running them, and a replay is a single launch:
https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/. The results are the same, random numbers included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from facelet.errors import FaceletError

WARM = 3
"""Calls before the capture, in which kernels are chosen and constants are created."""


class CudaGraph:
    """Captures ``function``, which must launch the same kernels on the same memory at every call.

    Args:
        function: maps tensors (or None) to a tensor. It neither reads values from the GPU nor counts in Python. If it calls
            backward, it first sets the gradients to None; after a replay they are in the memory of the capture.
        name: name of the training, for the error message.
        wanted: False calls ``function`` without a capture, as on a CPU.

    Raises FaceletError when the function cannot be captured.
    """

    def __init__(self, function: Callable[..., Tensor], name: str = "", wanted: bool = True) -> None:
        self._function, self._name, self._wanted = function, name, wanted
        self._calls = 0
        self.forget()

    def forget(self) -> None:
        """Frees the memory of the capture now, not at a garbage collection; the next call captures again."""
        self._graph: Any = None
        self._given: tuple[Tensor | None, ...] = ()
        self._output: Tensor = torch.empty(0)

    def __call__(self, *given: Tensor | None) -> Tensor:
        """The output of ``function``. The shapes must be those of the first call."""
        if self._graph is None and self._due(given):
            self._record(given)
        if self._graph is None:
            return self._function(*given)
        for place, value in zip(self._given, given, strict=True):
            if place is not None and value is not None:
                place.copy_(value)
        self._graph.replay()
        return self._output.clone()  # the next replay overwrites it

    def _due(self, given: tuple[Tensor | None, ...]) -> bool:
        self._calls += 1
        return self._wanted and self._calls > WARM and all(value is None or value.is_cuda for value in given)

    def _record(self, given: tuple[Tensor | None, ...]) -> None:
        self._given = tuple(None if value is None else value.clone() for value in given)
        graph = torch.cuda.CUDAGraph()
        try:
            # the outer context restores the stream when the capture fails
            with (
                torch.cuda.stream(torch.cuda.current_stream()),
                torch.cuda.graph(graph, capture_error_mode="thread_local"),
            ):
                self._output = self._function(*self._given)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # torch reports only that the capture failed; the reason is in the context
            cause = str(error.__context__ or error).splitlines()[0]
            raise FaceletError(
                f"{self._name}: its step cannot be captured as a CUDA graph ({cause}); set `record: false` in the recipe's step"
            ) from None
        self._graph = graph
