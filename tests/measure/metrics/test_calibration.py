"""Temperatures: found again where they are known, by a search of their own, and without a change of any answer."""

import numpy as np
import pytest

from facelet.measure.metrics.calibration import FEWEST, LEAST, MOST, cooled, temperature


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def drawn(n=20_000, seed=0):
    """Logits, and truths drawn by their probabilities: perfectly calibrated."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (n, 5))
    edges = softmax(logits).cumsum(1)
    return logits, (random.random(n)[:, None] > edges).sum(1).clip(0, 4)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(factor):
    logits, truth = drawn()
    assert temperature(softmax(logits * factor), truth) == pytest.approx(factor, rel=0.03)


def test_it_has_the_least_loss_of_a_grid():
    logits, truth = drawn(300, seed=3)
    answers = softmax(logits * 1.7)
    losses = {
        factor: -np.log(softmax(np.log(answers) / factor)[np.arange(300), truth]).mean()
        for factor in np.linspace(0.5, 4, 701)
    }
    assert temperature(answers, truth) == pytest.approx(min(losses, key=losses.get), abs=0.01)


def test_cooling_is_dividing_logits_and_changes_no_answer():
    logits, _ = drawn(200)
    found = cooled(softmax(logits), 1.8)
    np.testing.assert_allclose(found, softmax(logits / 1.8), atol=1e-6)
    assert (found.argmax(1) == logits.argmax(1)).all()
    assert found.dtype == np.float32


def test_answers_of_zero_and_one_stay_finite():
    answers = np.eye(3, dtype=np.float32)[np.arange(90) % 3]
    found = cooled(answers, 3.0)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_all_right_stops_at_the_edge_and_all_wrong_at_the_other():
    answers, truth = softmax(np.eye(3)[np.arange(90) % 3] * 2), np.arange(90) % 3
    assert temperature(answers, truth) == pytest.approx(LEAST, rel=0.02)
    assert temperature(answers, (truth + 1) % 3) == pytest.approx(MOST, rel=0.02)


def test_few_faces_and_faces_without_an_answer_choose_nothing():
    logits, truth = drawn(FEWEST - 1)
    assert temperature(softmax(logits * 3), truth) == 1.0
    logits, truth = drawn(200)
    assert temperature(softmax(logits * 3), np.full(200, -1)) == 1.0
