"""CompreFace's API, photos: recorded exchanges, Double Take's requests, similarity, options, errors with CompreFace's numbers."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from service_contracts import recorded, replay

API = "/api/v1"


def sent(client, path: str, data: bytes, part: str = "file", **options):
    return client.post(API + path, files={part: ("photo.png", data, "image/png")}, **options)


def enroll(client, name: str, data: bytes) -> str:
    answer = sent(client, "/recognition/faces", data, params={"subject": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["image_id"]


def test_recorded_exchanges(client, studio, file_bytes):
    """In the order of the file, which enrolls first and deletes last."""
    images = {"IMAGE": file_bytes(studio.shot(1)), "BLACK": file_bytes(studio.shot())}
    texts: dict[str, str] = {}
    for exchange in recorded("compreface"):
        answer = replay(client, exchange, images, texts)
        if exchange["name"] == "add an example":
            texts["IMAGE_ID"] = answer["image_id"]
        if exchange.get("status", 200) >= 400:
            assert answer["code"] == exchange["response"]["code"]


def test_recognize_agrees_with_identify(client, studio, file_bytes):
    enroll(client, "Anna", file_bytes(studio.shot(1)))
    enroll(client, "Bo", file_bytes(studio.shot(2)))
    photo = file_bytes(studio.shot(1, 3, 2))
    native = client.post("/v1/identify", files={"file": photo}).json()["faces"]
    result = sent(client, "/recognition/recognize", photo).json()["result"]
    assert [face["name"] for face in native] == ["Anna", None, "Bo"]
    for face, recognized in zip(native, result, strict=True):
        (prediction,) = recognized["subjects"]
        assert (prediction["similarity"] >= 0.5) == (face["name"] is not None)
        assert face["name"] in (None, prediction["subject"])
        left, top, width, height = face["box"]
        box = recognized["box"]
        assert [box[key] for key in ("x_min", "y_min", "x_max", "y_max")] == [left, top, left + width, top + height]
        assert box["probability"] == 0.9


def test_several_predictions_are_of_several_people(client, studio, file_bytes):
    for name, person in (("Anna", 1), ("Anna", 1), ("Bo", 2), ("Cy", 3)):
        enroll(client, name, file_bytes(studio.shot(person)))
    photo = file_bytes(studio.shot(2, 1))
    best = sent(client, "/recognition/recognize", photo).json()["result"]
    several = sent(client, "/recognition/recognize?prediction_count=2", photo).json()["result"]
    for one, two in zip(best, several, strict=True):
        assert two["subjects"][0] == one["subjects"][0]
        names, similarities = zip(*((found["subject"], found["similarity"]) for found in two["subjects"]), strict=True)
        assert len(set(names)) == 2
        assert similarities[0] >= similarities[1]
    all_people = sent(client, "/recognition/recognize?prediction_count=100", photo).json()["result"]
    assert {found["subject"] for found in all_people[0]["subjects"]} == {"Anna", "Bo", "Cy"}


def test_an_empty_gallery_predicts_nobody(client, studio, file_bytes):
    for count in (1, 3):
        answer = sent(client, f"/recognition/recognize?prediction_count={count}", file_bytes(studio.shot(1, 2)))
        assert [face["subjects"] for face in answer.json()["result"]] == [[], []]


def test_double_takes_life(client, studio, file_bytes):
    """Train, recognize, remove, with the parameters that Double Take sends."""
    photo = file_bytes(studio.shot(1))
    assert sent(client, "/recognition/faces", photo, params={"subject": "david"}).status_code == 201
    options = {"face_plugins": "undefined", "det_prob_threshold": 0.8}
    (face,) = sent(client, "/recognition/recognize", photo, params=options).json()["result"]
    assert face["subjects"][0]["subject"] == "david"
    confidence = float(f"{face['subjects'][0]['similarity'] * 100:.2f}")
    assert confidence >= 60, "Double Take's default for a match"
    assert face["box"]["x_max"] > face["box"]["x_min"]
    assert "age" not in face
    assert client.delete(f"{API}/recognition/faces", params={"subject": "david"}).json() == {"deleted": 1}
    assert sent(client, "/recognition/recognize", file_bytes(studio.shot())).json()["code"] == 28


def test_limits_and_scores(client, studio, file_bytes):
    photo = file_bytes(studio.shot(1, 2, 3))
    assert len(sent(client, "/detection/detect?limit=2", photo).json()["result"]) == 2
    assert len(sent(client, "/detection/detect?limit=0&det_prob_threshold=0.9", photo).json()["result"]) == 3
    answer = sent(client, "/detection/detect?det_prob_threshold=0.91", photo)
    assert (answer.status_code, answer.json()["code"]) == (400, 28)
    for query in ("limit=-1", "limit=x", "det_prob_threshold=2", "status=maybe"):
        answer = sent(client, f"/detection/detect?{query}", photo)
        assert (answer.status_code, answer.json()["code"]) == (400, 26), query
    assert sent(client, "/recognition/recognize?prediction_count=0", photo).json()["code"] == 26


def test_a_ready_crop(client, studio, file_bytes):
    (face,) = sent(client, "/recognition/recognize?detect_faces=false", file_bytes(studio.shot())).json()["result"]
    assert face["box"] == {"probability": 1.0, "x_max": 24, "y_max": 24, "x_min": 0, "y_min": 0}


def test_verification(client, studio, file_bytes):
    one, group = file_bytes(studio.shot(1)), file_bytes(studio.shot(2, 1))
    images = {"source_image": one, "target_image": group}
    (result,) = client.post(f"{API}/verification/verify", files=images).json()["result"]
    assert [match["similarity"] >= 0.5 for match in result["face_matches"]] == [False, True]
    texts = {name: base64.b64encode(data).decode() for name, data in images.items()}
    assert client.post(f"{API}/verification/verify", json=texts).json()["result"] == [result]
    turned = {"source_image": group, "target_image": one}
    assert client.post(f"{API}/verification/verify", files=turned).json()["code"] == 31
    assert client.post(f"{API}/verification/verify?limit=1", files=turned).status_code == 200
    assert client.post(f"{API}/verification/verify", files={"source_image": one}).json()["code"] == 34


def test_comparison_with_a_stored_face(client, studio, file_bytes):
    stored = enroll(client, "Anna", file_bytes(studio.shot(1)))
    path = f"/recognition/faces/{stored}/verify"
    result = sent(client, path, file_bytes(studio.shot(2, 1))).json()["result"]
    assert [face["similarity"] >= 0.5 for face in result] == [False, True]
    assert {face["subject"] for face in result} == {"Anna"}
    assert sent(client, path.replace(stored, "7" * 32), file_bytes(studio.shot(1))).json()["code"] == 44
    assert sent(client, path.replace(stored, "x"), file_bytes(studio.shot(1))).json()["code"] == 36


def test_vectors_are_those_of_embed(client, studio, file_bytes):
    photo = file_bytes(studio.shot(1))
    (native,) = client.post("/v1/embed", files={"file": photo}).json()["faces"]
    (face,) = sent(client, "/detection/detect?face_plugins=calculator,%20landmarks", photo).json()["result"]
    assert np.allclose(face["embedding"], native["embedding"])
    assert face["landmarks"] == np.round(native["landmarks"]).tolist()
    assert "embedding" not in sent(client, "/detection/detect", photo).json()["result"][0]


def test_errors(client, keyed, serve, file_bytes, studio):
    for data in (b"", b"hello", file_bytes(studio.shot(1))[:40]):
        answer = sent(client, "/recognition/recognize", data)
        assert (answer.status_code, answer.json()["code"]) == (400, 21)
    answer = client.post(f"{API}/recognition/recognize", json={"file": "https://example.com/a.jpg"})
    assert (answer.status_code, answer.json()["code"]) == (400, 21)
    answer = client.post(f"{API}/recognition/recognize", content=b"x", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["code"]) == (400, 0)
    deleter = keyed("delete")
    answer = sent(deleter, "/recognition/recognize", file_bytes(studio.shot(1)))
    assert (answer.status_code, answer.json()["code"]) == (403, 32)
    answer = sent(serve(), "/recognition/recognize", file_bytes(studio.shot(1)))
    assert (answer.status_code, answer.json()["code"]) == (401, 20)


def test_errors_outside_of_the_routes(serve, studio, file_bytes):
    client = serve(body_bytes=1024)
    answer = client.post(f"{API}/recognition/recognize", content=bytes(2000), headers={"content-type": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (413, 0)
    client.app.state.service._under_way = client.app.state.service.settings.queue
    answer = sent(client, "/recognition/recognize", file_bytes(studio.shot(1)))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, 0, "1")
    assert "under way" in answer.json()["message"]
    assert client.post("/represent", json={}).json() == {"error": answer.json()["message"]}
    assert client.get(f"{API}/nowhere").json() == {"message": "Not Found", "code": 0}


@pytest.mark.slow
@pytest.mark.parametrize("negative", [False, True], ids=["fitting", "unfitting"])
def test_a_fuzz_finds_no_500(client, fuzz, negative):
    assert 400 in fuzz(client, API, 30, negative), "and 500 is not documented"
