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


def seconds_per_face(spec: NetSpec, wish: precisions.Wish = "auto") -> float:
    """Of training, measured on one small batch here and now: right within a factor of two."""
    device = precisions.pick_device()
    with torch.random.fork_rng(devices=[]):
        net = spec.build().to(device)
    choice = precisions.choose(net, device, wish)
    layout = torch.channels_last if choice.channels_last else torch.contiguous_format
    net.to(memory_format=layout)
    optimizer = make_optimizer([net], Optimization("adamw", 1e-3, 0.0))
    faces = torch.zeros(SAMPLE, spec.channels, spec.size, spec.size, device=device).contiguous(memory_format=layout)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=choice.bf16):
            loss = net(faces).float().square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) / SAMPLE
