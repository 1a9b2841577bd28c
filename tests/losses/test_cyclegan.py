"""CycleGAN's losses against loops."""

from __future__ import annotations

import pytest
import torch

from facelet.losses.cyclegan import adversarial, distance


@pytest.mark.parametrize("real", [True, False])
def test_adversarial_is_the_mean_square_to_what_it_should_be(real):
    scores = torch.randn(3, 1, 2, 4)
    for face, found in zip(scores, adversarial(scores, real), strict=True):
        squares = [(float(score) - real) ** 2 for score in face.flatten()]
        assert float(found) == pytest.approx(sum(squares) / 8, rel=1e-5)


def test_distance_is_the_mean_absolute_difference():
    faces, others = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    for one, other, found in zip(faces, others, distance(faces, others), strict=True):
        differences = [abs(float(a) - float(b)) for a, b in zip(one.flatten(), other.flatten(), strict=True)]
        assert float(found) == pytest.approx(sum(differences) / 48, rel=1e-5)
    assert distance(faces, faces).sum() == 0
