"""Checkpoints of a training between its steps: when one is due, and what is in it.

>>> checkpoints = Checkpoints(folder, {"net": net, "optimizer": optimizer})
>>> if checkpoints.due: checkpoints.save(done=120, seconds=60.0, points=[])
>>> checkpoints.load()

When they are saved depends on the clock and changes nothing: one process on a CPU resumes bit for bit from any step.
A GPU's sums differ in their last bits from call to call; with several processes the training loss of the lap that was
broken is the first one's share of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from facelet.learn.engine.checkpoint import Point, TrainingFolder

SECONDS, COST = 30.0, 30.0
"""Between checkpoints, or so many times what one takes, if that is more."""


class Stateful(Protocol):
    def state_dict(self) -> Any: ...

    def load_state_dict(self, state: Any, /) -> Any: ...


class Checkpoints:
    """Of ``parts``, by name, in ``folder``."""

    def __init__(self, folder: TrainingFolder, parts: Mapping[str, Stateful]) -> None:
        self.folder, self.parts = folder, parts
        self._saved, self._cost = time.monotonic(), 0.0

    @property
    def due(self) -> bool:
        return time.monotonic() - self._saved >= max(SECONDS, COST * self._cost)

    def save(self, done: int, seconds: float, points: list[Point]) -> None:
        """After ``done`` steps and ``seconds`` of training, with the curve so far."""
        start = time.monotonic()
        told = {"done": done, "seconds": seconds, "points": [asdict(point) for point in points]}
        self.folder.save_state({**told, **{name: part.state_dict() for name, part in self.parts.items()}})
        self._saved = time.monotonic()
        self._cost = self._saved - start

    def load(self) -> tuple[int, float, list[Point]]:
        """Puts the last checkpoint into the parts; returns its steps, seconds and curve, or (0, 0, []) without one."""
        state = self.folder.load_state()
        if state is None:
            return 0, 0.0, []
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return state["done"], state["seconds"], [Point(**point) for point in state["points"]]
