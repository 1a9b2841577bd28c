"""Which way up a face is: the peak of its score, and real photos that are rolled."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelet.runtime.detection import Detection, wrapped
from facelet.runtime.detector import Detector
from facelet.runtime.turns import DIGITS, NEAR, _peak, canvas, common, in_photo


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
    for angle in (0, -4, 4):
        photo = rolled(scene, angle)
        (face,), (plain,) = Detector(yunet)(photo), Detector(yunet, turns="never")(photo)
        assert (face.box, face.score, face.roll) == (plain.box, plain.score, 0)
        np.testing.assert_array_equal(face.landmarks, plain.landmarks)


@pytest.mark.real
def test_never_leaves_every_face_as_it_is_found(yunet, scene):
    assert all(face.roll == 0 for face in Detector(yunet, turns="never")(rolled(scene, 30)))


@pytest.mark.parametrize("turn", [-170, -100, -47, -20, 0, 13, 44, 95, 135, 180])
def test_the_peak_of_the_score(turn):
    """Of a score that falls with the square of the angle, and is 0.57 beyond 60 degrees; upside down it has a lower peak."""

    def score(angle: float) -> float:
        away, other = abs(wrapped(angle - turn)), abs(wrapped(angle - turn - 180))
        return max(0.57, 0.94 - away**2 / 14_000, 0.86 - other**2 / 14_000)

    asked = []
    assert abs(wrapped(_peak(lambda angle: asked.append(angle) or score(angle), quarters=True) - turn)) < 4
    assert len(asked) == len(set(asked)) <= 9
    assert _peak(score, quarters=True) == round(_peak(score, quarters=True), DIGITS)
    if abs(turn) < 45:
        assert abs(wrapped(_peak(score, quarters=False) - turn)) < 4


@pytest.mark.parametrize("angle", [-140, -33, 20, 90, 175])
def test_a_canvas_holds_the_photo_and_leads_back(angle):
    photo = np.zeros((60, 90, 3), np.uint8)
    photo[:, :45] = 200
    photo[:30, 45:] = 90
    image, unit = canvas(photo, angle)
    for x, y, value in ((20, 30, 200), (65, 15, 90)):
        point = np.linalg.solve(unit[:, :2], np.array([x, y]) - unit[:, 2]).astype(int)
        assert abs(int(image[point[1], point[0], 0]) - value) <= 1
    corners = np.array([(0, 0), (90, 0), (0, 60), (90, 60)]) - unit[:, 2]
    inside = np.linalg.solve(unit[:, :2], corners.T).T
    assert inside.min() > -0.01
    assert (inside < np.array(image.shape[1::-1]) + 0.01).all()


def test_a_face_of_a_turned_part_by_hand():
    """A part that is turned by 90 degrees clockwise, at twice the photo's scale, whose corner is at (100, 50)."""
    seen = Detection((20.0, 40.0, 60.0, 80.0), 0.9, np.tile(np.float32((20, 40)), (5, 1)))
    face = in_photo(seen, np.array([(0, -0.5, 100), (0.5, 0, 50)]), 90)
    assert face.box == pytest.approx((100 - 60, 50 + 10, 40, 30))
    assert face.roll == 90
    assert face.landmarks[0].tolist() == [80, 60]


def test_the_common_turn_of_a_photo():
    faces = [Detection((0, 0, 1, 1), 0.9, np.zeros((5, 2), np.float32), roll) for roll in (170, -170, 0)]
    assert abs(common(faces)) == pytest.approx(180)
    assert common(faces[1:]) == 0
    assert common([]) == 0
    assert NEAR < 45
