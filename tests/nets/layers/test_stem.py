from __future__ import annotations

import pytest
import torch
from torch import nn

from facelet.errors import FaceletError
from facelet.nets.layers.stem import Stem, default_stride, require_size, scaled


@pytest.mark.parametrize(("size", "stride"), [(8, 1), (39, 1), (40, 2), (111, 2), (112, 4), (224, 4)])
def test_small_faces_are_not_divided_as_large_ones_are(size, stride):
    assert default_stride(size) == stride
    maps = Stem(1, 8, stride)(torch.randn(2, 1, size, size))
    assert maps.shape == (2, 8, *[-(-size // stride)] * 2)


def test_the_imagenet_stem_may_be_wide():
    wide = Stem(3, 8, 4, wide=7)
    assert wide.conv.kernel_size == (7, 7)
    assert isinstance(wide.pool, nn.MaxPool2d)
    assert Stem(3, 8, 2, wide=7).conv.kernel_size == (3, 3)


def test_widths_are_multiples_of_eight():
    assert [scaled(64, width) for width in (1.0, 0.5, 0.45, 0.01)] == [64, 32, 32, 8]


def test_faces_below_the_stride_are_refused():
    require_size(32, 32)
    with pytest.raises(FaceletError, match="31 px faces are too small for this net: its strides need at least 32 px"):
        require_size(31, 32)
