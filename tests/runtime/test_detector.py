"""YuNet on real photos: found faces, coordinates, sizes from one pixel to a hundred megapixels, threads, wrong files."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.detection import from_frame
from facelet.runtime.detector import FRAMES, Detector


@pytest.fixture(scope="module")
def detector(yunet):
    return Detector(yunet)


def holds(box, x, y):
    return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]


@pytest.mark.real
def test_group_photos(detector, photos_folder):
    """Every face that dlib's annotators boxed, 43 in 11 photos."""
    found = total = 0
    for part in ("training.xml", "testing.xml"):
        for image in ElementTree.parse(photos_folder / "dlib_faces" / part).getroot().iter("image"):
            faces = detector(pixels.read(photos_folder / "dlib_faces" / image.get("file")))
            for box in image.iter("box"):
                left, top, width, height = (int(box.get(key)) for key in ("left", "top", "width", "height"))
                total += 1
                found += any(holds(face.box, left + width / 2, top + height / 2) for face in faces)
    assert total == 43
    assert found == total


@pytest.mark.real
def test_patterns_are_no_faces_unless_asked_for(yunet, photos_folder):
    """Wallpaper that YuNet scores at 0.63 and 0.69."""
    portrait = pixels.read(photos_folder / "verify" / "biden_biden2.jpg")
    assert len(Detector(yunet)(portrait)) == 1
    assert len(Detector(yunet, score=0.6)(portrait)) == 3


@pytest.mark.real
def test_photos_without_people(detector, photos_folder):
    animals = [name for name in (photos_folder / "noface").glob("*.jpg") if "dogs" not in name.name]
    assert len(animals) == 5
    assert not any(detector(pixels.read(name)) for name in animals)


@pytest.mark.real
@pytest.mark.parametrize("scale", [0.05, 0.2, 0.5, 2.5])
def test_coordinates_are_the_photos(detector, portrait, scale):
    (whole,) = detector(portrait)
    photo = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    (face,) = detector(photo)
    tolerance = max(0.1 * whole.box[2] * scale, 1.5)
    np.testing.assert_allclose(face.box, np.multiply(whole.box, scale), atol=tolerance)
    np.testing.assert_allclose(face.landmarks, whole.landmarks * scale, atol=tolerance)
    assert face.landmarks[0, 0] < face.landmarks[1, 0]
    assert face.landmarks[:2, 1].max() < face.landmarks[2, 1] < face.landmarks[3:, 1].min()


@pytest.mark.slow
@pytest.mark.real
def test_a_hundred_megapixels(detector, portrait):
    photo = np.tile(portrait, (9, 12, 1))[:8400, :11900]
    faces = detector(photo)
    assert len(faces) >= 7 * 12
    assert all(holds((0, 0, *photo.shape[1::-1]), *face.landmarks[2]) for face in faces)


@pytest.mark.real
def test_a_face_that_fills_a_large_photo(detector, portrait):
    (face,) = detector(portrait)
    x, y, width, height = (round(value) for value in face.box)
    close = cv2.resize(portrait[y : y + height, x : x + width], (3000, 3900))
    (filling,) = detector(close)
    assert filling.box[2] > 2000


@pytest.mark.real
def test_largest_first_and_thresholds(yunet, photos_folder):
    photo = pixels.read(photos_folder / "dlib_faces" / "bald_guys.jpg")
    faces = Detector(yunet)(photo)
    areas = [face.box[2] * face.box[3] for face in faces]
    assert len(faces) == 24
    assert areas == sorted(areas, reverse=True)
    sure = Detector(yunet, score=0.9)(photo)
    assert 0 < len(sure) <= len(faces)
    assert all(face.score >= 0.9 for face in sure)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 2000), (2000, 1), (31, 33), (640, 640)])
def test_odd_sizes(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert isinstance(detector(noise), list)


@pytest.mark.real
def test_many_threads(detector, portrait, photos_folder):
    group = pixels.read(photos_folder / "dlib_faces" / "2007_007763.jpg")
    jobs = [portrait, group] * 6
    alone = [[face.box for face in detector(photo)] for photo in jobs[:2]] * 6
    with ThreadPoolExecutor(4) as pool:
        together = [[face.box for face in faces] for faces in pool.map(detector, jobs)]
    assert together == alone


@pytest.mark.real
@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_photo_turned_by_quarters_has_the_same_faces_and_the_same_crops(detector, photos_folder, quarter):
    """Exactly: the frame that undoes the turn is the upright photo."""
    photo = pixels.read(photos_folder / "dlib_faces" / "2007_007763.jpg")
    turned = np.ascontiguousarray(np.rot90(photo, -quarter))
    upright = [face for face in detector(photo) if face.score >= 0.9 and not face.roll]
    expected = [from_frame(face, quarter, turned.shape) for face in upright]
    found = detector(turned)
    assert upright
    for before, after in zip(upright, expected, strict=True):
        (face,) = [face for face in found if np.allclose(face.box, after.box, atol=1e-3)]
        assert (face.roll, face.score) == (after.roll, after.score)
        np.testing.assert_allclose(face.landmarks, after.landmarks, atol=1e-3)
        crop = align.cut(turned, face.box, face.landmarks, CropInfo(), 48, face.roll)
        np.testing.assert_array_equal(crop, align.cut(photo, before.box, before.landmarks, CropInfo(), 48))


@pytest.mark.real
def test_one_lies_and_the_other_stands(yunet, portrait):
    small = cv2.resize(portrait, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    side = max(small.shape[:2])
    photo = np.full((side, 2 * side, 3), 127, np.uint8)
    lying = np.rot90(small, -1)
    photo[: small.shape[0], : small.shape[1]] = small
    photo[: lying.shape[0], side : side + lying.shape[1]] = lying
    assert sorted(round(face.roll) for face in Detector(yunet, turns="always")(photo)) == [0, 90]
    assert 0 in [face.roll for face in Detector(yunet)(photo)]


@pytest.mark.real
@pytest.mark.slow
def test_small_faces_of_twelve_megapixels(yunet, photos_folder, benchmark_script):
    """One face in a hundred from 20 pixels is missed, and none is found twice at the border of tiles."""
    script = benchmark_script("small_faces")
    alone = Detector(yunet, turns="never")
    photos = [pixels.read(file) for file in sorted((photos_folder / "dlib_faces").glob("*.jpg"))]
    parts = [script.Mosaic(photo, [face.box for face in alone(photo)]) for photo in photos]
    scene = script.mosaic([script.scaled(part, 0.5) for part in parts])
    assert len(scene.boxes) > 300
    missed, duplicate, _ = script.compared(Detector(yunet)(scene.photo), scene.boxes)
    assert missed <= len(scene.boxes) / 100
    assert duplicate == 0


@pytest.mark.real
def test_a_face_in_a_panorama(yunet, portrait, benchmark_script):
    script = benchmark_script("small_faces")
    face = Detector(yunet)(portrait)[0]
    scene = script.panorama(script.Mosaic(portrait, [face.box]))
    (found,) = Detector(yunet)(scene.photo)
    assert script.compared([found], scene.boxes) == (0, 0, 0)
    assert not Detector(yunet, detail=640, again=False)(scene.photo)


@pytest.mark.real
def test_a_given_detail_is_the_only_look(yunet, portrait, monkeypatch):
    large = cv2.resize(portrait, (2400, 3000))
    seen = []
    for settings in ({"detail": 640}, {}, FRAMES):
        find = Detector(yunet, **settings)
        sizes: list[tuple[int, int]] = []
        network = find._network
        find._network = lambda image, network=network, sizes=sizes: sizes.append(image.shape[:2]) or network(image)
        assert len(find(large)) == 1
        seen.append(sizes)
    assert seen[0] == seen[2] == [(640, 512)]
    assert len(seen[1]) > 4
    assert max(max(size) for size in seen[1]) <= 640


def test_wrong_files_and_values(tmp_path, yunet, tiny):
    (tmp_path / "text.onnx").write_text("hello")
    for wrong in (tmp_path / "text.onnx", tiny):
        with pytest.raises(FaceletError, match=r"OpenCV .* cannot run .* as a face detector"):
            Detector(wrong)
    with pytest.raises(FaceletError, match="minimum score is 2; expected 0 to 1"):
        Detector(yunet, score=2)
    with pytest.raises(FaceletError, match="detail is 7 pixels; expected 64 to 4096"):
        Detector(yunet, detail=7)
    with pytest.raises(FaceletError, match="unknown choice of turns 'allways', did you mean 'always'"):
        Detector(yunet, turns="allways")


def test_opencv_warns_of_nothing_and_still_logs_errors(yunet):
    """In a process of its own, which imports OpenCV first: OpenCV writes to standard error itself."""
    code = """
import sys, cv2
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.detection import from_frame
from facelet.runtime.detector import FRAMES, Detector
logging = getattr(cv2.utils, "logging", None)
level = logging and logging.getLogLevel()
find = Detector(sys.argv[1])
with ThreadPoolExecutor(3) as pool:
    list(pool.map(lambda _: find(np.zeros((90, 90, 3), np.uint8)), range(6)))
assert (logging and logging.getLogLevel()) == level
"""
    environment = {name: value for name, value in os.environ.items() if name != "OPENCV_LOG_LEVEL"}
    run = subprocess.run(
        [sys.executable, "-c", code, str(yunet)], env=environment, capture_output=True, text=True, check=True
    )
    assert (run.stdout, run.stderr) == ("", "")
