"""Verdicts claim no more than they may."""

from __future__ import annotations

import numpy as np
import pytest
from ledger_rows import FP32, INT8, by, row

from facelet.errors import FaceletError
from facelet.measure.ledger.ledger import compared, verdict
from facelet.measure.metrics.intervals import Difference


@pytest.mark.parametrize(
    ("others", "parent", "difference", "said"),
    [
        ({}, None, None, "first model: accuracy 86.0 % (n = 3,153 faces), no earlier model to compare with"),
        (
            {"control": True},
            None,
            None,
            "control: accuracy 86.0 % (n = 3,153 faces), no model with the same net to compare with",
        ),
        ({}, FP32, by(0.004, 0.006), "+0.4 points, inside the interval: no measurable gain"),
        ({}, FP32, by(-0.004, 0.006), "−0.4 points, inside the interval: no measurable loss"),
        ({}, FP32, by(0.014, 0.006), "+1.4 points (+0.8 to +2.0): a measurable gain"),
        ({}, FP32, by(-0.014, 0.006), "−1.4 points (−2.0 to −0.8): a measurable loss"),
        (INT8, FP32, by(-0.001, 0.004), "3.6× smaller, 1.9× faster, −0.1 points (inside the interval)"),
        (
            {**INT8, "p50_ms": 1.97},
            FP32,
            by(-0.001, 0.004),
            "no gain: int8 is slower than its fp32 parent; "
            "3.6× smaller, 1.3× slower, −0.1 points (inside the interval)",
        ),
        (
            {**INT8, "bytes": 5_100_000, "p50_ms": 1.5},
            FP32,
            by(0, 0.004),
            "no gain: int8 is not smaller than its fp32 parent and no faster than its fp32 parent; "
            "0.0 points (inside the interval)",
        ),
        (
            INT8,
            FP32,
            by(-0.02, 0.004),
            "3.6× smaller, 1.9× faster, but −2.0 points (−2.4 to −1.6), more than the 0.3 points allowed",
        ),
        ({**INT8, "machine": "another"}, FP32, by(0, 0.004), "3.6× smaller, 0.0 points (inside the interval)"),
        (
            {"step": "prune", "kind": "shrinking", "bytes": 2_000_000, "p50_ms": 1.6},
            FP32,
            by(-0.01, 0.005),
            "no gain: it is slower than its parent; 2.5× smaller, −1.0 points (−1.5 to −0.5)",
        ),
        (
            {"step": "prune", "kind": "shrinking", "bytes": 5_000_000, "p50_ms": 1.45},
            FP32,
            by(0, 0.005),
            "hardly smaller, hardly faster, 0.0 points (inside the interval)",
        ),
        (
            {"control": True},
            FP32,
            by(-0.012, 0.005),
            "control: student is better by 1.2 points (+0.7 to +1.7)",
        ),
        (
            {"control": True},
            FP32,
            by(-0.003, 0.005),
            "control: no measurable difference from student (−0.3 points, inside the interval)",
        ),
        (
            {"control": True},
            FP32,
            by(0.012, 0.005),
            "control: better than student by 1.2 points (+0.7 to +1.7): the additions to student cost accuracy",
        ),
        (
            {"control": True},
            FP32,
            Difference(0.0004, 0.0001, 0.0007, 3153),
            "control: better than student by 0.0 points (0.0 to +0.1): the additions to student cost accuracy",
        ),
    ],
)
def test_verdicts(others, parent, difference, said):
    assert verdict(row("other", **others), parent, difference) == said


def test_a_distilled_student_beside_its_teacher():
    teacher = row("teacher", 0.88, bytes=44_800_000, p50_ms=9.0)
    said = verdict(row("student", 0.86), teacher, by(-0.02, 0.01))
    assert said == "8.8× smaller, 6.0× faster, −2.0 points (−3.0 to −1.0)"


def test_allowance_of_the_row_counts():
    assert "more than" not in verdict(row(**{**INT8, "allowance": 0.05}), FP32, by(-0.02, 0.004))
    assert "0.1 points allowed" in verdict(
        row(step="prune", kind="shrinking", bytes=10, p50_ms=1, allowance=0.001), FP32, by(-0.02, 0.004)
    )


@pytest.mark.parametrize("other", [{"protocol": "ffff0000"}, {"split": "val"}, {"n": 17}])
def test_rows_of_different_faces_refuse_to_be_compared(other):
    for ask in (verdict, compared):
        with pytest.raises(FaceletError, match="'other' and 'student' cannot be compared: their"):
            ask(row("other", **other), FP32, by(0, 0.1))


def test_without_single_answers_the_rows_intervals_are_joined():
    """Newcombe's unpaired interval by its formula."""
    one, two = row(accuracy=0.90), row(accuracy=0.80)
    filled = compared(one, two)
    below = np.hypot(one.accuracy - one.accuracy_low, two.accuracy_high - two.accuracy)
    assert filled.change == pytest.approx(0.1)
    assert filled.change_low == pytest.approx(0.1 - below)
    assert filled.verdict.endswith("a measurable gain")
