"""Photo in, faces out: what is passed on, batches, ready crops, the model that is not there."""

from __future__ import annotations

import io
import json
import shutil

import cv2
import numpy as np
import pytest

import facelet
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.models.model_file import CropInfo
from facelet.runtime import align
from facelet.runtime.analyzer import Analyzer, analyze
from facelet.runtime.detector import Detection
from facelet.runtime.face import Face
from facelet.runtime.model import Model

FACES = [
    Detection((10.0, 12.0, 60.0, 80.0), 0.93, np.array([(25, 40), (55, 40), (40, 58), (28, 75), (52, 75)], np.float32)),
    Detection(
        (120.0, 30.0, 40.0, 50.0), 0.81, np.array([(130, 45), (150, 47), (140, 58), (132, 70), (149, 71)], np.float32)
    ),
]


class TwoFaces:
    """Finds the same two faces wherever it looks, and remembers what it saw."""

    def __call__(self, photo):
        self.seen = photo
        return FACES


@pytest.fixture
def photo():
    """Left half white, right half black: the first face is bright, the second dark."""
    image = np.zeros((120, 200, 3), np.uint8)
    image[:, :100] = 255
    return image


@pytest.fixture
def two_faces(tiny, monkeypatch):
    found = TwoFaces()
    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: found)
    return Analyzer(tiny)


def test_faces_and_their_fields(two_faces, photo):
    bright, dark = two_faces.analyze(photo)
    assert (bright.expression, dark.expression) == ("bright", "dark")
    assert bright.box == FACES[0].box
    assert bright.score == 0.93
    assert bright.landmarks is FACES[0].landmarks
    assert bright.identity is None
    for face in (bright, dark):
        assert list(face.probabilities) == ["dark", "bright"]
        assert sum(face.probabilities.values()) == pytest.approx(1)
        assert face.expression == max(face.probabilities, key=face.probabilities.get)


@pytest.mark.parametrize("cut", [0, 40])
@pytest.mark.parametrize("mode", ["box", "eyes", "five-points"])
def test_the_crop_is_the_model_files(tmp_path, make_model, make_info, monkeypatch, mode, cut):
    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: TwoFaces())
    crop = CropInfo(align=mode, margin=0.2)
    info = make_info(crop=crop)
    info = info.model_copy(update={"input": info.input.model_copy(update={"cut": cut})})
    model = Model.load(make_model(tmp_path / "m.onnx", info))
    photo = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    crops = [align.cut(photo, face.box, face.landmarks, crop, cut or 24) for face in FACES]
    expected = model.probabilities(crops)
    got = [list(face.probabilities.values()) for face in Analyzer(model).analyze(photo)]
    np.testing.assert_allclose(got, expected, atol=1e-7)


def test_photos_of_every_kind(two_faces, photo, tmp_path):
    encoded = cv2.imencode(".png", photo)[1].tobytes()
    (tmp_path / "photo.png").write_bytes(encoded)
    expected = [face.to_json() for face in two_faces.analyze(photo)]
    kinds = [
        tmp_path / "photo.png",
        str(tmp_path / "photo.png"),
        encoded,
        bytearray(encoded),
        photo[:, :, :1],
        photo[:, :, 0],
    ]
    for kind in kinds:
        assert [face.to_json() for face in two_faces.analyze(kind)] == expected
        assert two_faces.detector.seen.shape == (120, 200, 3)


@pytest.mark.parametrize(
    "wrong", [np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8), None, 7]
)
def test_what_is_no_photo(two_faces, wrong):
    with pytest.raises(FaceletError, match=r"the photo is .* expected uint8 RGB"):
        two_faces.analyze(wrong)


def test_what_is_no_photo_is_called_by_its_type(two_faces):
    with pytest.raises(FaceletError, match=r"the photo is of type NoneType; expected"):
        two_faces.analyze(None)
    with pytest.raises(FaceletError, match=r"the photo is of type list; expected"):
        two_faces.analyze([[1], [1, 2]])
    with pytest.raises(FaceletError, match=r"the photo is an open file \(BytesIO\).* and \.read\(\)"):
        two_faces.analyze(io.BytesIO(b"hello"))


def test_broken_bytes(two_faces):
    with pytest.raises(FaceletError, match="photo: not a readable image"):
        two_faces.analyze(b"hello")


def test_json(two_faces, photo):
    document = json.loads(json.dumps([face.to_json() for face in two_faces.analyze(photo)]))
    assert document[0]["box"] == [10.0, 12.0, 60.0, 80.0]
    assert document[0]["landmarks"][0] == [25.0, 40.0]
    assert document[1]["expression"] == "dark"
    assert document[0]["identity"] is None
    assert document[0]["warnings"] == []
    assert json.dumps(Face((0, 0, 1, 1), 1.0).to_json())


def test_ready_crops_need_no_detector(tiny, monkeypatch):
    def refuse(file):
        raise AssertionError("a detector was opened")

    monkeypatch.setattr("facelet.runtime.analyzer.Detector", refuse)
    rng = np.random.default_rng(0)
    crops = [np.full((rng.integers(5, 90), rng.integers(5, 90), 3), 255 * (n % 2), np.uint8) for n in range(150)]
    faces = list(Analyzer(tiny).cropped(crops))
    assert [face.expression for face in faces] == ["dark", "bright"] * 75
    assert faces[3].box == (0, 0, crops[3].shape[1], crops[3].shape[0])
    assert faces[3].landmarks is None


def test_large_crops_are_not_all_kept(tiny, monkeypatch):
    monkeypatch.setattr("facelet.runtime.analyzer.AT_ONCE_PIXELS", 100 * 100)
    taken = []

    def crops():
        for number in range(9):
            taken.append(number)
            yield np.zeros((100, 100, 1), np.uint8)

    faces = Analyzer(tiny).cropped(crops())
    next(faces)
    assert len(taken) <= 2
    assert len(list(faces)) == 8


def test_no_faces(tiny, monkeypatch, photo):
    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: lambda photo: [])
    assert Analyzer(tiny).analyze(photo) == []
    assert list(Analyzer(tiny).cropped([])) == []


def test_without_a_model(shelf, monkeypatch, photo):
    monkeypatch.delenv("FACELET_MODEL", raising=False)
    for call in (lambda: analyze(photo), Analyzer):
        with pytest.raises(FaceletError, match=r"no model: give one .* or set FACELET_MODEL; .*facelet run tsnet"):
            call()


def test_an_identity_model_alone(make_identity, tmp_path):
    model = Model.load(make_identity(tmp_path / "id.onnx", crop=CropInfo(align="five-points")))
    photo = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    faces = Analyzer(model, lambda photo: FACES).analyze(photo)
    crops = [align.cut(photo, face.box, face.landmarks, model.info.crop, 24) for face in FACES]
    raw = model.logits(crops).astype(float)
    for face, vector in zip(faces, raw, strict=True):
        np.testing.assert_allclose(face.identity, vector / np.linalg.norm(vector), atol=1e-6)
        assert (face.expression, face.probabilities) == (None, {})
        assert len(face.to_json()["identity"]) == 64
    (ready,) = Analyzer(model).cropped(crops[:1])
    np.testing.assert_allclose(ready.identity, faces[0].identity, atol=1e-6)


def test_expression_and_identity_together(tiny, make_identity, tmp_path, photo):
    identity = make_identity(tmp_path / "id.onnx", crop=CropInfo(margin=0.3))
    both = facelet.analyze(photo, tiny, lambda photo: FACES, identity=identity)
    alone = facelet.analyze(photo, identity, lambda photo: FACES)
    assert [face.expression for face in both] == ["bright", "dark"]
    for one, other in zip(both, alone, strict=True):
        np.testing.assert_array_equal(one.identity, other.identity)
    crop = np.zeros((24, 24, 3), np.uint8)
    (ready,) = Analyzer(tiny, identity=identity).cropped([crop])
    assert (ready.expression, ready.identity.shape) == ("dark", (64,))


def test_models_that_do_not_go_together(tiny, make_identity, tmp_path):
    identity = make_identity(tmp_path / "id.onnx")
    with pytest.raises(
        FaceletError, match=r"id.onnx is a model for identity; expected a model for expression.*facelet verify A B"
    ):
        Analyzer(identity, identity=identity)
    with pytest.raises(
        FaceletError, match=r"tiny.onnx is a model for expression; expected a model for identity.*facelet predict PHOTO"
    ):
        Analyzer(tiny, identity=tiny)


def test_no_faces_of_an_identity_model(make_identity, tmp_path, photo):
    analyzer = Analyzer(make_identity(tmp_path / "id.onnx"), lambda photo: [])
    assert analyzer.analyze(photo) == []
    assert list(analyzer.cropped([])) == []


def test_the_short_call_keeps_the_model_until_it_changes(tiny, tmp_path, monkeypatch, photo, make_model):
    opened = []
    load = Model.load.__func__
    monkeypatch.setattr(
        Model,
        "load",
        classmethod(lambda cls, path, *more, **named: opened.append(path) or load(cls, path, *more, **named)),
    )
    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: TwoFaces())
    monkeypatch.setenv("FACELET_MODEL", str(tiny))
    for _ in range(3):
        assert facelet.analyze(photo)[0].expression == "bright"
    assert len(opened) == 1
    other = make_model(tmp_path / "other.onnx", weights=np.array([[1.0, -1.0]]))
    shutil.copy(other, tiny)
    assert facelet.analyze(photo)[0].expression == "dark"
    assert facelet.analyze(photo, model=load(Model, tiny))[0].expression == "dark"


@pytest.mark.parametrize(
    ("smallest", "crop", "sides"),
    [
        (0, CropInfo(), ()),
        (50, CropInfo(), ()),
        (51, CropInfo(), (50,)),
        (60, CropInfo(margin=0.1), ()),
        (61, CropInfo(margin=0.1), (60,)),
        (76, CropInfo(align="eyes"), (75, 50)),
    ],
)
def test_faces_below_what_was_measured_are_warned_of(tmp_path, make_model, make_info, photo, smallest, crop, sides):
    """The square that is cut out counts: without a margin 80 and 50 pixels a side, by the eyes 75 and 50."""
    model = make_model(tmp_path / "m.onnx", make_info(smallest=smallest, crop=crop))
    faces = Analyzer(model, lambda photo: FACES).analyze(photo)
    told = [warning for face in faces for warning in face.warnings]
    assert told == [f"small: {side} px, measured from {smallest} px" for side in sides]
    assert [face.expression for face in faces] == ["bright", "dark"]
    assert faces[1].to_json()["warnings"] == told[-1:]


def test_a_face_that_must_be_enlarged_is_small_where_the_file_does_not_say_more(tiny, photo):
    face = Detection((10.0, 12.0, 18.0, 23.0), 0.9, FACES[0].landmarks)
    assert Analyzer(tiny, lambda photo: [face]).analyze(photo)[0].warnings == ("small: 23 px, measured from 24 px",)
    crops = [np.zeros(shape, np.uint8) for shape in ((24, 24), (23, 40), (90, 20))]
    told = [face.warnings for face in Analyzer(tiny).cropped(crops)]
    assert told == [(), ("small: 23 px, measured from 24 px",), ("small: 20 px, measured from 24 px",)]


def test_each_of_two_models_has_a_size_of_its_own(tiny, make_identity, tmp_path, photo):
    identity = make_identity(tmp_path / "id.onnx", smallest=70)
    large, small = Analyzer(tiny, lambda photo: FACES, identity=identity).analyze(photo)
    assert large.warnings == ()
    assert small.warnings == ("small for identity: 50 px, measured from 70 px",)


@pytest.mark.real
def test_a_real_photo(tiny, yunet, portrait, photos_folder):
    (face,) = facelet.analyze(photos_folder / "faces" / "fr_obama.jpg", model=tiny, detector=yunet)
    x, y, width, height = face.box
    assert 0 < x < x + width < portrait.shape[1]
    assert 0 < y < y + height < portrait.shape[0]
    grey = pixels.to_channels(portrait, 1)
    assert len(facelet.analyze(grey, model=tiny, detector=yunet)) == 1


def test_photos_prepared_apart_share_runs_and_get_the_same_answers(tiny, make_identity, tmp_path, photo, monkeypatch):
    analyzer = Analyzer(tiny, TwoFaces(), identity=make_identity(tmp_path / "id.onnx"))
    photos = [photo, np.full((30, 30), 200, np.uint8), photo[:, ::-1].copy()]
    expected = [[face.to_json() for face in analyzer.analyze(image)] for image in photos[:1] + photos[2:]]
    expected.insert(1, [next(iter(analyzer.cropped([photos[1]]))).to_json()])
    runs, run = [], Model._run
    monkeypatch.setattr(Model, "_run", lambda self, faces: runs.append(len(faces)) or run(self, faces))
    prepared = [analyzer.prepare(photos[0]), analyzer.prepare_crop(photos[1]), analyzer.prepare(photos[2])]
    assert [[face.to_json() for face in faces] for faces in analyzer.predict(prepared)] == expected
    assert runs == [5, 5], "one run for each model"
    assert prepared[0].size == (200, 120)
    assert analyzer.predict([]) == []


def test_only_the_largest_faces_are_prepared(two_faces, photo):
    prepared = two_faces.prepare(photo, most=1)
    assert ([face.box for face in prepared.faces], prepared.omitted) == ([FACES[0].box], 1)
    assert len(prepared.crops[0]) == len(prepared.sides[0]) == 1
    assert two_faces.prepare(photo, most=5).omitted == 0
