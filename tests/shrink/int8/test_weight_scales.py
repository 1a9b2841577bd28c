"""Scales of weights that cannot saturate: the bound holds for any weights, and steps are no wider than they must be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facelet.shrink.int8.weight_scales import portable_scales, seven_bit_scales

weights = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-1e3, 1e3, width=32))


def integers(channels, scales):
    return np.abs(np.rint(channels / scales[:, None])).astype(int)


@given(weights)
def test_no_two_weights_of_a_channel_exceed_the_bound(channels):
    largest = np.sort(integers(channels, portable_scales(channels)), axis=1)[:, -2:]
    assert (largest.sum(1) <= 128).all()
    assert (largest <= 127).all()
    assert (np.sort(integers(channels, seven_bit_scales(channels)), axis=1)[:, -1] <= 64).all()


@given(weights)
def test_steps_are_at_most_those_of_seven_bits(channels):
    assert (portable_scales(channels) <= seven_bit_scales(channels) * 1.01).all()


@pytest.mark.parametrize(
    ("channel", "largest"),
    [([1.0, 1.0, 0.1], 64), ([2.0, 1.0, 0.1], 85), ([1.0, 0.0, 0.0], 127), ([-3.0, 1.0], 96), ([5.0], 127)],
)
def test_one_large_weight_keeps_finer_steps(channel, largest):
    row = np.array([channel], np.float32)
    assert integers(row, portable_scales(row)).max() == largest


def test_a_channel_of_zeros_has_a_scale():
    assert (portable_scales(np.zeros((2, 3), np.float32)) > 0).all()
