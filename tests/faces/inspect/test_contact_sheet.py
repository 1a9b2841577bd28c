from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.inspect.contact_sheet import CELL, GAP, MARGIN, contact_sheet, save_sheet


@pytest.mark.parametrize(("channels", "size"), [(1, 24), (3, 100)])
def test_a_row_for_each_class(face_set, channels, size):
    faces = face_set(channels=channels, size=size)
    sheet = contact_sheet(faces, columns=5)
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] >= 3 * (CELL + GAP)
    wider = contact_sheet(faces, columns=6)
    assert wider.shape[1] == sheet.shape[1] + CELL + GAP


def test_shows_the_faces_themselves(face_set):
    faces = face_set(size=CELL)
    sheet = contact_sheet(faces, columns=20)
    right, bottom = sheet.shape[1] - MARGIN, sheet.shape[0] - MARGIN
    corners = [
        (bottom - row * (CELL + GAP) - CELL, right - column * (CELL + GAP) - CELL)
        for row in range(3)
        for column in range(20)
    ]
    cells = {sheet[y : y + CELL, x : x + CELL, 0].tobytes() for y, x in corners}
    assert all(image.tobytes() in cells for image in faces.images)


def test_writes_a_png(face_set, tmp_path):
    save_sheet(face_set(), tmp_path / "sheet.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], contact_sheet(face_set()))


def test_nothing_to_show(face_set):
    faces = face_set()
    faces.labels[:] = -1
    with pytest.raises(FaceletError, match="no labelled faces"):
        contact_sheet(faces)
