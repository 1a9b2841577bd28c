"""Native API: analyze, verify, embed, identify and models answer as the runtime does; bad input is never a 500."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from photo_fixtures import faces_in_a_row

from facelet.errors import FaceletError
from facelet.models.priors import parsed as prior_of
from facelet.runtime.analyzer import Analyzer
from facelet.runtime.people.gallery import Gallery
from facelet.runtime.people.subject import identity_analyzer
from facelet.runtime.people.verify import compare
from facelet.serve.service import Service


def posted(client, path: str, data: bytes, **options):
    return client.post(path, content=data, headers={"content-type": "image/png"}, **options)


@pytest.fixture
def row(file_bytes) -> bytes:
    """Two faces, a bright and a dark one."""
    shades = [np.full((24, 24, 3), shade, np.uint8) for shade in (220, 30)]
    return file_bytes(np.hstack(shades))


def test_analyze(client, settings, row):
    answer = posted(client, "/v1/analyze", row)
    assert answer.status_code == 200
    analyzer = Analyzer(settings.model, client.app.state.service.detector)
    expected = [face.to_json() for face in analyzer.analyze(row)]
    for face in expected:
        face["embedding"] = face.pop("identity")
    assert answer.json() == {"width": 48, "height": 24, "faces": expected, "omitted": 0}
    assert [face["expression"] for face in answer.json()["faces"]] == ["bright", "dark"]
    assert client.post("/v1/analyze", files={"file": row}).json() == answer.json()
    assert client.post("/v1/analyze", json={"file": base64.b64encode(row).decode()}).json() == answer.json()


@pytest.mark.parametrize("prior", ["uniform", "uniform^0.25", "neutral=0.8,happiness=0.2"])
def test_a_class_prior_as_predict_has_it(serve, row, prior):
    expected = [face.to_json() for face in Analyzer("expression", faces_in_a_row, prior=prior_of(prior)).analyze(row)]
    asked = posted(serve(model="expression"), "/v1/analyze", row, params={"prior": prior}).json()["faces"]
    client = serve(model="expression", prior=prior)
    usual = posted(client, "/v1/analyze", row).json()["faces"]
    for faces in (asked, usual):
        assert [face["expression"] for face in faces] == [face["expression"] for face in expected]
        assert [face["probabilities"] for face in faces] == [face["probabilities"] for face in expected]
    plain = posted(client, "/v1/analyze", row, params={"prior": "training"}).json()["faces"]
    assert plain != usual


@pytest.mark.parametrize(
    ("prior", "said"), [("unifrom", "did you mean 'uniform'"), ("uniform^x", "power"), ("a=b", "share")]
)
def test_a_wrong_prior_is_422(serve, row, prior, said):
    answer = posted(serve(model="expression"), "/v1/analyze", row, params={"prior": prior})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_prior")
    assert said in answer.json()["error"]["message"]


def test_a_prior_needs_a_model_with_counts(client, settings, row):
    answer = posted(client, "/v1/analyze", row, params={"prior": "uniform"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_prior")
    with pytest.raises(FaceletError, match="does not state how many training faces"):
        Service(settings.model_copy(update={"prior": "uniform"}))


def test_ready_crops_and_embeddings_on_request(client, row):
    crop = posted(client, "/v1/analyze?cropped=true&embeddings=true", row).json()["faces"]
    assert [face["box"] for face in crop] == [[0, 0, 48, 24]]
    assert crop[0]["landmarks"] is None
    assert np.linalg.norm(crop[0]["embedding"]) == pytest.approx(1, abs=1e-5)
    assert posted(client, "/v1/analyze", row).json()["faces"][0]["embedding"] is None


def test_no_face_is_no_error(client, file_bytes):
    black = file_bytes(np.zeros((30, 40, 3), np.uint8))
    assert posted(client, "/v1/analyze", black).json() == {"width": 40, "height": 30, "faces": [], "omitted": 0}
    assert posted(client, "/v1/embed", black).json()["faces"] == []
    assert posted(client, "/v1/identify", black).json()["faces"] == []


def test_verify(client, studio, file_bytes):
    a, b, other = (file_bytes(studio.shot(person)) for person in (1, 1, 2))
    answer = client.post("/v1/verify", files={"a": a, "b": b}).json()
    expected = compare(identity_analyzer(studio.model, client.app.state.service.detector), a, b)
    assert answer["same"] is expected.same is True
    assert answer["score"] == round(expected.score, 5)
    assert answer["threshold"] == 0.5
    assert len(answer["faces"]) == 2
    texts = {name: base64.b64encode(data).decode() for name, data in (("a", a), ("b", other))}
    assert client.post("/v1/verify", json=texts).json()["same"] is False
    assert client.post("/v1/verify?threshold=-1", json=texts).json()["same"] is True


def test_verify_refuses_a_choice_of_faces(client, studio, file_bytes):
    two, one, none = (file_bytes(studio.shot(*people)) for people in ((1, 2), (1,), ()))
    answer = client.post("/v1/verify", files={"a": two, "b": one})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "several_faces")
    assert "a: 2 faces" in answer.json()["error"]["message"]
    assert client.post("/v1/verify?largest=true", files={"a": two, "b": one}).json()["notes"]
    answer = client.post("/v1/verify", files={"a": one, "b": none})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_face")
    assert client.post("/v1/verify", files={"a": one}).json()["error"]["code"] == "missing_file"
    assert client.post("/v1/verify?threshold=2", files={"a": one, "b": one}).status_code == 422


def test_embed(client, studio, file_bytes):
    data = file_bytes(studio.shot(1, 2))
    answer = posted(client, "/v1/embed", data).json()
    analyzer = identity_analyzer(studio.model, client.app.state.service.detector)
    assert answer["sha256"] == analyzer.model.sha256
    for face, expected in zip(answer["faces"], analyzer.analyze(data), strict=True):
        assert np.allclose(face["embedding"], expected.identity, atol=1e-6)


def test_identify(client, studio, settings, file_bytes):
    data = file_bytes(studio.shot(1, 2))
    unknown = posted(client, "/v1/identify", data).json()
    assert [face["name"] for face in unknown["faces"]] == [None, None]
    with Gallery(model=studio.model, detector=client.app.state.service.detector) as gallery:
        gallery.enroll("Anna", studio.shot(1))
        expected = gallery.identify(data)
    answer = posted(client, "/v1/identify", data).json()
    assert [face["name"] for face in answer["faces"]] == [match.name for match in expected] == ["Anna", None]
    assert [face["similarity"] for face in answer["faces"]] == [round(match.score, 5) for match in expected]
    assert answer["threshold"] == 0.5


def test_models(client, settings):
    answer = client.get("/v1/models").json()
    assert [model["task"] for model in answer["models"]] == ["expression", "identity"]
    assert answer["models"][0]["labels"] == ["dark", "bright"]
    assert "/" not in answer["models"][0]["file"]
    assert str(settings.model) not in json.dumps(answer)


def test_scopes(keyed, serve, row):
    enroller = keyed("enroll", "delete")
    for path in ("/v1/analyze", "/v1/embed", "/v1/identify", "/v1/verify"):
        answer = posted(enroller, path, row)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    stranger = serve()
    for headers in ({}, {"x-api-key": "fk_wrong"}, {"authorization": "Bearer no"}, {"authorization": "Basic eA=="}):
        answer = stranger.get("/v1/models", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_both_headers_carry_a_key(keyed):
    client = keyed("read")
    assert client.get("/v1/models").status_code == 200
    secret = client.headers.pop("x-api-key")
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def odd_files(row: bytes) -> dict[str, bytes]:
    png_bomb = bytearray(row)
    png_bomb[16:24] = (30_000).to_bytes(4) * 2
    return {
        "empty": b"",
        "text": b"hello",
        "cut": row[: len(row) // 2],
        "header only": row[:24],
        "bomb": bytes(png_bomb),
        "zeros": bytes(1000),
        "jpeg magic": b"\xff\xd8\xff",
        "jpeg loop": b"\xff\xd8" + b"\xff\xe1\x00\x02" * 1000,
        "gif": b"GIF89a" + b"\xff" * 100,
        "tiff": b"II*\x00" + b"\xff" * 100,
        "webp": b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\xff" * 50,
        "pnm": b"P6 99999 99999 255 ",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "heic": b"\0\0\0\x18ftypheic" + bytes(100),
        "avif": b"\0\0\0\x18ftypavif" + b"ispe" * 30,
        "flipped": bytes(byte ^ 0x55 for byte in row),
    }


@pytest.mark.parametrize("path", ["/v1/analyze", "/v1/analyze?cropped=true", "/v1/embed", "/v1/identify"])
def test_odd_files_are_never_a_500(client, row, path):
    for name, data in odd_files(row).items():
        answer = posted(client, path, data)
        assert answer.status_code in (413, 422), name
        assert set(answer.json()["error"]) == {"code", "message"}, name
        assert "Traceback" not in answer.text
    assert posted(client, path, odd_files(row)["bomb"]).status_code == 413


def test_a_damaged_photo_with_a_whole_end_is_an_answer(client, row):
    """Damage in the middle decodes, or is refused; either is an answer."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        data = bytearray(row)
        for place in rng.integers(8, len(data), 8):
            data[place] = int(rng.integers(256))
        assert posted(client, "/v1/analyze", bytes(data)).status_code in (200, 413, 422)


def test_an_upright_photo(client, file_bytes):
    """EXIF turns it, as for `facelet predict`."""
    data = file_bytes(np.full((24, 48, 3), 200, np.uint8), ".jpg")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + data[2:]
    answer = posted(client, "/v1/analyze", turned).json()
    assert (answer["width"], answer["height"]) == (24, 48)


def test_the_number_of_faces_is_bounded(serve, studio, file_bytes):
    answer = posted(serve(faces=2), "/v1/analyze", file_bytes(studio.shot(1, 2, 3))).json()
    assert (len(answer["faces"]), answer["omitted"]) == (2, 1)
