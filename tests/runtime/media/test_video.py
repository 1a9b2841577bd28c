"""Frames of a file: which, when, and what is no video."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.runtime.media import video as room
from facelet.runtime.media.video import Video, Writer


def shade(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 10 * (number % 20), np.uint8)


@pytest.mark.parametrize("name", ["film.avi", "film.mp4"])
def test_every_frame_comes_in_order_with_its_time(film, name):
    with Video(film(shade, name=name)) as video:
        assert (video.size, video.fps, video.live) == ((64, 48), 10, False)
        frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(20))
    assert [frame.seconds for frame in frames] == pytest.approx(np.arange(20) / 10, abs=0.02)
    assert [frame.image.mean() for frame in frames] == pytest.approx(10 * np.arange(20), abs=6)
    assert frames[0].image.shape == (48, 64, 3)
    assert video.note == ""


@pytest.mark.parametrize(("every", "numbers"), [(0.5, [0, 5, 10, 15]), (0.25, [0, 3, 5, 8, 10, 13, 15, 18]), (9, [0])])
def test_frames_between_are_passed_over(film, every, numbers):
    with Video(film(shade)) as video:
        assert [frame.number for frame in video.frames(every)] == numbers


def test_colours_are_rgb(film):
    with Video(film(lambda number: np.full((48, 64, 3), (200, 100, 20), np.uint8))) as video:
        colour = next(video.frames()).image.mean((0, 1))
    assert colour == pytest.approx((200, 100, 20), abs=8)


def test_a_reader_may_stop_in_the_middle(film):
    with Video(film(shade)) as video:
        for frame in video.frames():
            if frame.number == 3:
                break
    assert frame.number == 3


def test_a_file_that_is_cut_short_ends_early(film):
    path = film(shade, frames=200, name="film.avi")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen = []
    with contextlib.suppress(FaceletError), Video(path) as video:  # an index that is gone may leave nothing to read
        seen = list(video.frames())
    assert len(seen) < 200


def test_fewer_frames_than_said_are_told(film):
    with Video(film(shade)) as video:
        video.count = 40
        assert len(list(video.frames())) == 20
    assert video.note.endswith("ends after 20 of the 40 frames in its header")


def test_what_is_no_video_is_refused(tmp_path, film, monkeypatch):
    (tmp_path / "torn.mp4").write_bytes(b"nothing of the kind")
    for place, said in (
        (tmp_path / "torn.mp4", "not a video that OpenCV can read"),
        (tmp_path / "fil.avi", "no video"),
        (tmp_path, "is not a file"),
    ):
        with pytest.raises(FaceletError, match=said):
            Video(place)
    monkeypatch.setattr(room, "MAX_PIXELS", 1000)
    with pytest.raises(FaceletError, match="64 x 48 pixels cannot be read"):
        Video(film(shade))


def test_what_is_written_can_be_read(tmp_path):
    writer = Writer(tmp_path / "out.mp4", 5)
    for number in range(6):
        writer.add(shade(number * 3))
    writer.close()
    with Video(tmp_path / "out.mp4") as video:
        assert video.fps == 5
        assert [frame.image.mean() for frame in video.frames()] == pytest.approx(30 * np.arange(6), abs=8)


def test_a_frame_of_another_size_is_fitted(tmp_path):
    writer = Writer(tmp_path / "out.mp4", 5)
    for size in ((48, 64), (96, 128)):
        writer.add(np.full((*size, 3), 100, np.uint8))
    writer.close()
    with Video(tmp_path / "out.mp4") as video:
        assert [frame.image.shape for frame in video.frames()] == [(48, 64, 3)] * 2


def test_an_encoder_that_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(room.cv2, "VideoWriter_fourcc", lambda *letters: 0x7A7A7A7A)
    with pytest.raises(FaceletError, match="no MP4 encoder"):
        Writer(tmp_path / "none" / "out.mp4", 5).add(shade(1))
