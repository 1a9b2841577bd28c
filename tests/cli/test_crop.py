"""Cropping: the runtime's own cut, the photos' folders, and a word about every photo that gave no face."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import pytest
from drawn_photos import find, picture
from rich.console import Console

from facelet.cli import crop
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.crop import FaceCropper
from facelet.runtime.detector import Detector


@pytest.fixture
def album(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, colour in {
        "photos/happy/1.png": (200, 200, 200), "photos/happy/1.bmp": (210, 180, 180), "photos/sad/2.png": (180, 160, 160),
        "photos/sad/two.png": (60, 60, 250), "photos/sad/none.png": (0, 0, 0),
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(name, picture(colour)[..., ::-1])
    (tmp_path / "photos/sad/torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return tmp_path


def said(*places, out="faces", cutter=None, **options) -> str:
    console = Console(file=io.StringIO(), width=80)
    crop.command(list(places), out=out, cutter=cutter or FaceCropper(), detector=find, console=console, **options)
    return console.file.getvalue()


def written(folder) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_faces_lie_as_the_photos_do_and_every_other_photo_is_named(album, capsys):
    lines = said("photos").splitlines()
    assert written(album / "faces") == ["happy/1-2.png", "happy/1.png", "sad/2.png"]
    assert lines == [
        "3 faces cropped from 5 photos into faces (PNG; box, margin 0, own size)",
        "1 photo without a face: photos/sad/none.png",
        "1 photo with several faces, not cropped: photos/sad/two.png; use --largest to crop the largest, or --all to crop all",
        "1 photo cannot be read: photos/sad/torn.jpg",
        "for training, set crop: {align: box, margin: 0} in the recipe, so that the model uses the same crop at inference",
    ]
    assert capsys.readouterr().err.startswith("skipped: photos/sad/torn.jpg: ")


def test_several_faces(album):
    text = said("photos/sad", cutter=FaceCropper(several="largest"))
    assert "1 photo with several faces, cropped the largest: photos/sad/two.png" in text
    assert written(album / "faces") == ["2.png", "two.png"]
    assert "several" not in said("photos/sad", out="all", cutter=FaceCropper(several="all"))
    assert written(album / "all") == ["2.png", "two-face1.png", "two-face2.png"]
    assert "1 face upscaled: smaller than 24 px in the photo" in said(
        "photos/sad", out="more", cutter=FaceCropper(several="all", size=24)
    )


def test_no_face_takes_the_name_of_another_photos(album):
    cv2.imwrite("photos/sad/two-face1.png", picture((180, 160, 160))[..., ::-1])
    said("photos/sad", cutter=FaceCropper(several="all", overwrite=True))
    assert written(album / "faces") == ["2.png", "two-face1-2.png", "two-face1.png", "two-face2.png"]
    photo = pixels.read("photos/sad/two-face1.png")
    face = find(photo)[0]
    assert np.array_equal(
        pixels.read("faces/two-face1.png"), align.cut(photo, face.box, face.landmarks, CropInfo(), 40)
    )


def test_nothing_is_overwritten_unless_asked(album):
    said("photos/happy")
    (album / "faces/1.png").write_bytes(b"mine")
    (album / "faces/1-2.png").unlink()
    with pytest.raises(FaceletError, match=r"1 of the output files already exist, such as faces/1\.png; .*--overwrite"):
        said("photos/happy")
    assert written(album / "faces") == ["1.png"]
    said("photos/happy", cutter=FaceCropper(overwrite=True))
    assert written(album / "faces") == ["1-2.png", "1.png"]
    assert pixels.read("faces/1.png").size
    said("photos/sad", out="all", cutter=FaceCropper(several="all"))
    (album / "all/2.png").unlink()
    with pytest.raises(FaceletError, match="1 of the output files already exist"):
        said("photos/sad", out="all", cutter=FaceCropper(several="all"))


def test_a_second_call_does_not_read_the_faces_of_the_first(album):
    for _ in range(2):
        said("photos", out="photos/faces", cutter=FaceCropper(overwrite=True))
        assert written(album / "photos/faces") == ["happy/1-2.png", "happy/1.png", "sad/2.png"]
    with pytest.raises(FaceletError, match="all photos are in the output folder photos/faces"):
        said("photos/faces/happy", out="photos/faces")
    with pytest.raises(FaceletError, match="is the folder of the photos"):
        said("photos", out="./photos/")
    with pytest.raises(FaceletError, match="is the folder of the photos"):
        said("photos/happy/1.png", out="photos/happy", cutter=FaceCropper(overwrite=True))


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (["photos/happy", "photos/sad"], ["happy/1-2.png", "happy/1.png", "sad/2.png"]),
        (["photos/*/*.png"], ["happy/1.png", "sad/2.png"]),
        (["photos/happy/1.png", "photos/sad/2.png"], ["happy/1.png", "sad/2.png"]),
        (["photos/happy/1.png"], ["1.png"]),
    ],
)
def test_sub_folders_are_kept_however_photos_are_named(album, places, expected):
    said(*places)
    assert written(album / "faces") == expected


def test_json_names_every_photo(album, capsys):
    assert said("photos/sad", as_json=True, cutter=FaceCropper(size=16)) == ""
    document = json.loads(capsys.readouterr().out)
    assert (document["align"], document["margin"], document["size"]) == ("box", 0, 16)
    by_name = {photo["photo"].split("/")[-1]: photo for photo in document["photos"]}
    assert by_name["2.png"]["faces"] == [{"file": "faces/2.png", "box": [20, 15, 40, 30], "score": 0.9, "side": 40}]
    assert (by_name["two.png"]["found"], by_name["two.png"]["faces"], by_name["none.png"]["found"]) == (2, [], 0)
    assert "torn.jpg" in by_name["torn.jpg"]["error"]


def test_what_ends_with_an_error(album):
    with pytest.raises(FaceletError, match="no face was cropped from 1 photo"):
        said("photos/sad/none.png")
    with pytest.raises(FaceletError, match=r"torn\.jpg"):
        said("photos/sad/torn.jpg")


def test_a_score_that_is_asked_for_reaches_the_detector(photos_folder, yunet, tmp_path):
    photo = photos_folder / "faces" / "fp_multiface.jpg"
    quiet, cutter = Console(file=io.StringIO()), FaceCropper(several="all")
    crop.command([str(photo)], out=str(tmp_path / "any"), cutter=cutter, detector=str(yunet), console=quiet)
    assert len(written(tmp_path / "any")) == len(Detector(yunet)(pixels.read(photo))) > 1
    with pytest.raises(FaceletError, match="no face was cropped"):
        crop.command([str(photo)], out="x", cutter=cutter, detector=Detector(yunet, 0.95), console=quiet)
