import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.cartoon.person import MOVES, PROTOTYPES, Expression, draw_people, draw_views, perform, rows


def test_expressions_use_the_muscles_there_are():
    assert next(iter(PROTOTYPES)) == "neutral"
    assert len(PROTOTYPES) == 8
    for move in PROTOTYPES.values():
        assert set(move) <= set(Expression._fields)
    assert not MOVES[0].any()


def test_perform_scales_with_strength():
    full, half = perform(["surprise", "neutral"]), perform(["surprise", "neutral"], 0.5)
    assert full.open[0] == pytest.approx(PROTOTYPES["surprise"]["open"])
    np.testing.assert_allclose(half.open, full.open / 2)
    assert not np.stack(full)[:, 1].any()


def test_an_unknown_expression_has_a_nearest_name():
    with pytest.raises(FaceletError, match="did you mean 'happiness'"):
        perform(["hapiness"])


@pytest.mark.parametrize("draw", [draw_people, draw_views])
def test_draws_are_float32_in_rows_and_repeat_by_seed(draw):
    first, again = (draw(20, np.random.default_rng(4)) for _ in range(2))
    for column, same in zip(first, again, strict=True):
        assert column.dtype == np.float32
        assert len(column) == 20
        np.testing.assert_array_equal(column, same)
    assert not np.array_equal(first[0], draw(20, np.random.default_rng(5))[0])
    some = rows(first, np.array([3, 7]))
    assert type(some) is type(first)
    np.testing.assert_array_equal(some[0], first[0][[3, 7]])


def test_no_variety_is_a_plain_portrait():
    view = draw_views(50, np.random.default_rng(0), variety=0)
    for name in ("x", "y", "sin", "yaw", "pitch", "light_x", "light_y"):
        assert not getattr(view, name).any(), name
    assert (view.cover_x == 9).all()
    assert (view.light == 1).all()
