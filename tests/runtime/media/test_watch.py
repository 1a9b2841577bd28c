"""Faces of a video, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

import facelet
from facelet.errors import FaceletError
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.media.video import Video
from facelet.runtime.media.watch import analyzed_frames, tracker_for


def test_from_python(dusk, tiny, studio):
    seen = list(facelet.watch(dusk, model=tiny, every=0.5))
    assert [one.seconds for one in seen] == pytest.approx([0, 0.5, 1, 1.5], abs=0.02)
    assert [track.expression for track in seen[0].tracks] == ["bright", "dark"]
    assert seen[0].faces[0].expression == "bright"
    assert seen[0].image.shape == (48, 96, 3)


def test_the_tracks_last_after_the_frames(dusk, tiny, studio):
    analyzer = Analyzer(tiny)
    tracker = tracker_for(analyzer)
    with Video(dusk) as video:
        frames = list(analyzed_frames(video, analyzer, tracker))
    assert len(frames) == 20
    assert [track.frames for track in tracker.tracks] == [20, 20]
    assert tracker.tracks[0].answers["bright"] + tracker.tracks[0].answers["dark"] == 20


def test_people_are_told_apart_where_a_model_does(studio, film):
    """Another person in the same place begins a track of its own."""
    place = film(lambda number: studio.shot(1 if number < 10 else 2))
    analyzer = Analyzer(studio.model)
    tracker = tracker_for(analyzer)
    with Video(place) as video:
        seen = [result.tracks[0].number for result in analyzed_frames(video, analyzer, tracker)]
    assert seen == [1] * 10 + [2] * 10
    assert all(np.isclose(np.linalg.norm(track.vector), 1) for track in tracker.tracks)


@pytest.mark.parametrize("every", [-1.0, float("nan"), float("inf")])
def test_a_time_between_looks_is_checked(studio, dusk, tiny, every):
    with pytest.raises(FaceletError, match="seconds between frames are 0"):
        next(facelet.watch(dusk, model=tiny, every=every))
    with Video(dusk) as video, pytest.raises(FaceletError, match="seconds between frames are 0"):
        next(video.frames(every))
