"""Faces followed from frame to frame, their answers steadied."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from facelet.runtime.face import Face
from facelet.runtime.media.tracker import Tracker, overlap


def face(left: float, top: float = 0, side: float = 10, **more) -> Face:
    return Face((left, top, side, side), 0.9, **more)


def sure(label: str, share: float = 1.0) -> dict[str, float]:
    other = "b" if label == "a" else "a"
    return dict(sorted({label: share, other: 1 - share}.items()))


def test_overlap_is_shared_area_over_both():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 10, 10)) == 0


def test_a_face_that_moves_stays_one_and_two_that_pass_stay_two():
    tracker = Tracker()
    for step in range(8):
        tracks = tracker.follow([face(4 * step), face(60 - 4 * step, top=3)], step / 10)
        assert [track.number for track in tracks] == [1, 2]
    assert [track.frames for track in tracker.tracks] == [8, 8]


def test_the_order_of_a_frames_faces_does_not_matter():
    tracker = Tracker()
    tracker.follow([face(0), face(50)], 0)
    assert [track.number for track in tracker.follow([face(51), face(1), face(90)], 0.1)] == [2, 1, 3]


def test_a_face_may_be_missed_for_a_while_and_no_longer():
    tracker = Tracker()
    tracker.follow([face(0)], 0)
    tracker.follow([], 0.5)
    assert tracker.follow([face(0)], 0.9)[0].number == 1
    assert tracker.follow([face(0)], 2.0)[0].number == 2


def test_expressions_are_steadied():
    tracker = Tracker()
    for step in range(10):
        track = tracker.follow([face(0, probabilities=sure("a"))], step / 10)[0]
    assert track.probabilities == pytest.approx({"a": 1, "b": 0})
    flicker = tracker.follow([face(0, probabilities=sure("b"))], 1.0)[0]
    assert flicker.expression == "a"
    assert sum(flicker.probabilities.values()) == pytest.approx(1)
    for step in range(11, 20):
        track = tracker.follow([face(0, probabilities=sure("b"))], step / 10)[0]
    assert track.expression == "b"
    assert track.answers["a"] > 10
    assert track.answers["a"] + track.answers["b"] == 20


def test_a_vector_is_the_mean_of_a_tracks_own():
    tracker = Tracker()
    one, other = np.eye(3, dtype=np.float32)[:2]
    for vector in (one, one, other):
        track = tracker.follow([face(0, identity=vector)], 0.1)[0]
    assert track.vector == pytest.approx(np.array([2, 1, 0]) / np.sqrt(5))
    assert track.expression is None
    assert Tracker().follow([face(0)], 0)[0].vector is None


def test_flicker_counts_changes_of_label_per_second():
    tracker = Tracker()
    labels = "aabbaabbaab"
    for step, label in enumerate(labels):
        (track,) = tracker.follow([face(0, probabilities=sure(label))], step / 10)
    changes = sum(new != old for old, new in itertools.pairwise(labels))
    assert track.changes[0] == changes == 5
    assert track.flicker[0] == pytest.approx(5 / 1.0)
    assert track.flicker[1] < track.flicker[0]
    assert Tracker().follow([face(0, probabilities=sure("a"))], 0)[0].flicker == (0, 0)


def test_of_a_stream_that_goes_on_for_days_the_longest_tracks_are_kept():
    tracker = Tracker(keep=3)
    seconds = 0.0
    for length in (1, 7, 2, 9, 1, 1, 8, 2, 1, 1, 2, 1, 1):
        for _ in range(length):
            seconds += 0.1
            tracker.follow([face(0)], seconds)
        seconds += 5
    assert tracker.count == 13
    assert len(tracker.tracks) <= 7
    assert {7, 9, 8} <= {track.frames for track in tracker.tracks}
    assert [track.number for track in tracker.tracks] == sorted(track.number for track in tracker.tracks)
