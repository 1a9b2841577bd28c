from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.models.model_file import NEVER, ExitInfo
from facelet.shrink.exits.thresholds import KEPT, ExitMacs, choose, choose_exits, confidence, curve, thinned


@pytest.fixture(scope="module")
def answers():
    """Logits of three exits, the deeper the better, and labels of 90 faces of four classes; MACs up to each exit."""
    random = np.random.default_rng(3)
    labels = random.integers(0, 4, 90)
    right = np.eye(4)[labels]
    logits = np.stack([strength * right + random.normal(0, 1.5, (90, 4)) for strength in (1, 2, 4)])
    return logits.astype(np.float32), labels, (10, 30, 100)


@pytest.mark.parametrize("threshold", [NEVER, 1.0, 0.8, 0.5, 0.0])
def test_a_point_is_what_face_after_face_does(answers, threshold):
    logits, labels, macs = answers
    right, spent, stops = 0, 0, [0, 0, 0]
    for face, label in enumerate(labels):
        for exit_ in range(3):
            powers = np.exp(logits[exit_, face] / 1.5)
            if exit_ == 2 or powers.max() / powers.sum() >= threshold:
                right, spent = right + (powers.argmax() == label), spent + macs[exit_]
                stops[exit_] += 1
                break
    (point,) = curve(logits, labels, macs, temperature=1.5, thresholds=(threshold,))
    assert point.accuracy == pytest.approx(right / 90)
    assert point.macs == pytest.approx(spent / 90)
    assert point.shares == pytest.approx(np.array(stops) / 90)


def test_the_curve_runs_from_never_to_at_once(answers):
    points = curve(*answers)
    assert points[0].shares == (0, 0, 1)
    assert points[-1].shares == (1, 0, 0)
    assert [point.macs for point in points] == sorted((point.macs for point in points), reverse=True)


@pytest.mark.parametrize("allowance", [0.0, 0.02, 0.1, 1.0])
def test_the_choice_is_the_least_work_within_the_allowance(answers, allowance):
    points = curve(*answers)
    chosen = choose(points, allowance)
    assert chosen.accuracy >= points[0].accuracy - allowance - 1e-9
    assert all(p.macs >= chosen.macs for p in points if p.accuracy >= points[0].accuracy - allowance)
    assert allowance < 1 or chosen.shares == (1, 0, 0)


def test_work_adds_up_stage_after_stage():
    work = ExitMacs(stages=(10, 20, 70, 5), heads=(1, 2, 3))
    assert work.upto([0, 1, 2]) == [11, 33, 106, 111]
    assert work.upto([1]) == [32, 107]


@pytest.mark.parametrize("heads", [(1, 1), (1, 60), (60, 1), (9, 60)])
@pytest.mark.parametrize("allowance", [0.0, 0.05, 0.3])
def test_the_exits_kept_spend_least_of_all_choices(answers, heads, allowance):
    logits, labels, _ = answers
    work, spent = ExitMacs((10, 20, 70), heads), {}
    least = (logits[2].argmax(1) == labels).mean() - allowance
    for first, second in ((True, False), (False, True), (True, True)):
        for threshold in (*(step / 200 for step in range(201)), 2.0):
            right, macs = 0, 0
            for face, label in enumerate(labels):
                for k, here in ((0, first), (1, second), (2, True)):
                    macs += work.stages[k] + (heads[k] if here and k < 2 else 0)
                    powers = np.exp(logits[k, face])
                    if k == 2 or (here and powers.max() / powers.sum() >= threshold):
                        right += logits[k, face].argmax() == label
                        break
            if right / len(labels) >= least - 1e-9:
                kept = tuple(np.flatnonzero([first, second]))
                spent[kept] = min(macs / len(labels), spent.get(kept, np.inf))
    chosen = choose_exits(logits, labels, work, allowance)
    assert spent[chosen] == pytest.approx(min(spent.values()))


def test_of_equal_choices_the_fewer_exits_are_kept():
    logits = np.zeros((4, 6, 3), np.float32)
    logits[3, :, 1] = 9  # no exit is ever sure, or right
    labels = np.ones(6, np.int64)
    assert choose_exits(logits, labels, ExitMacs((10, 10, 10, 10), (0, 0, 0)), 0.0) == (0,)


def test_confidence_is_the_softmaxs_largest():
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    powers = np.exp(logits / 2)
    np.testing.assert_allclose(confidence(logits, 2.0), (powers / powers.sum(1, keepdims=True)).max(1), rtol=1e-6)


def test_a_file_keeps_a_dozen_points_between_which_speed_is_set(answers):
    points = curve(*answers)
    kept = thinned(points)
    assert 2 <= len(kept) <= KEPT
    info = ExitInfo(threshold=0.9, macs=(10, 30, 100), points=kept)
    assert info.at(0) == NEVER
    assert info.at(1) == 0
    thresholds = [info.at(speed) for speed in np.linspace(0, 1, 41)]
    assert thresholds == sorted(thresholds, reverse=True)
    macs = [point.macs for point in points]
    for speed in (0.25, 0.5, 0.75):  # the share of the savings, as nearly as a dozen points tell
        (point,) = curve(*answers, thresholds=(info.at(speed),))
        assert (macs[0] - point.macs) / (macs[0] - macs[-1]) == pytest.approx(speed, abs=0.12)


@pytest.mark.parametrize("speed", [-0.1, 1.01, float("nan")])
def test_a_speed_outside_is_refused(answers, speed):
    info = ExitInfo(threshold=0.9, macs=(10, 30, 100), points=thinned(curve(*answers)))
    with pytest.raises(FaceletError, match=r"expected 0 .* to 1"):
        info.at(speed)


def test_settings_that_contradict_each_other_are_refused(answers):
    kept = thinned(curve(*answers))
    with pytest.raises(ValueError, match="faster settings must have lower thresholds"):
        ExitInfo(threshold=0.9, macs=(10, 30, 100), points=kept[::-1])
