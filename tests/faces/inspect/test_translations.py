"""The sheet of translated faces: sources above, results below."""

from __future__ import annotations

import cv2
import numpy as np

from facelet.faces import load
from facelet.faces.inspect.contact_sheet import CELL, COLUMNS, GAP, save_translations, translation_sheet
from facelet.faces.synthetic import synthetic_faces


def test_each_face_stands_below_its_source(tmp_path):
    train = load("toy?faces=60", size=16).labelled("train")
    train.classes = (*train.classes[:3], "sad/ness", *train.classes[4:])
    sources = [train.names[5], train.names[2]]
    made = synthetic_faces(np.full((2, 16, 16, 1), 9, np.uint8), np.array([3, 3]), sources, like=train, rule="")
    sheet = translation_sheet(train, made)
    assert sheet.shape == (2 * CELL + GAP, COLUMNS * (CELL + GAP) - GAP, 3)
    large = cv2.resize(train.images[2], (CELL, CELL), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(sheet[:CELL, CELL + GAP : 2 * CELL + GAP, 0], large)
    assert (sheet[CELL + GAP :, :CELL] == 9).all()
    assert (sheet[:, 2 * (CELL + GAP) :] == 255).all()
    save_translations(train, made, tmp_path / "sheet.png")
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], sheet)
