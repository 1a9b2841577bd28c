"""learn.device.im2col: the gradients are those of conv2d."""

import pytest
import torch

from facelet.learn.device.im2col import Im2colConv

SHAPES = [
    # kernel, stride, padding, height, width
    ((3, 3), (1, 1), (1, 1), 4, 4),
    ((3, 3), (2, 2), (1, 1), 6, 6),
    ((3, 3), (2, 2), (1, 1), 5, 7),
    ((3, 3), (2, 2), (0, 0), 6, 5),
    ((1, 1), (1, 1), (0, 0), 3, 3),
    ((1, 1), (2, 2), (0, 0), 4, 4),
    ((5, 5), (1, 1), (2, 2), 3, 3),
    ((3, 1), (1, 2), (1, 0), 4, 5),
    ((2, 2), (3, 3), (0, 0), 7, 7),
]


def inputs(kernel, height, width, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, height, width, generator=generator, dtype=dtype)
    return maps.requires_grad_(), torch.randn(4, 3, *kernel, generator=generator, dtype=dtype).requires_grad_()


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES)
def test_gradients_are_those_of_finite_differences(kernel, stride, padding, height, width):
    torch.autograd.gradcheck(
        lambda maps, weight: Im2colConv.apply(maps, weight, stride, padding), inputs(kernel, height, width)
    )


@pytest.mark.parametrize(("kernel", "stride", "padding", "height", "width"), SHAPES)
def test_gradients_are_those_of_conv2d(kernel, stride, padding, height, width):
    maps, weight = inputs(kernel, height, width)
    found = Im2colConv.apply(maps, weight, stride, padding)
    expected = torch.conv2d(maps, weight, None, stride, padding)
    assert torch.equal(found, expected)
    signal = torch.randn(expected.shape, dtype=expected.dtype, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(
        *(torch.autograd.grad(out, (maps, weight), signal) for out in (found, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
