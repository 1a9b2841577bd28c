"""How long training would take, for the plan that is shown before anything is spent.

>>> seconds_per_face(spec) * len(train) * epochs
"""

from __future__ import annotations

import time

import torch

from facelet.learn import precision as precisions
from facelet.learn.optimizer import Optimization, make_optimizer
from facelet.nets import NetSpec

SAMPLE = 32
"""Faces in the batch that is timed."""


def seconds_per_face(spec: NetSpec, wish: precisions.Wish = "auto", device: str = "auto") -> float:
    """Of training, from one small batch here and now: an order of magnitude, and too much where larger batches are faster."""
    where = precisions.pick_device(device)
    with torch.random.fork_rng(devices=[]):
        net = spec.build().to(where)
    choice = precisions.choose(net, where, wish)
    net.to(memory_format=choice.memory_format)
    optimizer = make_optimizer([net], Optimization("adamw", 1e-3, 0.0))
    faces = torch.zeros(SAMPLE, spec.channels, spec.size, spec.size, device=where)
    faces = faces.contiguous(memory_format=choice.memory_format)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        with torch.autocast(where.type, torch.bfloat16, enabled=choice.bf16):
            loss = net(faces).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if where.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) / SAMPLE
