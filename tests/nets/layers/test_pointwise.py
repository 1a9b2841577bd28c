from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from facelet.nets.layers.pointwise import Pointwise


@pytest.mark.parametrize(("inputs", "stride", "side"), [(3, 2, 9), (1, 2, 8), (3, 1, 8), (24, 2, 7)])
def test_it_is_the_convolution_it_says(inputs, stride, side):
    ours, theirs = Pointwise(inputs, 5, stride), nn.Conv2d(inputs, 5, 1, stride, bias=False)
    theirs.load_state_dict(ours.state_dict())
    maps = torch.rand(2, inputs, side, side, requires_grad=True)
    answers = [layer(maps) for layer in (ours, theirs)]
    assert torch.allclose(*answers, atol=1e-6)
    with torch.no_grad():
        assert torch.equal(ours(maps), theirs(maps))
    weights = torch.rand_like(answers[0])
    each = [
        torch.autograd.grad((answer * weights).sum(), (maps, layer.weight))
        for answer, layer in zip(answers, (ours, theirs), strict=True)
    ]
    for mine, given in zip(*each, strict=True):
        assert torch.allclose(mine, given, atol=1e-4)


LEARNS = """
import torch
from facelet import nets
net = nets.resolve("repvgg", classes=8, size=64, channels=3, width=0.25).build().to(memory_format=torch.channels_last)
faces = torch.rand({batch}, 3, 64, 64).contiguous(memory_format=torch.channels_last)
net(faces).square().mean().backward()
assert all(weight.grad.isfinite().all() for weight in net.parameters())
"""


@pytest.mark.slow
@pytest.mark.parametrize("batch", [77, 82])
def test_batches_that_crash_the_strided_one(batch):
    """In channels last at 64 px, on two threads: they ended the process, so it is one of its own."""
    words = [sys.executable, "-c", LEARNS.format(batch=batch)]
    done = subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "2"}, timeout=600, check=False)
    assert done.returncode == 0
