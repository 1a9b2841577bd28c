"""The identity model, its threshold, and photos with no face, one and several."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

import facelet
from facelet.errors import FaceletError
from facelet.runtime import analyzer as analyzer_module
from facelet.runtime.detector import Detection
from facelet.runtime.model import Model
from facelet.runtime.people import subject
from facelet.runtime.people.gallery import Gallery


def test_one_face(studio):
    analyzer = subject.identity_analyzer()
    person = subject.only_face(analyzer, studio.photo("a/anna.png", 1))
    assert (person.photo, person.note) == ("anna.png", "")
    assert person.vector.dtype == np.float32
    assert np.linalg.norm(person.vector) == pytest.approx(1, abs=1e-6)
    picture = studio.shot(1)
    encoded = cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes()
    alone = [subject.only_face(analyzer, kind) for kind in (picture, encoded)]
    np.testing.assert_array_equal(alone[0].vector, alone[1].vector)
    assert alone[0].photo == ""


def test_several_faces_are_refused_or_the_largest_taken_as_told(studio):
    analyzer = subject.identity_analyzer()
    name = studio.photo("two.png", 1, 2)
    with pytest.raises(FaceletError, match=r"^two.png: 2 faces, expected one; .*--largest"):
        subject.only_face(analyzer, name)
    person = subject.only_face(analyzer, name, largest=True)
    assert person.note == "two.png: 2 faces, using the largest"
    assert person.face.box[0] == 0


def test_a_small_face_is_noted(studio, make_identity, tmp_path):
    analyzer = subject.identity_analyzer(make_identity(tmp_path / "strict.onnx", smallest=25))
    small = "small: 24 px, measured from 25 px"
    assert subject.only_face(analyzer, studio.photo("one.png", 1)).note == f"one.png: {small}"
    two = subject.only_face(analyzer, studio.photo("two.png", 1, 2), largest=True)
    assert two.note == f"two.png: 2 faces, using the largest; {small}"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("black.png", "^black.png: no face found"),
        ("gone.png", "no photo or folder 'gone.png', did you mean 'one.png'"),
        ("torn.png", "torn.png: not a readable image"),
        ("clip.mp4", "clip.mp4 is a video, not a photo"),
        ("0", "0 is a webcam, not a photo"),
        (".", "4 photos, expected one"),
    ],
)
def test_what_is_no_photo_of_one_face(studio, name, says):
    for file, people in (("black.png", ()), ("one.png", (1,)), ("two.png", (1, 2))):
        studio.photo(file, *people)
    (studio.folder / "torn.png").write_bytes(b"torn")
    with pytest.raises(FaceletError, match=says):
        subject.only_face(subject.identity_analyzer(), name)


def test_without_a_model_or_with_one_of_another_task(studio, shelf, tiny, monkeypatch):
    with pytest.raises(FaceletError, match=r"tiny.onnx is a model for expression; expected a model for identity"):
        subject.identity_analyzer(tiny)
    monkeypatch.delenv("FACELET_IDENTITY_MODEL")
    with pytest.raises(
        FaceletError, match=r"no identity model: give one \(--model FILE, model=\) or set FACELET_IDENTITY"
    ):
        subject.identity_analyzer()


def test_the_analyzer_stays_open(studio):
    assert subject.identity_analyzer() is subject.identity_analyzer(str(studio.model))
    loaded = Model.load(studio.model)
    assert subject.identity_analyzer(loaded).model is loaded


def test_threshold(studio, make_identity, tmp_path):
    model = Model.load(studio.model)
    assert subject.threshold_of(model) == 0.5
    assert subject.threshold_of(model, 0.0) == 0.0
    for wrong in (1.5, -2, float("nan")):
        with pytest.raises(FaceletError, match="expected a cosine, -1 to 1"):
            subject.threshold_of(model, wrong)
    bare = Model.load(make_identity(tmp_path / "bare.onnx", threshold=None))
    with pytest.raises(FaceletError, match=r"bare.onnx has no threshold; give one"):
        subject.threshold_of(bare)


@pytest.mark.parametrize(
    ("side", "score", "ignored"),
    [(10, 0.8, True), (10, 0.85, False), (20, 0.5, False), (12, 0.5, True)],
    ids=["small and weak", "small and sure", "large and weak", "half the side"],
)
def test_what_is_far_smaller_and_weaker_is_ignored_and_said(studio, side, score, ignored):
    whole = analyzer_module.Detector("")

    def find(photo):
        (main,) = whole(photo)
        return [main, Detection((0.0, 0.0, float(side), float(side)), score, main.landmarks)]

    analyzer = subject.identity_analyzer(detector=find)
    name = studio.photo("wallpaper.png", 1)
    if not ignored:
        with pytest.raises(FaceletError, match=r"^wallpaper.png: 2 faces, expected one"):
            subject.only_face(analyzer, name)
        return
    person = subject.only_face(analyzer, name)
    assert person.note == f"wallpaper.png: ignored 1 background face (score {score:.2f}; main face 0.90)"
    assert person.face.box[2] == 24
    done = Gallery(detector=find).enroll("Anna", name)
    assert done.notes == (person.note,)
    assert facelet.verify(name, name, detector=find).notes == (person.note,) * 2


def test_the_main_face_of_analyzed_faces_is_that_of_the_photo(studio):
    analyzer, shot = subject.identity_analyzer(), studio.shot(1, 2)
    whole = subject.only_face(analyzer, shot, largest=True)
    main = subject.main_face(analyzer.analyze(shot), largest=True)
    assert (main.face.box, main.note, main.photo) == (whole.face.box, whole.note, "")
    with pytest.raises(FaceletError, match="photo 2: 2 faces, expected one"):
        subject.main_face(analyzer.analyze(shot), name="photo 2")
    with pytest.raises(FaceletError, match="photo 2: no face found"):
        subject.main_face([], name="photo 2")
