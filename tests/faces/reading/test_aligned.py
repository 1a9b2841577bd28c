"""Alignment with a detector that is told what to find: faces are drawn as five dots, which must land on the template."""

from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces.reading.aligned import read_aligned
from facelet.faces.reading.archive import open_archive
from facelet.io.pixels import cv2
from facelet.runtime.align import ARCFACE
from facelet.runtime.detector import Detection, Detector

SIDE = 250


def posed(turn: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """ArcFace's landmarks somewhere in the photo, in the detector's coordinates."""
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    return (ARCFACE - 56) @ np.array([[cosine, sine], [-sine, cosine]]) + SIDE / 2 + shift


def drawn(*faces: np.ndarray) -> np.ndarray:
    photo = np.zeros((SIDE, SIDE, 3), np.uint8)
    for landmarks in faces:
        for x, y in landmarks:
            cv2.circle(photo, (round(16 * x), round(16 * y)), 16 * 4, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return photo


def seen(landmarks: np.ndarray) -> Detection:
    low, high = landmarks.min(0), landmarks.max(0)
    return Detection((*low.tolist(), *(high - low).tolist()), 0.9, landmarks.astype(np.float32))


def read(folder, photos, answers, **options):
    folder.mkdir()
    for number, photo in enumerate(photos):
        (folder / f"{number}.png").write_bytes(cv2.imencode(".png", photo)[1].tobytes())
    detector = MagicMock(spec=Detector, side_effect=lambda photo: answers[photo.tobytes()])
    with open_archive(folder) as archive:
        return read_aligned(archive, archive.images, size=112, detector=detector, **options)


def brightness(image: np.ndarray) -> list[int]:
    return [int(image[round(y), round(x)].min()) for x, y in ARCFACE]


def test_landmarks_land_on_the_template(tmp_path):
    poses = [posed(0, 1, (0, 0)), posed(0.3, 0.8, (20, -10)), posed(-0.5, 1.4, (-9, 12))]
    photos = [drawn(pose) for pose in poses]
    images, notes = read(
        tmp_path / "a", photos, {p.tobytes(): [seen(q)] for p, q in zip(photos, poses, strict=True)}, channels=3
    )
    assert images.shape == (3, 112, 112, 3)
    assert notes == ()
    for image in images:
        assert min(brightness(image)) > 200
        assert image.mean() < 60


def test_the_face_in_the_middle_is_taken(tmp_path):
    middle, corner = posed(0, 0.6, (5, 5)), posed(0, 0.9, (-70, 70))
    photo = drawn(middle)
    images, _ = read(tmp_path / "a", [photo], {photo.tobytes(): [seen(corner), seen(middle)]}, channels=1)
    assert min(brightness(images[0])) > 200


def test_a_face_that_is_not_found_is_cut_at_the_usual_place(tmp_path):
    usual = posed(0.1, 0.9, (4, -3))
    photos = [drawn(usual), drawn(usual, posed(0, 0.2, (100, 100)))]
    answers = {photos[0].tobytes(): [seen(usual)], photos[1].tobytes(): []}
    images, notes = read(tmp_path / "a", photos, answers, channels=1)
    assert notes == ("no face found, cut at the usual place: 1",)
    assert min(brightness(images[1])) > 200


def test_no_face_anywhere(tmp_path):
    photo = drawn()
    with pytest.raises(FaceletError, match="YuNet finds no face in any of 1 photos"):
        read(tmp_path / "a", [photo], {photo.tobytes(): []}, channels=1)
