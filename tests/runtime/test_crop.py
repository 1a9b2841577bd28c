"""Cropping: the runtime's own cut, and settings out of range."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_photos import find, picture
from PIL import Image as Pillow

from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.crop import OWN, FaceCropper, choose, outcomes, targets


@pytest.fixture
def album(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/happy").mkdir(parents=True)
    Pillow.fromarray(picture((200, 200, 200))).save("photos/happy/1.png")
    return tmp_path


def cut(*places, out="faces", cutter=None):
    return list(outcomes(targets(places, out), cutter or FaceCropper(), find))


@pytest.mark.parametrize("size", [0, 24])
@pytest.mark.parametrize("alignment", ["box", "eyes", "five-points"])
def test_a_crop_is_what_the_runtime_cuts(album, alignment, size):
    info = CropInfo(align=alignment, margin=0.1)
    cut("photos/happy/1.png", cutter=FaceCropper(info, size))
    photo = pixels.read("photos/happy/1.png")
    face = find(photo)[0]
    side = round(align.side(face.box, face.landmarks, info))
    image = pixels.read("faces/1.png")
    assert image.shape == (size or side, size or side, 3)
    assert np.array_equal(image, align.cut(photo, face.box, face.landmarks, info, size or side))


def test_training_on_a_crop_of_its_own_size_sees_what_the_model_will(album):
    """The own size of a box crop leaves the one resize to whoever reads it, as the runtime does it."""
    cut("photos/happy/1.png")
    photo = pixels.read("photos/happy/1.png")
    face = find(photo)[0]
    for size in (16, 24, 64):
        seen = align.cut(photo, face.box, face.landmarks, CropInfo(), size)
        assert np.array_equal(pixels.resize(pixels.read("faces/1.png"), size), seen)


def test_a_model_answers_for_a_crop_as_for_the_photo(album, tiny):
    model = Analyzer(tiny, find)
    info = model.model.info
    cut("photos/happy/1.png", cutter=FaceCropper(info.crop, info.input.cut_size))
    (whole,), (ready,) = model.analyze("photos/happy/1.png"), model.cropped(["faces/1.png"])
    assert ready.probabilities == whole.probabilities


def test_a_turned_photo_is_cut_upright(album):
    whole = picture((200, 150, 150))
    Pillow.fromarray(np.rot90(whole)).save("turned.png", exif=exif(6))
    Pillow.fromarray(whole).save("plain.png")
    cut("turned.png")
    cut("plain.png")
    assert np.array_equal(pixels.read("faces/turned.png"), pixels.read("faces/plain.png"))


def test_jpeg_of_a_quality(album):
    sizes = []
    for quality in (30, 95):
        cut("photos/happy/1.png", out=f"q{quality}", cutter=FaceCropper(jpeg=quality))
        sizes.append((album / f"q{quality}/1.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_a_huge_face_keeps_no_more_than_is_of_use():
    photo = np.zeros((3000, 3000, 3), np.uint8)
    image, side = FaceCropper().cut(photo, find(photo + 1)[0])
    assert (image.shape, side) == ((OWN, OWN, 3), 1500)


def exif(orientation: int) -> Pillow.Exif:
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    return tags


def test_settings_out_of_range():
    with pytest.raises(FaceletError, match="size 4 should be 8 to 1024"):
        FaceCropper(size=4)
    with pytest.raises(FaceletError, match="JPEG quality 101"):
        FaceCropper(jpeg=101)
    with pytest.raises(FaceletError, match="unknown alignment 'eye', did you mean 'eyes'"):
        choose(CropInfo(), "eye")
    with pytest.raises(FaceletError, match="margin 9: "):
        choose(CropInfo(), margin=9)
    assert choose(CropInfo(align="eyes", margin=0.2), margin=0.0) == CropInfo(align="eyes")


def test_what_became_of_each_photo(album):
    (album / "photos/torn.jpg").write_bytes(b"torn")
    face, torn = sorted(cut("photos"), key=lambda result: result.error)
    assert (face.found, [str(one.file) for one in face.faces]) == (1, ["faces/happy/1.png"])
    assert face.faces[0].to_json() == {"file": "faces/happy/1.png", "box": [20, 15, 40, 30], "score": 0.9, "side": 40}
    assert torn.to_json() == {"photo": "photos/torn.jpg", "error": torn.error}
    with pytest.raises(FaceletError, match="1 of the output files already exist"):
        cut("photos")
