"""Estimates of training time, for the plan that is shown before a run.

>>> seconds_per_face(spec) * len(train) * epochs
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from facelet.learn.device import precision as precisions
from facelet.learn.device.malloc import keep_memory
from facelet.learn.engine.optimizer import Optimization, make_optimizer
from facelet.nets import NetSpec

SAMPLE = 32
"""Faces in the batch that is timed."""
_timed: dict[tuple[str, str, str], float] = {}


def seconds_per_face(spec: NetSpec, wish: precisions.Wish = "auto", device: str = "auto") -> float:
    """Training time per face, timed with a small batch on this machine: a rough estimate, too high when larger batches are faster.

    Timed once per process, so that equal nets have equal times.
    """
    key = (spec.to_json(), wish, device)
    if key not in _timed:
        training = _Bare(spec, SAMPLE, wish, device)
        _timed[key] = min(training.step() for _ in range(3)) / SAMPLE
    return _timed[key]


def steps_in_turn(
    specs: Sequence[NetSpec], batch: int, wish: precisions.Wish = "auto", device: str = "auto", rounds: int = 5
) -> list[float]:
    """Seconds per training step of each net: median of ``rounds``, interleaved so that the machine's load is the same for all."""
    trainings = [_Bare(spec, batch, wish, device) for spec in specs]
    times = [[training.step() for training in trainings] for _ in range(rounds + 1)][1:]
    return [statistics.median(column) for column in zip(*times, strict=True)]


class _Bare:
    """A training on random pixels, without augmentation or validation."""

    def __init__(self, spec: NetSpec, batch: int, wish: precisions.Wish, device: str) -> None:
        keep_memory()
        self.where = precisions.pick_device(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = spec.build().to(self.where)
            # random, because zeros lead to denormal numbers, which are slow
            faces = torch.rand(batch, spec.channels, spec.size, spec.size).to(self.where)
        self.choice = precisions.choose(self.where, wish)
        self.net.to(memory_format=self.choice.memory_format)
        self.optimizer = make_optimizer([self.net], Optimization("adamw", 1e-3, 0.0))
        self.faces = faces.contiguous(memory_format=self.choice.memory_format)

    def step(self) -> float:
        """Seconds of one step."""
        start = time.perf_counter()
        with precisions.computing(self.where.type, bf16=self.choice.bf16):
            loss = self.net(self.faces).float().square().mean()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.where.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start
