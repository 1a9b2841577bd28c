"""learn.device.prelu: the gradients are those of torch.prelu."""

import pytest
import torch

from facelet.learn.device.prelu import FastPrelu


@pytest.mark.parametrize("slopes", [3, 1])
def test_gradients_are_those_of_finite_differences(slopes):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64).requires_grad_()
    torch.autograd.gradcheck(FastPrelu.apply, (maps, torch.full((slopes,), 0.25, dtype=torch.float64).requires_grad_()))


@pytest.mark.parametrize("slopes", [3, 1])
def test_gradients_are_those_of_torch(slopes):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 4, 5, generator=generator)
    maps[0, 0, 0, 0] = 0  # where the slope is that of the negative side
    maps.requires_grad_()
    slope = torch.full((slopes,), 0.25).requires_grad_()
    found, expected = FastPrelu.apply(maps, slope), torch.prelu(maps, slope)
    assert torch.equal(found, expected)
    signal = torch.randn(expected.shape, generator=generator)
    for ours, theirs in zip(
        *(torch.autograd.grad(out, (maps, slope), signal) for out in (found, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
