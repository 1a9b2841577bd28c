"""Whether a translation has diverged: a loss that is no number, or faces that come back worse than blank ones would.

>>> divergence.add(cycle, source, target)                # each step
>>> trouble = divergence.found(done=250)                 # "" while all is well

Worse than blank is where a training may begin, so that it counts once it has been better. Faces that come back well can still be
bad translations; this tells only a training that is broken.
"""

from __future__ import annotations

import torch
from torch import Tensor

LAP, SETBACKS = 50, 3
"""Steps between looks; and how often a state is restored before the training is given up."""


class Divergence:
    """``setbacks``: how often the training has been restored, part of its state."""

    def __init__(self, device: torch.device) -> None:
        self.setbacks, self._better = 0, False
        self._cycled, self._blank = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))

    @torch.no_grad()
    def add(self, cycle: Tensor, source: Tensor, target: Tensor) -> None:
        """``cycle``: mean absolute difference of faces (N, C, S, S) of both classes to what came back, the two added."""
        self._cycled += cycle.double()
        for faces in (source, target):
            self._blank += (faces - faces.mean()).abs().mean().double()

    def found(self, done: int) -> str:
        """What is wrong since the last look, after ``done`` steps, or ""."""
        cycled, blank = float(self._cycled), float(self._blank)
        self.forget()
        if self._better and cycled > blank:
            return f"at step {done} faces come back further from what they were than blank ones"
        self._better = self._better or cycled < blank
        return ""

    def forget(self) -> None:
        """Begins a look anew."""
        self._cycled.zero_()
        self._blank.zero_()

    @property
    def factor(self) -> float:
        """Of the learning rate: halved by every setback."""
        return 0.5**self.setbacks

    def state_dict(self) -> dict[str, float]:
        sums = {"cycled": float(self._cycled), "blank": float(self._blank)}
        return {"setbacks": self.setbacks, "better": self._better, **sums}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.setbacks, self._better = int(state["setbacks"]), bool(state["better"])
        self._cycled.fill_(state["cycled"])
        self._blank.fill_(state["blank"])
