"""Drawn photos: what must hold at every size; how they look was looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.runtime.drawing import lettering
from facelet.runtime.drawing.draw import COLOURS, SMALLEST, _overlap, colour_of, draw
from facelet.runtime.face import Face

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
    monkeypatch.setattr("facelet.runtime.drawing.draw.put", lambda image, text, *rest: written.append(text))
    people = [Face((100.0 * place, 300.0, 80.0, 90.0), 1.0) for place in (1, 3, 5)]
    draw(np.full((900, 900, 3), 120, np.uint8), people, ["Anna 0.71", "unknown 0.12", "x" * 400])
    assert "1.00" in written
    written = [words for words in written if words != "1.00"]
    assert sorted(written) == ["Anna 0.71", "unknown 0.12", "x" * 400]


def test_warnings_are_spelled_out(monkeypatch):
    written = []
    monkeypatch.setattr("facelet.runtime.drawing.draw.put", lambda image, text, *rest: written.append(text))
    people = [
        replace(face((300.0 * place, 300.0, 180.0, 190.0)), warnings=("small: 9 px, measured from 48 px",) * place)
        for place in (0, 1)
    ]
    draw(np.full((900, 900, 3), 120, np.uint8), people, ["Anna 0.71", "Berta 0.80"])
    assert {"Anna 0.71", "Berta 0.80, small"} <= set(written)


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


def chips_of(monkeypatch, photo, faces, captions=()):
    """What is written on chips, and where the chips are."""
    chips = []
    monkeypatch.setattr(
        "facelet.runtime.drawing.draw._chip", lambda picture, words, colour, chip, size: chips.append((words, chip))
    )
    draw(photo, faces, captions)
    return chips


def test_percentages_are_never_left_out(monkeypatch):
    narrow = face((300.0, 300.0, 30.0, 40.0))
    assert [words for words, _ in chips_of(monkeypatch, np.zeros((900, 900, 3), np.uint8), [narrow])] == [
        "happiness 72%"
    ]


def test_bars_have_numbers(monkeypatch):
    written = []
    monkeypatch.setattr("facelet.runtime.drawing.draw.put", lambda image, text, *rest: written.append(text))
    draw(np.zeros((900, 900, 3), np.uint8), [face((300.0, 300.0, 200.0, 260.0))])
    assert written.count("72%") == 1
    assert written.count("4%") == 2


def test_labels_avoid_other_faces_and_each_other(monkeypatch):
    """A row of faces, narrower than their labels, with another row above them."""
    crowd = [face((100.0 + 60 * place, 300.0 + 60 * row, 44.0, 48.0)) for row in (0, 1) for place in range(4)]
    crowd = [crowd[0], crowd[3], crowd[4], crowd[7]]
    chips = [chip for _, chip in chips_of(monkeypatch, np.zeros((900, 900, 3), np.uint8), crowd)]
    boxes = [(x, y, x + width, y + height) for x, y, width, height in (one.box for one in crowd)]
    for number, chip in enumerate(reversed(chips)):
        others = [box for place, box in enumerate(boxes) if place != number] + [one for one in chips if one is not chip]
        assert not any(_overlap(chip, other) for other in others)


def test_labels_and_bars_cover_no_score(monkeypatch):
    """The score of a small face is below its box, where its label or its bars may be, too."""
    scores, panels = [], []
    module = "facelet.runtime.drawing.draw"
    monkeypatch.setattr(f"{module}._put_score", lambda picture, text, area, size: scores.append(area))
    monkeypatch.setattr(f"{module}._bars", lambda picture, face, panel, size: panels.append(panel))
    # The first has a neighbour above, so that its label is below; the last is narrow, with room for bars below.
    row = [face((300.0, 330.0, 40.0, 44.0)), face((300.0, 270.0, 40.0, 44.0)), face((600.0, 300.0, 56.0, 90.0))]
    chips = [chip for _, chip in chips_of(monkeypatch, np.zeros((900, 900, 3), np.uint8), row)]
    assert (len(scores), len(chips)) == (3, 3)
    assert panels
    assert not [(score, other) for score in scores for other in (*chips, *panels) if _overlap(score, other)]


def test_a_label_is_inside_the_photo(monkeypatch):
    photo = np.zeros((700, 700, 3), np.uint8)
    for x, y in ((0.0, 0.0), (660.0, 0.0), (660.0, 660.0), (0.0, 660.0)):
        ((_, (left, top, right, bottom)),) = chips_of(monkeypatch, photo, [face((x, y, 40.0, 40.0))])
        assert 0 <= left < right <= 700
        assert 0 <= top < bottom <= 700


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Zoë", "Zoe"),
        ("Анна Щукина", "Anna Shchukina"),
        ("Γιώργος", "Giorgos"),
        ("नेहा", "nehaa"),
        ("प्रिया", "priyaa"),
        ("Anna 🎉", "Anna :party popper:"),
        ("a\tb", "a b"),
    ],
)
def test_any_name_is_written_in_ascii(name, drawn):
    assert lettering.drawable(name, False) == drawn


@pytest.mark.skipif(not lettering.SCALABLE, reason="OpenCV 4 has the stroke font only")
@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("Zoë Ångström", "Zoë Ångström"),
        ("山田太郎", "山田太郎"),
        ("Анна", "Анна"),
        ("שלום", "םולש"),
        ("Anna שלום 2", "Anna םולש 2"),
        ("Anna 🎉", "Anna :party popper:"),
        ("नेहा", "nehaa"),
        ("?", "?"),
    ],
)
def test_what_the_font_has_is_kept_and_read_from_the_right_end(name, drawn):
    assert lettering.drawable(name, True) == drawn


def test_long_names_are_cut_by_what_is_drawn():
    assert lettering.shortened("Anna", 32) == "Anna"
    assert lettering.shortened("x" * 40, 32) == "x" * 29 + "..."
    assert len(lettering.drawable(lettering.shortened("🎉" * 9, 32))) <= 32


@pytest.mark.slow
@given(st.text(max_size=40))
@settings(deadline=None)
def test_any_text_can_be_drawn(text):
    for scalable in {False, lettering.SCALABLE}:
        drawn = lettering.drawable(text, scalable)
        assert drawn.isascii() or scalable
        lettering.measure(text, 16, scalable)
