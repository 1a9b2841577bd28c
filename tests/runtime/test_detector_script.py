"""benchmarks/detector.py: what it counts as missed and as false."""

from __future__ import annotations

import numpy as np
import pytest

FACE, FAR, WALL = (10, 10, 20, 20), (100, 100, 20, 20), (200, 10, 40, 40)


@pytest.fixture(scope="module")
def script(benchmark_script):
    return benchmark_script("detector")


@pytest.mark.parametrize(
    ("found", "known", "counts"),
    [
        ([FACE], [FACE], (0, 0)),
        ([(8, 6, 22, 28)], [FACE], (0, 0)),
        ([], [FACE, FAR], (2, 0)),
        ([FACE, WALL], [FACE, FAR], (1, 1)),
        ([WALL], [], (0, 1)),
        ([(0, 0, 300, 300)], [FACE], (1, 1)),
        ([], None, (1, 0)),
        ([FACE, WALL], None, (0, 1)),
    ],
    ids=[
        "found",
        "taller",
        "missed",
        "one of each",
        "nobody there",
        "all of the photo",
        "none in a portrait",
        "two in one",
    ],
)
def test_missed_and_false(script, found, known, counts):
    assert script.count(found, known) == counts


def test_a_smaller_photo_has_smaller_boxes(script):
    case = script.scaled(script.Case(np.zeros((40, 80, 3), np.uint8), [[10, 20, 8, 4]]), 0.5)
    assert case.photo.shape == (20, 40, 3)
    assert case.boxes == [[5, 10, 4, 2]]
    assert script.scaled(script.Case(np.zeros((40, 80, 3), np.uint8), None), 0.5).boxes is None
