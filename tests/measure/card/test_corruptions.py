"""Conditions: what each does to pixels, and that it does the same each time."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from facelet.io import pixels
from facelet.measure.card import corruptions
from facelet.measure.card.corruptions import levels


def drawn(n=6, side=48, channels=3):
    """Smooth faces with edges and a little noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side - 0.5
    face = 90 + 100 * (x**2 / 0.14 + y**2 / 0.2 < 1) - 60 * (abs(y - 0.2) < 0.03) * (abs(x) < 0.2)
    return np.clip(face[None, :, :, None] + rng.normal(0, 6, (n, side, side, channels)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", levels(112), ids=str)
def test_every_level_keeps_the_shape_and_repeats_itself(level, channels):
    faces = drawn(channels=channels)
    before = faces.copy()
    worse = level.change(faces)
    assert worse.shape == faces.shape
    assert worse.dtype == np.uint8
    assert np.array_equal(faces, before)
    assert np.array_equal(worse, level.change(faces))
    assert np.array_equal(worse[:2], level.change(faces[:2]))
    assert all((a != b).any() for a, b in zip(worse, faces, strict=True))


@pytest.mark.parametrize("name", ["blur", "little light", "turned", "small", "JPEG"])
def test_levels_go_from_mild_to_severe(name):
    faces = drawn(side=64)
    apart = [np.abs(level.change(faces).astype(int) - faces).mean() for level in levels(64) if level.condition == name]
    assert len(apart) == 3
    assert apart == sorted(apart)


def test_smallness_is_what_the_model_does_not_see_anyway():
    def small(side):
        return [level.strength for level in levels(side) if level.condition == "small"]

    assert small(48) == ["32 px", "24 px", "16 px"]
    assert small(32) == ["24 px", "16 px"]
    assert [name for name, _ in groupby(level.condition for level in levels(16))] == [
        "blur", "little light", "turned", "covered", "JPEG",
    ]  # fmt: skip


def test_a_small_face_is_what_the_runtime_makes_of_one():
    faces = drawn()
    for face, worse in zip(faces, corruptions.shrunk(faces, 24), strict=True):
        assert np.array_equal(worse, pixels.resize(pixels.resize(face, 24), 48))


def test_light_goes_by_halvings():
    grey = np.full((2, 48, 48, 1), 200, np.uint8)
    for stops in (1, 2, 3):
        expected = 255 * ((200 / 255) ** 2.2 / 2**stops) ** (1 / 2.2)
        assert corruptions.darkened(grey, stops).mean() == pytest.approx(expected, abs=1)
    assert corruptions.darkened(grey, 4).std() > corruptions.darkened(grey, 1).std()


def test_a_turn_goes_to_either_side_about_the_middle():
    faces = np.zeros((2, 41, 41, 1), np.uint8)
    faces[:, 20, 35] = 255  # 15 pixels to the right of the middle
    left, right = corruptions.turned(faces, 30)[..., 0]
    for turn, way in ((left, -1), (right, 1)):
        y, x = np.array(np.unravel_index(turn.argmax(), turn.shape))
        assert (x - 20, y - 20) == pytest.approx((15 * np.cos(np.pi / 6), way * 15 * np.sin(np.pi / 6)), abs=1)


def test_a_blur_spreads_a_point_by_its_share_of_the_side():
    point = np.zeros((1, 101, 101, 1), np.uint8)
    point[0, 50, 50] = 255
    many = np.where(point, 255, 0).astype(np.uint8)
    many[0, :, 50] = 255  # a line: its profile is the Gaussian
    profile = corruptions.blurred(many, 0.04)[0, 50, :, 0].astype(float)
    spread = np.sqrt(((np.arange(101) - 50) ** 2 * profile).sum() / profile.sum())
    assert spread == pytest.approx(4.04, rel=0.05)
    flat = np.full((1, 48, 48, 1), 77, np.uint8)
    assert np.array_equal(corruptions.blurred(flat, 0.04), flat)


def test_a_cover_is_a_band():
    faces = drawn()
    eyes = corruptions.covered(faces, 0.25, 0.5)
    assert (eyes[:, 12:24] == corruptions.GREY).all()
    assert np.array_equal(eyes[:, :12], faces[:, :12])
    assert np.array_equal(eyes[:, 24:], faces[:, 24:])


def test_grey_is_for_models_of_colours():
    faces = drawn()
    faces[..., 0] //= 2
    grey = corruptions.greyed(faces)
    luma = faces @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey - luma[..., None]).max() < 1.01
    assert np.array_equal(corruptions.greyed(faces[..., :1]), faces[..., :1])
    assert [level.condition for level in levels(48, 3)].count("grey") == 1
    assert "grey" not in {level.condition for level in levels(48, 1)}


def test_colours_survive_jpeg():
    red = np.zeros((1, 32, 32, 3), np.uint8)
    red[..., 0] = 200
    assert corruptions.compressed(red, 50).mean((0, 1, 2)) == pytest.approx([200, 0, 0], abs=6)
