"""CycleGAN's nets: shapes, ranges, what a patch sees, and a gradient for every weight."""

from __future__ import annotations

import pytest
import torch

from facelet.learn.cyclegan.nets import Discriminator, Generator


@pytest.mark.parametrize(("channels", "size"), [(1, 48), (3, 32), (1, 20)])
def test_a_generator_gives_back_faces(channels, size):
    faces = torch.rand(2, channels, size, size) * 2 - 1
    made = Generator(channels, width=8, blocks=2)(faces)
    assert made.shape == faces.shape
    assert made.abs().max() <= 1


def test_each_residual_block_adds_to_its_input():
    net = Generator(1, width=4, blocks=1)
    block, maps = net.body[9], torch.randn(1, 16, 6, 6)
    torch.testing.assert_close(block(maps) - maps, block.body(maps))


@pytest.mark.parametrize(("layers", "side", "sees"), [(1, 24, 8), (2, 12, 18), (3, 6, 38)])
def test_a_discriminator_scores_patches(layers, side, sees):
    net = Discriminator(1, width=4, layers=layers).double().eval()
    faces = torch.randn(1, 1, 48, 48, dtype=torch.double, requires_grad=True)
    for module in net.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):  # sees the whole map; without it a score sees its patch
            module.forward = lambda maps: maps
    scores = net(faces)
    assert scores.shape == (1, 1, side, side)
    (gradient,) = torch.autograd.grad(scores[0, 0, side // 2, side // 2], faces)
    seen = gradient[0, 0].abs().sum(0).nonzero().flatten()
    assert seen[-1] - seen[0] + 1 == sees


def test_every_weight_learns():
    for net in (Generator(1, width=4, blocks=2), Discriminator(1, width=4)):
        net(torch.randn(2, 1, 16, 16)).square().mean().backward()
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in net.parameters())
