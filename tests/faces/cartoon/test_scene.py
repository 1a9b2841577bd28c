import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.cartoon.person import PROTOTYPES
from facelet.faces.cartoon.scene import draw_photo, portraits, save_photo
from facelet.io import pixels


def test_a_photo_says_where_its_heads_are():
    photo = draw_photo(seed=0, faces=3)
    assert photo.image.shape == (640, 960, 3)
    assert photo.image.dtype == np.uint8
    assert photo.boxes.shape == (3, 4)
    assert len(set(photo.expressions)) == 3
    x, y, width, height = photo.boxes.T
    assert (np.diff(x) > 0).all()
    assert min(x.min(), y.min()) >= 0
    assert (x + width).max() <= 960
    assert (y + height).max() <= 640
    assert height.min() >= 120


def test_heads_fill_their_boxes():
    """The ellipse inside a head's box differs from the landscape, the corners above it mostly do not."""
    with_people, other_people = draw_photo(4, expressions=["fear"]), draw_photo(4, expressions=["anger"])
    x, y, width, height = with_people.boxes[0]
    changed = np.abs(with_people.image.astype(int) - other_people.image).max(axis=2) > 20
    ys, xs = np.nonzero(changed)
    assert y - 5 <= ys.min()
    assert ys.max() <= y + height + 5
    assert x - 5 <= xs.min()
    assert xs.max() <= x + width + 5


def test_the_same_seed_gives_the_same_photo():
    first, again = draw_photo(7, 2), draw_photo(7, 2)
    np.testing.assert_array_equal(first.image, again.image)
    assert not np.array_equal(first.image, draw_photo(8, 2).image)


@pytest.mark.parametrize(("faces", "height"), [(1, 300), (8, 240), (2, 1000)])
def test_photos_of_other_sizes(faces, height):
    photo = draw_photo(1, faces, height)
    assert photo.image.shape == (height, height // 2 * max(faces, 2), 3)
    assert len(photo.boxes) == len(photo.expressions) == faces


def test_senseless_photos_are_refused():
    for bad in ({"faces": 0}, {"faces": 9}, {"height": 20}):
        with pytest.raises(FaceletError, match="1 to 8 faces"):
            draw_photo(**bad)
    with pytest.raises(FaceletError, match="did you mean 'anger'"):
        draw_photo(expressions=["angry"])


def test_portraits():
    images = portraits(list(PROTOTYPES), seed=1, size=96)
    assert images.shape == (8, 96, 96, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, portraits(list(PROTOTYPES), seed=1, size=96))


def test_a_saved_photo_reads_back(tmp_path):
    save_photo(tmp_path / "photo.png", seed=1, faces=2)
    np.testing.assert_array_equal(pixels.read(tmp_path / "photo.png"), draw_photo(1, 2).image)
