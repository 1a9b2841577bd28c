"""The measures of a face against degradations made by hand: each lowers its own measure and the score."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.cartoon.golden import golden_faces
from facelet.io.pixels import cv2
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.quality import COEFFICIENTS, Quality, measure, turn

FRONT = np.array([(30, 40), (70, 40), (50, 60), (35, 80), (65, 80)], np.float32)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """A drawn face of 96 pixels."""
    return cv2.resize(golden_faces(3)[0], (96, 96), interpolation=cv2.INTER_CUBIC)


def noisy(image: np.ndarray) -> np.ndarray:
    """With the texture that a photo has."""
    return np.clip(image + np.random.default_rng(0).normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def test_a_good_face_has_no_reasons(face):
    good = measure(noisy(face), 96, FRONT)
    assert good.reasons() == ()
    assert good.turn == 0


@pytest.mark.parametrize("sigma", [2, 4, 8])
def test_blur(face, sigma):
    good = measure(noisy(face), 96)
    blurred = measure(cv2.GaussianBlur(noisy(face), (0, 0), sigma), 96)
    assert blurred.sharpness < good.sharpness
    assert blurred.score < good.score


def test_a_very_blurred_face_is_said(face):
    assert measure(cv2.GaussianBlur(noisy(face), (0, 0), 8), 96).reasons() == ("blurred",)


def test_darkness_and_flatness(face):
    dark = measure((noisy(face) * 0.08).astype(np.uint8), 96)
    assert dark.light == pytest.approx(0.08 * measure(noisy(face), 96).light, abs=0.01)
    assert dark.reasons() == ("too dark",)
    assert dark.score < measure(noisy(face), 96).score
    assert measure(np.full((96, 96, 3), 128, np.uint8), 96).reasons() == ("no contrast",)


def test_the_measures_by_hand():
    """A chessboard of 0 and 255: half of it is white, and each neighbour differs by all of the range."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[:, :, None]
    measured = measure(board, 10)
    assert measured.light == pytest.approx(0.5)
    assert measured.contrast == pytest.approx(0.5)
    assert measured.sharpness == pytest.approx(4 / 0.5)


def test_size(face):
    sizes = [measure(noisy(face), side).score for side in (12, 24, 48, 96)]
    assert sizes == sorted(sizes)
    assert measure(noisy(face), 20).reasons() == ("small: 20 px",)
    assert measure(noisy(face), 20).reasons(smallest=16) == ()


def test_turn_does_not_depend_on_size_or_roll():
    nose = FRONT.copy()
    nose[2] = (66, 60)
    assert turn(nose) == pytest.approx(0.8)
    angle = np.deg2rad(35)
    roll = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    assert turn(3 * nose @ roll.T) == pytest.approx(0.8, abs=1e-5)
    assert turn(FRONT) == 0
    assert turn(np.zeros((5, 2), np.float32)) == 1


def test_a_turned_face_is_said(face):
    nose = FRONT.copy()
    nose[2] = (68, 60)
    turned = measure(noisy(face), 96, nose)
    assert turned.reasons() == ("turned away",)
    assert turned.score < measure(noisy(face), 96, FRONT).score


def test_extremes_are_probabilities():
    for image in (np.zeros((1, 1, 1), np.uint8), np.full((5, 900, 3), 255, np.uint8)):
        assert 0 < measure(image, 1).score < 1
    assert Quality(1, 0, 0, 0, 9).features().keys() == COEFFICIENTS.keys()


def test_the_score_by_hand(face):
    from facelet.runtime import quality

    measured = measure(noisy(face), 30, FRONT)
    total = quality.INTERCEPT
    for name, value in measured.features().items():
        total += quality.COEFFICIENTS[name] * value
    assert measured.score == pytest.approx(1 / (1 + np.exp(-total)))


def test_faces_below_the_minimum_are_left_out(tiny, studio):
    photo = np.repeat(np.hstack([np.full((24, 24, 1), 40, np.uint8), studio.shot(1)[:, :, :1]]), 3, axis=2)
    both = Analyzer(tiny).analyze(photo)
    assert len(both) == 2
    assert all(face.quality for face in both)
    scores = sorted(face.quality.score for face in both)
    (best,) = Analyzer(tiny, min_quality=sum(scores) / 2).analyze(photo)
    assert best.quality.score == scores[1]
    assert best.to_json()["quality"] == round(scores[1], 3)
    assert len(Analyzer(tiny).with_min_quality(sum(scores) / 2).analyze(photo)) == 1
    with pytest.raises(FaceletError, match="minimum quality of a face is 2; expected 0 to 1"):
        Analyzer(tiny, min_quality=2)


def test_a_ready_crop_has_a_quality(tiny, face):
    (seen,) = Analyzer(tiny).cropped([noisy(face)])
    assert seen.quality == measure(noisy(face), 96)
