"""Detects a diverged translation: faces whose reconstruction is worse than a blank face.

>>> divergence.add(cycle, source, target)                # each step
>>> trouble = divergence.problem(done=250)               # "" without a problem

A training may start worse than blank, so this counts only after it has been better. Well reconstructed faces can still be bad
translations; this detects only a training that has failed.
"""

from __future__ import annotations

import torch
from torch import Tensor

LAP, SETBACKS = 50, 3
"""Steps between checks; and the number of times that a state is restored before the training is stopped."""


class Divergence:
    """Sums of the reconstruction errors since the last check. ``setbacks``: how often the training has been restored."""

    def __init__(self, device: torch.device) -> None:
        self.setbacks, self._better = 0, False
        self._cycled, self._blank = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))

    @torch.no_grad()
    def add(self, cycle: Tensor, source: Tensor, target: Tensor) -> None:
        """Adds a step. ``cycle``: sum over both classes of the mean absolute error of reconstructed faces (N, C, S, S)."""
        self._cycled += cycle.double()
        for faces in (source, target):
            self._blank += (faces - faces.mean()).abs().mean().double()

    def problem(self, done: int) -> str:
        """The problem since the last check, after ``done`` steps, or ""."""
        cycled, blank = float(self._cycled), float(self._blank)
        self.forget()
        if self._better and cycled > blank:
            return f"at step {done} reconstructed faces are worse than blank ones"
        self._better = self._better or cycled < blank
        return ""

    def forget(self) -> None:
        """Resets the sums."""
        self._cycled.zero_()
        self._blank.zero_()

    @property
    def factor(self) -> float:
        """Factor of the learning rate: halved by every setback."""
        return 0.5**self.setbacks

    def state_dict(self) -> dict[str, float]:
        sums = {"cycled": float(self._cycled), "blank": float(self._blank)}
        return {"setbacks": self.setbacks, "better": self._better, **sums}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.setbacks, self._better = int(state["setbacks"]), bool(state["better"])
        self._cycled.fill_(state["cycled"])
        self._blank.fill_(state["blank"])
