import numpy as np
import pytest

from facelet.faces.cartoon import render as cartoon
from facelet.faces.cartoon.person import PROTOTYPES, Expression, draw_people, draw_views, perform, rows
from facelet.faces.cartoon.render import LUMA, render

N = 12
NAMES = [list(PROTOTYPES)[number % 8] for number in range(N)]


def sitters(seed=0, variety=1.0, strength=1.0):
    rng = np.random.default_rng(seed)
    return draw_people(N, rng), perform(NAMES, strength), draw_views(N, rng, variety)


def same_face(*names, size=64):
    """One person, seen plainly, doing one thing after another: (len(names), size, size) grey."""
    rng = np.random.default_rng(1)
    person, view = draw_people(1, rng), draw_views(1, rng, variety=0)
    person = person._replace(glasses=person.glasses * 0, beard=person.beard * 0)
    many = np.zeros(len(names), np.int64)
    return render(rows(person, many), perform(names), rows(view, many), size, 1)[..., 0]


def test_shapes_and_range():
    for channels in (1, 3):
        drawn = render(*sitters(), 48, channels)
        assert drawn.shape == (N, 48, 48, channels)
        assert drawn.dtype == np.float32
        assert -0.05 < drawn.min() < drawn.max() < 1.5


def test_grey_is_the_luma_of_the_colours():
    np.testing.assert_allclose(render(*sitters(), 40, 1)[..., 0], render(*sitters(), 40, 3) @ LUMA, atol=1e-5)


def test_a_face_does_not_depend_on_its_neighbours():
    whole = render(*sitters(), 48, 1)
    alone = render(*(rows(group, slice(5, 6)) for group in sitters()), 48, 1)
    np.testing.assert_array_equal(whole[5:6], alone)


def test_windows_cut_nothing_off(monkeypatch):
    """Drawing features in bands of rows gives what drawing them on the whole picture gives, wild views included."""
    drawn = render(*sitters(variety=3, strength=1.2), 64, 1)
    for band in ("EYES", "NOSE", "MOUTH"):
        monkeypatch.setattr(cartoon, band, (-9.0, 9.0))
    np.testing.assert_array_equal(drawn, render(*sitters(variety=3, strength=1.2), 64, 1))


def test_small_faces_are_large_faces_seen_from_afar():
    large, small = (render(*sitters(), size, 1)[..., 0] for size in (192, 48))
    shrunk = large.reshape(N, 48, 4, 48, 4).mean(axis=(2, 4))
    assert np.abs(small - shrunk).mean() < 0.02
    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.99


def test_what_lies_behind_stays_where_there_is_nobody():
    person, expression, view = sitters(variety=0)
    view = view._replace(zoom=view.zoom * 0 + 4)
    behind = np.random.default_rng(0).random((N, 64, 64, 3), dtype=np.float32)
    drawn = render(person, expression, view, 64, 3, behind=behind)
    np.testing.assert_array_equal(drawn[:, :16], behind[:, :16])
    assert np.abs(drawn[:, 28:36, 28:36] - behind[:, 28:36, 28:36]).mean() > 0.1


@pytest.mark.parametrize(("name", "rows_of_change"), [("surprise", (10, 62)), ("contempt", (13, 62))])
def test_expressions_change_the_face_and_not_the_rest(name, rows_of_change):
    rest, done = same_face("neutral", name)
    changed = np.flatnonzero(np.abs(rest - done).max(axis=1) > 0.05)
    assert len(changed) > 10
    assert rows_of_change[0] <= changed.min()
    assert changed.max() <= rows_of_change[1]


def test_all_expressions_differ():
    faces = same_face(*PROTOTYPES)
    for one in range(8):
        for other in range(one):
            assert np.abs(faces[one] - faces[other]).max() > 0.2


def test_a_surprised_mouth_is_a_dark_hole():
    rest, surprised = same_face("neutral", "surprise")
    mouth = (slice(46, 52), slice(29, 35))
    assert surprised[mouth].mean() < rest[mouth].mean() - 0.1


def test_a_face_at_rest_is_symmetric_and_a_smirk_is_not():
    rng = np.random.default_rng(2)
    person, view = draw_people(1, rng), draw_views(1, rng, variety=0)
    person = person._replace(parting=person.parting * 0)
    view = view._replace(gaze=view.gaze * 0)
    lower = slice(36, 64)
    rest, smirk = (render(person, perform([name]), view, 64, 1)[0, lower, :, 0] for name in ("sadness", "contempt"))
    assert np.abs(rest - rest[:, ::-1]).mean() < 0.003
    assert np.abs(smirk - smirk[:, ::-1]).mean() > 0.005


def test_every_muscle_shows():
    rng = np.random.default_rng(3)
    person, view = draw_people(1, rng), draw_views(1, rng, variety=0)
    base = Expression(*(np.full(1, 0.3, np.float32) for _ in Expression._fields))
    rest = render(person, base, view, 96, 3)
    for name in Expression._fields:
        moved = base._replace(**{name: np.ones(1, np.float32)})
        assert np.abs(render(person, moved, view, 96, 3) - rest).max() > 0.05, name
