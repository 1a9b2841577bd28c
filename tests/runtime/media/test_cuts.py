"""Cuts in a video: found between drawn scenes and in a real clip; not where the camera or the light moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import facelet
from facelet.faces.cartoon.scene import draw_photo
from facelet.runtime.face import Face
from facelet.runtime.media.cuts import CutDetector
from facelet.runtime.media.tracker import Tracker
from facelet.runtime.media.video import Video


@pytest.fixture(scope="module")
def shots():
    """Three drawn shots, 320 pixels high, wide enough to move a window in: two people, one near, another in the evening."""
    wide, near, evening = (draw_photo(seed, faces=2, height=640) for seed in (0, 5, 9))
    dark = (evening.image * np.array([0.35, 0.25, 0.5])).astype(np.uint8)
    closer = [_around(near.image, near.boxes[0]), _around(dark, evening.boxes[1])]
    return [cv2.resize(image, (330, 320), interpolation=cv2.INTER_AREA) for image in (wide.image, *closer)]


def _around(image, box):
    left, top, width, height = box
    return image[max(0, top - 10) : top + height + 10, max(0, left - 10) : left + width + 10]


def window(photo, left: int):
    return np.ascontiguousarray(photo[:, left : left + 300])


def begun(frames) -> list[int]:
    cuts = CutDetector()
    return [number for number, frame in enumerate(frames) if cuts.began(frame)]


def test_a_cut_is_found_and_a_camera_that_turns_is_none(shots):
    frames = [window(photo, 2 * step) for photo in shots for step in range(10)]
    assert begun(frames) == [10, 20]


@pytest.mark.parametrize("size", [(40, 40), (640, 480)])
def test_the_size_of_the_frames_does_not_matter(shots, size):
    frames = [
        cv2.resize(window(photo, step), size, interpolation=cv2.INTER_AREA) for photo in shots for step in range(4)
    ]
    assert begun(frames) == [4, 8]


def test_light_that_changes_and_noise_are_no_cuts(shots):
    photo, rng = window(shots[0], 0).astype(np.float32), np.random.default_rng(0)
    frames = [np.clip(photo * share + rng.normal(0, 8, photo.shape), 0, 255) for share in np.linspace(1, 0.3, 12)]
    frames.insert(6, np.clip(photo * 1.6, 0, 255))
    assert begun(frame.astype(np.uint8) for frame in frames) == []


def test_a_fade_through_black_is_a_cut_and_back_to_the_same_is_none(shots):
    one, other, black = window(shots[0], 0), window(shots[1], 0), np.zeros((320, 300, 3), np.uint8)
    assert begun([one, black, black, other]) == [3]
    assert begun([one, black, black, one]) == []


def test_flat_frames_and_a_single_pixel():
    assert begun(np.full((1, 1, 3), shade, np.uint8) for shade in (0, 255, 0)) == []


@pytest.mark.real
@pytest.mark.parametrize("every", [0.0, 0.2, 0.5])
def test_the_cuts_of_a_real_clip(photos_folder, every):
    """Its shots begin at frames 20, 82 and 211."""
    cuts = CutDetector()
    with Video(photos_folder / "short_hamilton_clip.mp4") as video:
        found = [frame.number for frame in video.frames(every) if cuts.began(frame.image)]
    assert len(found) == 3
    for number, start in zip(found, (20, 82, 211), strict=True):
        assert start <= number <= start + 30 * every


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("identity", ["", "identity"])
def test_no_face_of_a_real_clip_is_followed_through_a_cut(photos_folder, yunet, identity):
    starts, seen = [0.0], []
    clip = photos_folder / "short_hamilton_clip.mp4"
    for frame in facelet.watch(clip, "expression", str(yunet), every=0.1, identity=identity):
        starts += [frame.seconds] * frame.cut
        seen.append((len(starts), [track.number for track in frame.tracks]))
    assert len(starts) == 4
    shots_of: dict[int, set[int]] = {}
    for shot, numbers in seen:
        for number in numbers:
            shots_of.setdefault(number, set()).add(shot)
    assert all(len(shots) == 1 for shots in shots_of.values())
    assert len(set().union(*shots_of.values())) >= 3, "faces are followed in three shots at least"


def unit(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def here(degrees: float | None = None) -> Face:
    return Face((0, 0, 10, 10), 0.9, identity=None if degrees is None else unit(degrees))


def test_a_cut_ends_every_track():
    tracker = Tracker()
    assert tracker.follow([here()], 0.0)[0].number == 1
    assert tracker.follow([here()], 0.1, cut=True)[0].number == 2
    assert tracker.follow([here()], 0.2)[0].number == 2
    assert [track.frames for track in tracker.tracks] == [1, 2]


def test_another_person_in_the_same_place_is_a_new_face():
    tracker = Tracker(threshold=0.4)
    numbers = [
        tracker.follow([here(angle)], number / 10)[0].number for number, angle in enumerate((0, 60, 10, 120, 130))
    ]
    assert numbers == [1, 1, 1, 2, 2]
    assert Tracker().follow([here(0)], 0.0)[0].number == 1
    blind = Tracker()
    assert [blind.follow([here(angle)], 0.1)[0].number for angle in (0, 120)] == [1, 1]
