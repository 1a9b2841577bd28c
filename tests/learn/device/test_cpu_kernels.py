"""learn.device.cpu_kernels: which layers are computed otherwise, and that their gradients are the same."""

import pytest
import torch
from torch import Tensor, nn

from facelet.learn.device.cpu_kernels import WIDEST, FastKernels


def gradient_of(conv: nn.Conv2d, maps: Tensor, mode: bool) -> tuple[str, Tensor, Tensor]:
    """Name of the output's gradient, the output, and the gradient of the weight."""
    conv.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        if mode:
            with FastKernels():
                out = conv(maps)
        else:
            out = conv(maps)
    out.float().square().mean().backward()
    return out.grad_fn.name(), out.detach(), conv.weight.grad.clone()


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(16, 8, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(16, 8, 3, stride=2, padding=1),
        nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
        nn.Conv2d(16, 32, 3, padding=1, groups=16),
    ],
    ids=["small", "small, bias", "depthwise", "depthwise, two outputs each"],
)
def test_gradients_are_the_same(conv):
    maps = torch.randn(4, 16, 2 * WIDEST, 2 * WIDEST, generator=torch.Generator().manual_seed(0))
    _, out, ours = gradient_of(conv, maps, mode=True)
    _, expected, theirs = gradient_of(conv, maps, mode=False)
    torch.testing.assert_close(out.float(), expected.float(), rtol=2e-2, atol=2e-2)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("side", [WIDEST, WIDEST + 1])
def test_small_maps_take_im2col(side):
    node, out, _ = gradient_of(nn.Conv2d(4, 4, 3, padding=1, bias=False), torch.randn(2, 4, side, side), mode=True)
    assert ("Im2col" in node) == (side <= WIDEST)
    assert out.dtype == torch.bfloat16


def test_depthwise_convolutions_are_in_float32():
    _, out, _ = gradient_of(nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False), torch.randn(2, 4, 5, 5), mode=True)
    assert out.dtype == torch.float32


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(16, 8, 3, padding=1, groups=2, bias=False),
        nn.Conv2d(16, 8, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(16, 8, 3, padding="same", bias=False),
    ],
    ids=["groups", "dilation", "padding by name"],
)
def test_other_convolutions_stay(conv):
    maps = torch.randn(2, 16, 4, 4)
    (node, *ours), (plain, *theirs) = (gradient_of(conv, maps, mode) for mode in (True, False))
    assert node == plain
    assert all(map(torch.equal, ours, theirs))


def test_numbers_and_pairs_are_the_same():
    maps, weight = torch.randn(2, 4, 5, 5), torch.randn(4, 4, 3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16), FastKernels():
        assert torch.equal(torch.conv2d(maps, weight, None, 2, 1), torch.conv2d(maps, weight, None, (2, 2), (1, 1)))


def test_it_needs_autocast_and_gradients():
    conv, maps = nn.Conv2d(4, 4, 1, bias=False), torch.randn(2, 4, 3, 3)
    with FastKernels():
        assert "Im2col" not in conv(maps).grad_fn.name()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            assert conv(maps).grad_fn is None


@pytest.mark.parametrize("bf16", [True, False])
def test_prelu_is_taken_in_both_precisions(bf16):
    prelu, maps = nn.PReLU(3), torch.randn(2, 3, 4, 4, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        expected = prelu(maps)
        with FastKernels():
            out = prelu(maps)
    assert "FastPrelu" in out.grad_fn.name()
    assert out.dtype == expected.dtype == (torch.bfloat16 if bf16 else torch.float32)
    assert torch.equal(out, expected)
    given = maps, prelu.weight
    for ours, theirs in zip(
        *(torch.autograd.grad(found.float().square().sum(), given) for found in (out, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-2)
    with FastKernels(), torch.no_grad():
        assert prelu(maps).grad_fn is None
