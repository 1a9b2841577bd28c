"""DeepFace's API: recorded exchanges, options, images in all forms, and errors in DeepFace's shape."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from photo_fixtures import tiny_info, tiny_model
from service_contracts import recorded, replay

from facelet.runtime.people.subject import identity_analyzer
from facelet.runtime.people.verify import compare

LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")


@pytest.fixture
def expressive(serve, tmp_path):
    """A client of a service whose expression model has the eight labels."""
    return serve(model=str(tiny_model(tmp_path / "eight.onnx", tiny_info(labels=LABELS))))


def uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize("exchange", recorded("deepface"), ids=lambda exchange: exchange["name"])
def test_recorded_exchanges(expressive, studio, file_bytes, exchange):
    images = {"IMAGE": file_bytes(studio.shot(1)), "BLACK": file_bytes(studio.shot())}
    replay(expressive, exchange, images)


def test_analyze_is_what_facelet_predicts(expressive, studio, file_bytes):
    photo = file_bytes(studio.shot(1, 2))
    native = expressive.post("/v1/analyze", files={"file": photo}).json()["faces"]
    results = expressive.post("/analyze", json={"img": uri(photo)}).json()["results"]
    assert len(results) == 2
    for face, result in zip(native, results, strict=True):
        emotion, probabilities = result["emotion"], face["probabilities"]
        assert sum(emotion.values()) == pytest.approx(100, abs=1e-3)
        assert emotion["happy"] == pytest.approx(100 * probabilities["happiness"], abs=1e-3)
        neutral = probabilities["neutral"] + probabilities["contempt"]
        assert emotion["neutral"] == pytest.approx(100 * neutral, abs=2e-3)
        assert emotion[result["dominant_emotion"]] == max(emotion.values())
        left, top, width, height = face["box"]
        region = result["region"]
        assert [region[key] for key in "xywh"] == [left, top, width, height]
        assert region["left_eye"][0] > region["right_eye"][0], "the person's left is the photo's right"
        assert result["face_confidence"] == 0.9


def test_an_image_in_every_form(expressive, studio, file_bytes):
    photo = file_bytes(studio.shot(1))
    text = base64.b64encode(photo).decode()
    expected = expressive.post("/analyze", json={"img": uri(photo)}).json()
    for request in (
        {"json": {"img": text}},
        {"json": {"img_path": uri(photo)}},
        {"json": {"img": [uri(photo)]}},
        {"data": {"img": uri(photo), "enforce_detection": "True"}},
        {"files": {"img": ("a.png", photo, "image/png")}, "data": {"actions": '["emotion"]'}},
        {"files": {"other": ("", "x")}, "data": {"img": uri(photo)}},
    ):
        answer = expressive.post("/analyze", **request)
        assert answer.status_code == 200, (list(request), answer.text)
        assert answer.json() == expected
    pair = {"img1_path": uri(photo), "img2_path": uri(photo)}
    assert expressive.post("/verify", json=pair).json()["verified"] is True


@pytest.mark.parametrize(
    "word", ["dataset/img1.jpg", "https://example.com/a.jpg", "/etc/passwd", "file:///etc/passwd", "", 3, {}]
)
def test_paths_and_urls_are_refused(client, word):
    for request in ({"json": {"img": word}}, {"json": {"img_path": word}}):
        answer = client.post("/represent", **request)
        assert answer.status_code == 400
        assert set(answer.json()) == {"error"}


def test_verify(client, studio, file_bytes):
    a, b, other = (file_bytes(studio.shot(person)) for person in (1, 1, 2))
    analyzer = identity_analyzer(studio.model, client.app.state.service.detector)
    for image, same in ((b, True), (other, False)):
        expected = compare(analyzer, a, image)
        answer = client.post("/verify", json={"img1": uri(a), "img2": uri(image)}).json()
        assert answer["verified"] is expected.same is same
        assert answer["distance"] == pytest.approx(1 - expected.score, abs=1e-6)
        assert answer["threshold"] == pytest.approx(0.5)
        assert (answer["model"], answer["detector_backend"]) == ("identity", "yunet")


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "euclidean_l2", "angular"])
def test_every_metric_gives_the_same_verdict(client, studio, file_bytes, metric):
    a, b, other = (file_bytes(studio.shot(person)) for person in (1, 1, 2))
    for image, same in ((b, True), (other, False)):
        request = {"img1": uri(a), "img2": uri(image), "distance_metric": metric}
        answer = client.post("/verify", json=request).json()
        assert (answer["verified"], answer["similarity_metric"]) == (same, metric)
        assert client.post("/verify", json={**request, "threshold": 4}).json()["verified"] is True
        assert client.post("/verify", json={**request, "threshold": 0}).json()["verified"] is False


def test_of_several_faces_the_most_similar_are_compared(client, studio, file_bytes):
    group, one = file_bytes(studio.shot(3, 2, 1)), file_bytes(studio.shot(1))
    answer = client.post("/verify", json={"img1": uri(group), "img2": uri(one)}).json()
    assert answer["verified"] is True
    assert answer["facial_areas"]["img1"]["x"] == 48
    alone = client.post("/verify", json={"img1": uri(group), "img2": uri(one), "max_faces": 1}).json()
    assert alone["verified"] is False


def test_represent(client, studio, file_bytes):
    photo = file_bytes(studio.shot(1, 2))
    native = client.post("/v1/embed", files={"file": photo}).json()["faces"]
    results = client.post("/represent", json={"img": uri(photo), "max_faces": 5}).json()["results"]
    for face, result in zip(native, results, strict=True):
        assert np.allclose(face["embedding"], result["embedding"])
    assert len(client.post("/represent", json={"img": uri(photo), "max_faces": 1}).json()["results"]) == 1


def test_without_a_detected_face(client, studio, file_bytes):
    black = file_bytes(studio.shot())
    answer = client.post("/represent", json={"img": uri(black)})
    assert "Face could not be detected in img" in answer.json()["error"]
    for options in ({"enforce_detection": False}, {"enforce_detection": "false"}, {"detector_backend": "skip"}):
        (result,) = client.post("/represent", json={"img": uri(black), **options}).json()["results"]
        assert result["face_confidence"] == 0
        assert result["facial_area"] == {"x": 0, "y": 0, "w": 24, "h": 24, "left_eye": None, "right_eye": None}


def test_a_model_with_other_labels_says_so(client, studio, file_bytes):
    answer = client.post("/analyze", json={"img": uri(file_bytes(studio.shot(1)))})
    assert answer.status_code == 400
    assert "dark, bright" in answer.json()["error"]


def test_keys_and_scopes_have_deepfaces_shape(keyed, serve, studio, file_bytes):
    image = {"img": uri(file_bytes(studio.shot(1)))}
    enroller = keyed("enroll")
    answer = enroller.post("/represent", json=image)
    assert (answer.status_code, set(answer.json())) == (403, {"error"})
    answer = serve().post("/represent", json=image)
    assert (answer.status_code, set(answer.json())) == (401, {"error"})


def test_a_bearer_token_is_a_key(keyed, studio, file_bytes):
    client = keyed("read")
    secret = client.headers.pop("x-api-key")
    image = {"img": uri(file_bytes(studio.shot(1)))}
    assert client.post("/represent", json=image, headers={"Authorization": f"Bearer {secret}"}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/analyze", "/verify", "/represent"])
@pytest.mark.parametrize("negative", [False, True], ids=["fitting", "unfitting"])
def test_a_fuzz_finds_no_500(client, fuzz, path, negative):
    assert 400 in fuzz(client, path, 60, negative), "and 500 is not documented"
