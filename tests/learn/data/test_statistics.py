"""Input statistics against numpy on all pixels; class weights by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.learn.data import statistics
from facelet.learn.data.statistics import class_shares, class_weights, input_statistics


@pytest.mark.parametrize("channels", [1, 3])
def test_statistics_are_numpys(channels):
    images = np.random.default_rng(0).integers(0, 200, (1203, 6, 6, channels), np.uint8)
    mean, std = input_statistics(images)
    pixels = images.reshape(-1, channels) / 255
    assert mean == pytest.approx(pixels.mean(0).tolist(), abs=1e-5)
    assert std == pytest.approx(pixels.std(0).tolist(), abs=1e-5)


def test_many_faces_are_sampled_evenly(monkeypatch):
    monkeypatch.setattr(statistics, "ENOUGH", 10)
    images = np.repeat(np.arange(100, dtype=np.uint8), 16).reshape(100, 4, 4, 1)
    assert input_statistics(images)[0][0] == pytest.approx(np.arange(0, 100, 10).mean() / 255, abs=1e-5)


def test_blank_faces_divide_by_something():
    assert input_statistics(np.full((5, 4, 4, 1), 7, np.uint8))[1][0] == pytest.approx(1 / 255, abs=1e-6)


def test_class_weights_by_hand():
    labels = np.array([0] * 6 + [1] * 2 + [-1] * 5)
    weights = class_weights(labels, 3)
    assert weights.tolist() == pytest.approx([8 / (2 * 6), 8 / (2 * 2), 0])
    assert weights[labels[labels >= 0]].mean() == pytest.approx(1)


def test_class_shares_are_those_of_the_targets():
    labels = np.array([0, 0, 0, 2, -1])
    assert class_shares(labels, None, 4).tolist() == pytest.approx(
        [3 / 6, 1 / 6, 1 / 6, 1 / 6]
    )  # at least one face each
    votes = np.array([[1, 0], [0.5, 0.5], [0, 1], [1, 0]], np.float32)
    assert class_shares(labels[:4], votes, 2).tolist() == pytest.approx([2.5 / 4, 1.5 / 4])
