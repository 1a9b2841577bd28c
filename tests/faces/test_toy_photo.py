"""The demo's photo is the same every time, and shows every expression once."""

from __future__ import annotations

import numpy as np

from facelet import pixels
from facelet.faces.toy_photo import save, toy_photo


def test_the_photo_is_the_same_every_time_and_reads_back(tmp_path):
    photo = toy_photo(seed=1)
    save(tmp_path / "photo.png", seed=1)
    np.testing.assert_array_equal(photo, pixels.read(tmp_path / "photo.png"))
    assert (toy_photo(seed=2) != photo).any()
