"""Tracks the mean loss of a training and detects losses that are NaN or infinite.

>>> monitor = LossMonitor(device)
>>> monitor.add(loss, norm)                     # each step; no synchronization with the GPU
>>> monitor.check(done=41, steps_per_epoch=10)  # now and then; synchronizes with the GPU
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from facelet.errors import FaceletError

OFTEN = 32
"""Steps between checks on a GPU, where a check needs a synchronization."""


class LossMonitor:
    """Losses of this process since the last check, and their sum since the last lap."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._unchecked: list[Tensor] = []
        self._sum = torch.zeros((), dtype=torch.float64, device=device)
        self._count = 0

    def add(self, loss: Tensor, norm: Tensor | None = None) -> None:
        """Adds a step's loss and, if known, the norm of its gradient, which can be infinite when the loss is finite."""
        loss = loss.detach() if norm is None else loss.detach() + 0 * norm
        self._unchecked.append(loss)
        self._sum += loss
        self._count += 1

    @property
    def due(self) -> bool:
        """Whether to check now: on a CPU after every step."""
        return self.device.type == "cpu" or len(self._unchecked) >= OFTEN

    def check(self, done: int, steps_per_epoch: int) -> None:
        """Raises FaceletError for the first loss since the last check that is not finite; ``done``: steps added so far."""
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
        """Mean of the losses since ``restart``, on the device."""
        return self._sum / max(1, self._count)

    def restart(self) -> None:
        self._sum.zero_()
        self._count = 0

    def state_dict(self) -> dict[str, float]:
        return {"sum": self._sum.item(), "count": self._count}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._sum.fill_(state["sum"])
        self._count = int(state["count"])
