"""Looks at the losses of a training: their mean for the curves, and whether all of them are finite.

>>> watch = LossMonitor(device)
>>> watch.add(loss, norm)          # each step; costs a GPU nothing
>>> watch.check(done=41, steps_per_epoch=10)  # now and then; waits for the GPU
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facelet.errors import FaceletError

OFTEN = 32
"""Steps between looks on a GPU, where looking means waiting for it."""


class LossMonitor:
    """Losses since the last look, and their sum since the last lap: this process's share of them."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._unchecked: list[Tensor] = []
        self._sum = torch.zeros((), dtype=torch.float64, device=device)
        self._count = 0

    def add(self, loss: Tensor, norm: Tensor | None = None) -> None:
        """A step's loss, and the norm of its gradient where that is known: it may be infinite where the loss is not."""
        loss = loss.detach() if norm is None else loss.detach() + 0 * norm
        self._unchecked.append(loss)
        self._sum += loss
        self._count += 1

    @property
    def due(self) -> bool:
        """Whether it is time to look: at once on a CPU, where it is free."""
        return self.device.type == "cpu" or len(self._unchecked) >= OFTEN

    def check(self, done: int, steps_per_epoch: int) -> None:
        """Raises FaceletError for the first loss since the last look that is not finite; ``done``: steps added so far."""
        if not self._unchecked:
            return
        values = torch.stack(self._unchecked).tolist()
        self._unchecked.clear()
        for step, value in enumerate(values, start=done - len(values) + 1):
            if not math.isfinite(value):
                epoch = (step - 1) / steps_per_epoch
                raise FaceletError(f"the loss or its gradient is {value} at step {step} (epoch {epoch:.2f})")

    @property
    def mean(self) -> Tensor:
        """Of the losses since ``restart``, on the device."""
        return self._sum / max(1, self._count)

    def restart(self) -> None:
        self._sum.zero_()
        self._count = 0

    def state_dict(self) -> dict[str, float]:
        return {"sum": self._sum.item(), "count": self._count}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._sum.fill_(state["sum"])
        self._count = int(state["count"])
