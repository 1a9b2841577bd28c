"""Crops: maps against hand cases and a second derivation of Umeyama's, pixels against slices and dense sampling."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.io import pixels
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.detection import Detection, from_frame

FACE = np.array([(40, 50), (80, 48), (61, 70), (45, 92), (77, 91)], np.float32)
BOX = (30.0, 25.0, 60.0, 80.0)


def smooth(height=160, width=140, channels=3):
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (9, 9, channels), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).reshape(height, width, channels)


def at(unit, points):
    return np.asarray(points) @ unit[:, :2].T + unit[:, 2]


def test_box_square_by_hand():
    unit = align.square(BOX, FACE, CropInfo())
    np.testing.assert_allclose(at(unit, [(0, 0), (1, 1)]), [(20, 25), (100, 105)])
    unit = align.square(BOX, FACE, CropInfo(margin=0.25))
    np.testing.assert_allclose(at(unit, [(0, 0), (1, 1)]), [(0, 5), (120, 125)])


@pytest.mark.parametrize("size", [16, 48, 80, 200])
def test_box_crop_is_a_resized_slice(size):
    photo = smooth()
    crop = align.cut(photo, BOX, FACE, CropInfo(), size)
    np.testing.assert_array_equal(crop, pixels.resize(photo[25:105, 20:100], size))


@pytest.mark.parametrize("box", [(-30, -20, 60, 60), (100, 120, 70, 70), (-20, -20, 300, 300), (500, 500, 40, 40)])
def test_outside_the_photo_its_edge_repeats(box):
    photo = smooth()
    crop = align.cut(photo, tuple(map(float, box)), FACE, CropInfo(), 48)
    side = max(box[2:])
    rows = np.clip(np.arange(box[1], box[1] + side), 0, photo.shape[0] - 1)
    columns = np.clip(np.arange(box[0], box[0] + side), 0, photo.shape[1] - 1)
    np.testing.assert_array_equal(crop, pixels.resize(photo[np.ix_(rows, columns)], 48))


def test_eyes_land_where_they_should():
    unit = align.square(BOX, FACE, CropInfo(align="eyes"))
    np.testing.assert_allclose(at(unit, align.EYES), FACE[:2], atol=1e-5)
    wide = align.square(BOX, FACE, CropInfo(align="eyes", margin=0.5))
    np.testing.assert_allclose(at(wide, (np.array(align.EYES) + 0.5) / 2), FACE[:2], atol=1e-5)


def test_eyes_that_fall_together_do_not_blow_the_face_up():
    profile = FACE.copy()
    profile[1] = profile[0] + (1, 0)
    unit = align.square(BOX, profile, CropInfo(align="eyes"))
    assert np.hypot(*unit[:, 0]) == pytest.approx(0.25 * BOX[2] / 0.4)
    profile[1] = profile[0]
    assert np.isfinite(align.square(BOX, profile, CropInfo(align="eyes"))).all()


def fit_by_least_squares(source, target):
    """Scaled turn (a, b) and shift as unknowns of a linear system: another way to the best similarity."""
    rows, wanted = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [(x, -y, 1, 0), (y, x, 0, 1)]
        wanted += [u, v]
    a, b, dx, dy = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return np.array([(a, -b, dx), (b, a, dy)])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(-np.pi, np.pi), st.floats(0.05, 500), st.floats(0, 0.05))
def test_umeyama_is_the_least_squares_similarity(seed, angle, scale, noise):
    rng = np.random.default_rng(seed)
    turn = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    target = align.ARCFACE @ turn.T + rng.normal(size=2) * 100 + rng.normal(size=(5, 2)) * noise * scale
    found = align.umeyama(align.ARCFACE, target)
    np.testing.assert_allclose(found, fit_by_least_squares(align.ARCFACE, target), atol=1e-6 * scale + 1e-9)


def test_umeyama_does_not_mirror():
    mirrored = align.ARCFACE * [-1, 1]
    assert np.linalg.det(align.umeyama(align.ARCFACE, mirrored)[:, :2]) > 0


def test_landmarks_that_are_one_point():
    crop = align.cut(smooth(), BOX, np.full((5, 2), 50, np.float32), CropInfo(align="five-points"), 24)
    assert crop.shape == (24, 24, 3)


@pytest.mark.parametrize("mode", ["eyes", "five-points"])
@pytest.mark.parametrize("size", [12, 24, 48, 112])
@pytest.mark.parametrize("angle", [0, 25, 180])
def test_warped_pixels_against_dense_sampling(mode, size, angle):
    """Every crop pixel is the mean of the photo over its square: 12 x 12 exact bilinear samples of it."""
    photo = smooth(1200, 1000)
    turn = cv2.getRotationMatrix2D((61, 70), angle, 6)
    landmarks = (FACE @ turn[:, :2].T + turn[:, 2] + (400, 500)).astype(np.float32)
    crop_info = CropInfo(align=mode, margin=0.1)
    unit = align.square((100, 100, 360, 480), landmarks, crop_info)
    dense = 12 * size
    shares = (np.arange(dense) + 0.5) / dense
    x, y = np.meshgrid(shares, shares)
    places = at(unit, np.stack([x, y], axis=-1)) - 0.5
    samples = cv2.remap(photo, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    expected = samples.reshape(size, 12, size, 12, 3).mean(axis=(1, 3))
    crop = align.cut(photo, (100, 100, 360, 480), landmarks, crop_info, size)
    assert np.abs(crop - expected).mean() < 1.0
    assert np.abs(crop - expected).max() < 12


def test_grey_photos_and_tiny_faces():
    grey = smooth(channels=1)
    for mode in ("box", "eyes", "five-points"):
        crop = CropInfo(align=mode)
        assert align.cut(grey, BOX, FACE, crop, 48).shape == (48, 48, 1)
        assert align.cut(grey, (5.0, 5.0, 0.4, 0.4), FACE / 200 + 5, crop, 48).shape == (48, 48, 1)
        assert align.cut(grey, (9e5, 9e5, 50.0, 50.0), FACE + 9e5, crop, 48).shape == (48, 48, 1)


def test_five_points_are_the_usual_alignment():
    """As InsightFace and OpenCV's SFace do it: landmarks to the template of 112 pixels, one cv2.warpAffine."""
    photo = smooth()
    usual = fit_by_least_squares(FACE, align.ARCFACE)
    expected = cv2.warpAffine(photo, usual, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    crop = align.cut(photo, BOX, FACE, CropInfo(align="five-points"), 112)
    assert np.abs(crop.astype(int) - expected).max() <= 2


def test_a_huge_box_is_not_laid_out(monkeypatch):
    photo, box = cv2.resize(smooth(), (3000, 3000)), (-500.0, -500.0, 4100.0, 4100.0)
    monkeypatch.setattr(align, "WHOLE", 5000)
    laid_out = align.cut(photo, box, FACE, CropInfo(), 48)
    monkeypatch.setattr(align, "WHOLE", 4096)
    tracemalloc.start()
    crop = align.cut(photo, box, FACE, CropInfo(), 48)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert np.abs(crop.astype(int) - laid_out).mean() < 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_turned_by_quarters_is_cut_as_if_the_photo_were_upright(quarters):
    photo = smooth()
    turned = np.ascontiguousarray(np.rot90(photo, -quarters))
    frame_face = Detection((30.25, 25.0, 60.0, 80.5), 0.9, FACE)
    face = from_frame(frame_face, quarters, turned.shape)
    for size in (16, 48, 200):
        upright = align.cut(photo, frame_face.box, FACE, CropInfo(margin=0.1), size)
        crop = align.cut(turned, face.box, face.landmarks, CropInfo(margin=0.1), size, face.roll)
        np.testing.assert_array_equal(crop, upright)


@pytest.mark.parametrize("roll", [-100, -30, 20, 65, 170])
def test_a_turned_square_by_hand(roll):
    """Its corners are those of the upright square, turned clockwise around the middle of the box."""
    unit = align.square(BOX, FACE, CropInfo(), roll)
    middle = np.array([60, 65])
    turn = np.radians(roll)
    for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = (np.array(corner) - 0.5) * 80
        offset = np.array([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)])
        np.testing.assert_allclose(at(unit, [corner])[0], middle + offset)


@pytest.mark.parametrize("roll", [-120, 33, 70])
def test_a_rolled_face_is_cut_upright(roll):
    """The photo is turned around the middle of the box: the crop shows what it shows of the photo before."""
    photo = smooth(600, 500)
    box = (150.0, 180.0, 160.0, 200.0)
    matrix = cv2.getRotationMatrix2D((230 - 0.5, 280 - 0.5), -roll, 1)
    turned = cv2.warpAffine(photo, matrix, (500, 600), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    crop = align.cut(turned, box, FACE, CropInfo(), 48, roll)
    assert np.abs(crop.astype(int) - align.cut(photo, box, FACE, CropInfo(), 48)).mean() < 1.5


def test_without_a_roll_nothing_has_changed():
    photo = smooth()
    for mode in ("box", "eyes", "five-points"):
        crop = CropInfo(align=mode)
        plain = align.cut(photo, BOX, FACE, crop, 48)
        np.testing.assert_array_equal(align.cut(photo, BOX, FACE, crop, 48, 0.0), plain)
        if mode != "box":
            np.testing.assert_array_equal(align.cut(photo, BOX, FACE, crop, 48, 30.0), plain)
