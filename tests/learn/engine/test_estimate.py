from __future__ import annotations

import pytest

from facelet.learn.engine import estimate
from facelet.nets import NetSpec

SPECS = [NetSpec("resnet18", classes) for classes in (2, 3)]


@pytest.fixture
def bare(monkeypatch):
    """A training whose steps take the seconds of a list, in turn; ``made`` says of which nets and batches."""

    class Bare:
        made, seconds = [], {}

        def __init__(self, spec, batch, wish, device):
            self.made.append((spec.classes, batch, wish, device))
            self.left = iter(self.seconds[spec.classes])

        def step(self):
            return next(self.left)

    monkeypatch.setattr(estimate, "_Bare", Bare)
    monkeypatch.setattr(estimate, "_timed", {})
    return Bare


def test_the_quickest_of_three_steps_once_for_each_net(bare):
    bare.seconds[2], bare.seconds[3] = [9.0, 3.2, 6.4], [1.0, 1.0, 0.64]
    for _ in range(2):
        assert estimate.seconds_per_face(SPECS[0]) == pytest.approx(3.2 / estimate.SAMPLE)
    assert estimate.seconds_per_face(SPECS[1], "fp32", "cpu") == pytest.approx(0.64 / estimate.SAMPLE)
    assert bare.made == [(2, estimate.SAMPLE, "auto", "auto"), (3, estimate.SAMPLE, "fp32", "cpu")]


def test_steps_in_turn_are_medians_without_the_first_round(bare):
    bare.seconds[2], bare.seconds[3] = [99.0, 1.0, 5.0, 2.0], [99.0, 7.0, 7.0, 8.0]
    assert estimate.steps_in_turn(SPECS, 16, rounds=3) == [2.0, 7.0]
    assert [made[1] for made in bare.made] == [16, 16]
