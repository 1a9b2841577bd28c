"""Tiles: they cover the photo, their cores meet, no face is in two; and which faces are the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelet.runtime import tiles

SIDES = st.integers(1, 30_000)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.sampled_from([0.5, 0.25, 0.125]))
def test_tiles_cover_a_photo_and_are_small(height, width, scale):
    several = tiles.tiles(height, width, scale)
    assert max(tile.left + tile.width for tile in several) == width
    assert max(tile.top + tile.height for tile in several) == height
    assert all(max(tile.width, tile.height) * scale <= tiles.TILE for tile in several)
    assert len({(tile.width, tile.height) for tile in several}) == 1


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.sampled_from([0.5, 0.25]), st.integers(0, 10**6))
def test_a_small_face_is_whole_in_the_one_tile_that_owns_it(height, width, scale, seed):
    rng = np.random.default_rng(seed)
    side = rng.uniform(1, tiles.OVERLAP / scale)
    row = np.zeros((1, 15), np.float32)
    row[0, :4] = rng.uniform(0, max(1, width - side)), rng.uniform(0, max(1, height - side)), side, side
    owners = [tile for tile in tiles.tiles(height, width, scale) if len(tiles.own(tile, row, scale))]
    assert len(owners) == 1
    (tile,) = owners
    for start, length, low, end in (
        (tile.left, tile.width, row[0, 0], width),
        (tile.top, tile.height, row[0, 1], height),
    ):
        assert low >= start - 1 or start == 0
        assert low + side <= start + length + 1 or start + length == end


def test_a_face_too_large_for_the_overlap_is_left_to_the_coarser_scale():
    (tile, *_) = tiles.tiles(3000, 4000, 0.5)
    row = np.zeros((1, 15), np.float32)
    row[0, :4] = 100, 100, 200, 150
    assert not len(tiles.own(tile, row, 0.5))


@pytest.mark.parametrize(
    ("long_side", "scales"), [(640, []), (1600, []), (1601, [0.5]), (4000, [0.5]), (12_000, [0.5, 0.25, 0.125])]
)
def test_scales(long_side, scales):
    assert tiles.scales(640 / long_side) == scales


def test_every_scale_sees_what_is_too_large_for_the_finer_one():
    for long_side in range(1601, 30_000, 97):
        whole = 640 / long_side
        chain = [*tiles.scales(whole), whole]
        for fine, coarse in itertools.pairwise(chain):
            assert tiles.OVERLAP / fine * coarse >= 16, "pixels at the coarser scale"


def test_faces_that_are_the_same():
    boxes = np.array(
        [(0, 0, 100, 100), (10, 10, 100, 100), (30, 30, 20, 20), (95, 95, 100, 100), (300, 0, 50, 50)], float
    )
    scores = np.array([0.8, 0.9, 0.7, 0.75, 0.95])
    assert tiles.distinct(boxes, scores).tolist() == [4, 1, 3]
    assert tiles.distinct(boxes[:0], scores[:0]).tolist() == []


def test_small_faces_of_a_crowd_are_kept_before_the_crowd():
    boxes = np.array([(0, 0, 100, 100), (10, 10, 20, 20), (60, 60, 20, 20)], float)
    assert tiles.distinct(boxes, np.array([0.76, 0.9, 0.9])).tolist() == [1, 2]


def test_many_faces_are_bounded():
    boxes = np.random.default_rng(0).uniform(0, 1e5, (6000, 4))
    boxes[:, 2:] = 3
    assert len(tiles.distinct(boxes, np.linspace(0.7, 1, 6000))) <= tiles.MOST
