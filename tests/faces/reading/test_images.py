from __future__ import annotations

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.reading.archive import open_archive
from facelet.faces.reading.images import read_images
from facelet.io import pixels


def test_reads_what_pixels_reads_one_by_one(lay_out):
    folder = lay_out([f"{number}.png" for number in range(9)], channels=3, size=60)
    with open_archive(folder) as archive:
        images, whole, notes = read_images(archive, archive.images, size=40, channels=1)
        for name, image in zip(archive.images, images, strict=True):
            expected = pixels.resize(pixels.to_channels(pixels.read(folder / name), 1), 40)
            assert np.array_equal(image, expected)
    assert whole.all()
    assert notes == ()


@pytest.mark.parametrize(("channels", "size"), [(1, 31), (3, 100)])
def test_takes_the_faces_own_size_and_colour(lay_out, channels, size):
    with open_archive(lay_out(["a.png", "b.png"], channels=channels, size=size)) as archive:
        images, _, _ = read_images(archive, archive.images, size=None, channels=None)
    assert images.shape == (2, size, size, channels)


def test_names_all_that_cannot_be_read(lay_out):
    folder = lay_out([f"{number}.jpg" for number in range(8)], size=64)
    whole = (folder / "0.jpg").read_bytes()
    (folder / "1.jpg").write_bytes(b"")
    (folder / "3.jpg").write_text("no image")
    (folder / "5.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    with open_archive(folder) as archive:
        with pytest.raises(FaceletError, match=r"3 of 8 .*1\.jpg.*empty.*3\.jpg.*5\.jpg.*unreadable=skip"):
            read_images(archive, archive.images, size=32, channels=1)
        images, read, notes = read_images(archive, archive.images, size=32, channels=1, unreadable="skip")
        with pytest.raises(FaceletError, match="did you mean 'skip'"):
            read_images(archive, archive.images, size=32, channels=1, unreadable="skp")
    assert len(images) == 5
    assert np.flatnonzero(~read).tolist() == [1, 3, 5]
    assert notes == ("unreadable, left out: 3",)


def test_nothing_readable_is_an_error_even_when_skipping(lay_out):
    folder = lay_out(["a.png"])
    (folder / "a.png").write_bytes(b"")
    with open_archive(folder) as archive, pytest.raises(FaceletError, match="none of 1 images"):
        read_images(archive, archive.images, size=None, channels=None, unreadable="skip")


def test_faces_that_had_to_be_enlarged_are_counted(lay_out):
    lay_out([f"{number}.png" for number in range(2)], size=30)
    folder = lay_out([f"{number}.png" for number in range(2, 9)], size=60)
    with open_archive(folder) as archive:
        assert read_images(archive, archive.images, size=48, channels=1)[2] == (
            "2 of 9 faces are smaller than 48 px and enlarged",
        )
        assert read_images(archive, archive.images, size=30, channels=1)[2] == ()
        assert read_images(archive, archive.images, size=None, channels=1)[2] == ()
