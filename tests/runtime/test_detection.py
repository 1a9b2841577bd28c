"""Turned frames: boxes and landmarks mapped back exactly, angles."""

from __future__ import annotations

import numpy as np
import pytest

from facelet.runtime.detection import Detection, eye_line, from_frame, quarter_of, wrapped


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_a_box_in_a_frame_is_the_same_pixels_in_the_photo(quarter):
    photo = np.arange(7 * 11).reshape(7, 11)
    frame = np.rot90(photo, quarter)
    face = Detection((2.0, 1.0, 3.0, 4.0), 0.9, np.array([(2, 1), (5, 1), (3, 3), (2, 5), (5, 5)], np.float32))
    back = from_frame(face, quarter, photo.shape)
    left, top, width, height = map(int, back.box)
    np.testing.assert_array_equal(np.rot90(photo[top : top + height, left : left + width], quarter), frame[1:5, 2:5])
    corners = back.landmarks.min(axis=0).tolist(), back.landmarks.max(axis=0).tolist()
    assert corners == ([left, top], [left + width, top + height])
    assert back.roll == wrapped(90 * quarter) == pytest.approx(wrapped(eye_line(back.landmarks)))
    assert back.landmarks.dtype == np.float32


def test_the_eye_line_is_clockwise():
    right_eye_lower = np.array([(10, 10), (20, 20)], np.float32)
    assert eye_line(right_eye_lower) == pytest.approx(45)
    assert eye_line(right_eye_lower[::-1]) == pytest.approx(-135)


@pytest.mark.parametrize(("degrees", "same"), [(0, 0), (180, 180), (-180, 180), (190, -170), (370, 10), (-90, -90)])
def test_angles_are_wrapped(degrees, same):
    assert wrapped(degrees) == same


@pytest.mark.parametrize(("roll", "quarter"), [(0, 0), (44, 0), (-44, 0), (46, 1), (-46, 3), (180, 2), (-179, 2)])
def test_the_nearest_quarter(roll, quarter):
    assert quarter_of(roll) == quarter
