"""Drawn photos: what must hold at every size; how they look was looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.runtime import lettering
from facelet.runtime.analyzer import Face
from facelet.runtime.draw import COLOURS, SMALLEST, colour_of, draw

LABELS = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"]


def face(box, best=1):
    rest = dict.fromkeys(LABELS, 0.04)
    x, y, width, height = box
    landmarks = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.75), (0.65, 0.75)]) * (width, height) + (x, y)
    return Face(box, 0.9, landmarks.astype(np.float32), LABELS[best], {**rest, LABELS[best]: 0.72})


def test_the_photo_itself_is_left_alone():
    photo = np.full((700, 900, 3), 120, np.uint8)
    drawn = draw(photo, [face((300.0, 200.0, 200.0, 260.0))])
    assert (photo == 120).all()
    assert drawn.shape == photo.shape
    assert drawn.dtype == np.uint8


def test_without_faces_nothing_is_drawn():
    photo = np.random.default_rng(0).integers(0, 256, (650, 700, 3), dtype=np.uint8)
    np.testing.assert_array_equal(draw(photo, []), photo)


def test_box_chip_and_bars_are_where_they_belong():
    photo = np.full((900, 900, 3), 120, np.uint8)
    changed = (draw(photo, [face((300.0, 300.0, 200.0, 260.0))]) != photo).any(axis=2)
    assert changed[300, 300:500].all()
    assert changed[300:560, 300].all()
    assert not changed[330:380, 330:350].any()
    assert changed[260:298, 300:400].mean() > 0.8
    assert changed[570:620, 310:480].mean() > 0.8
    rows, columns = np.nonzero(changed)
    assert rows.min() > 230
    assert rows.max() < 720
    assert columns.min() > 280
    assert columns.max() < 720


def test_captions_instead_of_expressions(monkeypatch):
    written = []
    monkeypatch.setattr("facelet.runtime.draw.put", lambda image, text, *rest: written.append(text))
    people = [Face((100.0 * place, 300.0, 80.0, 90.0), 1.0) for place in (1, 3, 5)]
    draw(np.full((900, 900, 3), 120, np.uint8), people, ["Anna 0.71", "unknown 0.12", "x" * 400])
    assert "1.00" in written
    written = [words for words in written if words != "1.00"]
    assert sorted(written) == ["Anna 0.71", "unknown 0.12", "x" * 400]


def test_a_question_mark_where_there_are_warnings(monkeypatch):
    written = []
    monkeypatch.setattr("facelet.runtime.draw.put", lambda image, text, *rest: written.append(text))
    people = [replace(face((300.0 * place, 300.0, 180.0, 190.0)), warnings=("small",) * place) for place in (0, 1)]
    draw(np.full((900, 900, 3), 120, np.uint8), people, ["Anna 0.71", "Berta 0.80"])
    assert {"Anna 0.71", "Berta 0.80 ?"} <= set(written)


@pytest.mark.parametrize("best", range(len(LABELS)))
def test_one_colour_a_label(best):
    assert colour_of(face((0.0, 0.0, 9.0, 9.0), best)) == COLOURS[best]


def test_small_and_grey_photos_are_enlarged_in_colour():
    drawn = draw(np.full((40, 30, 1), 90, np.uint8), [face((5.0, 5.0, 20.0, 25.0))])
    assert drawn.shape == (SMALLEST, SMALLEST * 30 // 40, 3)


def test_a_ready_crop():
    crop = Face((0.0, 0.0, 48.0, 48.0), 1.0, None, "fear", {"fear": 0.9, "anger": 0.1})
    assert draw(np.zeros((48, 48, 3), np.uint8), [crop]).any()


def test_a_face_without_expression():
    assert draw(np.zeros((700, 700, 3), np.uint8), [Face((100.0, 100.0, 90.0, 120.0), 0.87)]).any()


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.lists(
        st.tuples(st.floats(-300, 500), st.floats(-300, 500), st.floats(0.1, 900), st.floats(0.1, 900)), max_size=5
    ),
)
def test_faces_anywhere_and_of_any_size(shape, boxes):
    draw(np.zeros((*shape, 3), np.uint8), [face(box, number % 8) for number, box in enumerate(boxes)])


@pytest.mark.parametrize("scalable", sorted({False, lettering.SCALABLE}))
@pytest.mark.parametrize("size", [12, 20, 60])
def test_letters_take_the_room_they_say(scalable, size):
    words = "happiness 93%"
    width, capital = lettering.measure(words, size, scalable)
    picture = np.zeros((4 * size, width + 4 * size, 3), np.uint8)
    lettering.put(picture, words, (size, 2 * size), size, (255, 255, 255), scalable)
    rows, columns = np.nonzero(picture[..., 0] > 60)
    assert size - 2 <= columns.min()
    assert columns.max() <= size + width + 2
    assert columns.max() >= size + 0.9 * width
    assert 2 * size - rows.min() == pytest.approx(capital, abs=0.2 * size)
