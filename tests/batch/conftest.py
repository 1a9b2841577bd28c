"""For tests of batch jobs: photos of one shade, and predictors of them that need neither real faces nor a detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from photo_fixtures import *  # noqa: F403

from facelet.batch import predictor as module
from facelet.batch.predictor import FacePredictor
from facelet.runtime.detector import Detection

SHADES = {"bright.jpg": 250, "dim.png": 20, "sub/grey.jpg": 200, "z.png": 130}


def encoded(shade: int, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, np.full((60, 80, 3), shade, np.uint8))[1].tobytes()


@pytest.fixture
def photo():
    """``photo(shade)``: the bytes of a photo of one shade."""
    return encoded


@pytest.fixture
def album(tmp_path, monkeypatch) -> Path:
    """The working directory: four photos, a broken one, and files that are no photos."""
    folder = tmp_path / "work"
    monkeypatch.chdir(tmp_path)
    for name, shade in SHADES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(shade, Path(name).suffix))
    (folder / "broken.jpg").write_bytes(b"torn")
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_bytes(encoded(9))
    return folder


class FakeDetector:
    """A face in the middle of every photo that is not black."""

    def __init__(self, file: Path, score: float = 0.75, **others) -> None:
        self.score = score

    def __call__(self, photo: np.ndarray) -> list[Detection]:
        height, width = photo.shape[:2]
        if not photo.any():
            return []
        if photo.mean() < 5:
            raise ValueError("an unexpected error")
        corners = np.array([(0.4, 0.4), (0.6, 0.4), (0.5, 0.5), (0.42, 0.6), (0.58, 0.6)], np.float32)
        return [Detection((width / 4, height / 4, width / 2, height / 2), 0.9, corners * (width, height))]


@pytest.fixture(autouse=True)
def fresh():
    """No model stays open from one test to the next."""
    yield
    module._open.cache_clear()
    module._model.cache_clear()


@pytest.fixture
def make_predictor(tiny, tmp_path, monkeypatch):
    """``make_predictor(**options)``: of the tiny model, with FakeDetector."""
    weights = tmp_path / "yunet.onnx"
    weights.write_bytes(b"not read")
    monkeypatch.setattr("facelet.runtime.detector.Detector", FakeDetector)

    def make(**options) -> FacePredictor:
        return FacePredictor(tiny, weights, **options)

    return make


@pytest.fixture
def predictor(make_predictor) -> FacePredictor:
    return make_predictor()
