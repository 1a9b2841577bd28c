"""Trainings on identities that are broken, made by hand, and one that is not."""

from __future__ import annotations

import math

import pytest
import torch

from facelet.learn.tasks.diagnostics import StepDiagnostics, diagnosis, pulse

WELL = StepDiagnostics(step=5000, loss=2.0, own=0.6, lowest=0.2, others=0.01, spread=0.1)


def said(seen, **more):
    return diagnosis(seen, lr=0.1, margin=0.35, **more)


def test_a_pulse_by_hand():
    cosines = torch.tensor([[0.9, 0.1, 0.0], [0.3, 0.5, -0.1], [0.2, 0.2, 0.2]])
    seen = pulse(7, 1.5, cosines, torch.tensor([0, 1, -1]))
    assert (seen.step, seen.loss) == (7, 1.5)
    assert seen.own == pytest.approx(0.7)
    assert seen.lowest == pytest.approx(0.5)
    assert seen.others == pytest.approx((0.1 + 0.0 + 0.3 - 0.1) / 4)
    assert seen.spread == pytest.approx((0.3 + 0.2 + 0.05) / 3)


def test_what_a_pulse_cannot_tell_is_no_trouble():
    one = pulse(5000, 1.0, torch.tensor([[0.5, 0.1], [0.5, 0.1]]), torch.tensor([0, 0]))
    assert one.spread == math.inf, "faces of one identity may well look alike"
    assert said(one) == ""
    nobody = pulse(5000, 1.0, torch.rand(3, 4), torch.tensor([-1, -1, -1]))
    assert said(nobody) == ""


def test_a_training_that_is_well():
    assert said(WELL) == ""


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number(loss):
    sentence = said(WELL._replace(step=3, loss=loss))
    assert sentence.startswith(f"at step 3 the loss is {loss}: try a lower lr than 0.1, such as 0.03")


def test_a_collapse_is_told_from_the_faces():
    same = torch.tensor([[0.4, 0.1, -0.2]]).expand(4, 3)
    sentence = said(pulse(2000, 5.0, same, torch.tensor([0, 1, 2, 0])))
    assert sentence.startswith("at step 2000 the embedding has collapsed")
    assert "lower lr than 0.1" in sentence


def test_a_dead_margin_counts_after_the_warm_up():
    lost = WELL._replace(own=0.03, lowest=-0.2, others=0.0)
    assert said(lost._replace(step=999)) == "", "every training begins there"
    assert said(lost._replace(step=2999), warmup_steps=2000) == ""
    sentence = said(lost._replace(step=3000), warmup_steps=2000)
    assert "own identity (cosine 0.03) as from others (0.00)" in sentence
    assert "smaller margin than 0.35" in sentence


def test_saturated_cosines():
    done = torch.full((4, 3), 0.1)
    done[range(4), [0, 1, 2, 0]] = torch.tensor([0.999, 0.998, 1.0, 0.997])
    sentence = said(pulse(50, 0.0, done, torch.tensor([0, 1, 2, 0])))
    assert "at step 50 the cosines are saturated: every face has a cosine of 0.997 or more" in sentence
    done[0, 0] = 0.9
    assert said(pulse(50, 0.0, done, torch.tensor([0, 1, 2, 0]))) == ""
