"""Which way up a face is, on a real photo that is rolled."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelet.runtime.detection import wrapped
from facelet.runtime.detector import Detector
from facelet.runtime.turns import LEVEL


def rolled(photo: np.ndarray, angle: float) -> np.ndarray:
    """Turned clockwise around its middle."""
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1)
    return cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


@pytest.fixture(scope="module")
def scene(portrait):
    """A square around the face, large enough to be turned."""
    return cv2.resize(portrait[:900, 100:1000], (600, 600), interpolation=cv2.INTER_AREA)


@pytest.mark.real
@pytest.mark.parametrize("angle", [-30, 45, 60, 90, 120, 150, 180, 225, 270, 330])
def test_the_roll_is_the_photos(yunet, scene, angle):
    (before,) = Detector(yunet)(scene)
    (face,) = Detector(yunet)(rolled(scene, angle))
    assert abs(wrapped(face.roll - angle)) < 12
    middle = [np.array(one.box[:2]) + np.array(one.box[2:]) / 2 - 300 for one in (before, face)]
    turn = np.radians(angle)
    expected = (
        middle[0][0] * np.cos(turn) - middle[0][1] * np.sin(turn),
        middle[0][0] * np.sin(turn) + middle[0][1] * np.cos(turn),
    )
    np.testing.assert_allclose(middle[1], expected, atol=0.12 * before.box[3])
    assert max(face.box[2:]) == pytest.approx(max(before.box[2:]), rel=0.12)


@pytest.mark.real
def test_a_face_that_is_close_to_upright_is_taken_as_it_is(yunet, scene):
    for angle in (0, LEVEL - 12, 12 - LEVEL):
        photo = rolled(scene, angle)
        (face,), (plain,) = Detector(yunet)(photo), Detector(yunet, turns="never")(photo)
        assert (face.box, face.score, face.roll) == (plain.box, plain.score, 0)
        np.testing.assert_array_equal(face.landmarks, plain.landmarks)


@pytest.mark.real
def test_never_leaves_every_face_as_it_is_found(yunet, scene):
    assert all(face.roll == 0 for face in Detector(yunet, turns="never")(rolled(scene, 30)))
