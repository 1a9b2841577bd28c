"""Images out of multipart, raw and JSON bodies; everything else is refused with 415 or 422."""

from __future__ import annotations

import base64

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from facelet.serve import errors, upload
from facelet.serve.errors import ApiError
from facelet.serve.upload import Upload, described, from_base64, from_json

PICTURE = b"\xff\xd8\xff\x00picture"
TEXT = base64.b64encode(PICTURE).decode()


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    errors.install(app)

    @app.post("/")
    async def echo(request: Request):
        read = await upload.read_upload(request)
        files = {name: [len(data) for data in images] for name, images in read.files.items()}
        return {"files": files, "fields": read.fields}

    return TestClient(app, raise_server_exceptions=False)


def test_three_ways(client):
    one = {"files": {"file": [len(PICTURE)]}, "fields": {}}
    assert client.post("/", content=PICTURE, headers={"content-type": "image/jpeg"}).json() == one
    assert client.post("/", content=PICTURE, headers={"content-type": "application/octet-stream"}).json() == one
    assert client.post("/", files={"file": ("a.jpg", PICTURE)}).json() == one
    assert client.post("/", json={"file": TEXT}).json() == one
    assert client.post("/", json={"file": f"data:image/jpeg;base64,{TEXT}", "other": None}).json() == one


def test_several_images_and_a_name(client):
    files = [("file", ("a.jpg", PICTURE)), ("file", ("b.jpg", b"b"))]
    several = {"files": {"file": [len(PICTURE), 1]}, "fields": {"name": "Zoë"}}
    assert client.post("/", files=files, data={"name": "Zoë"}).json() == several
    assert client.post("/", json={"file": [TEXT, "Yg=="], "name": "Zoë"}).json() == several


def test_large_parts_stay_in_memory(client, monkeypatch):
    def forbidden(*arguments, **options):
        raise AssertionError("a temporary file")

    monkeypatch.setattr("tempfile._TemporaryFileWrapper", forbidden)
    monkeypatch.setattr("tempfile.TemporaryFile", forbidden)
    large = b"x" * (3 << 20)
    assert client.post("/", files={"file": ("a.jpg", large)}).json()["files"] == {"file": [len(large)]}


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/xml", "multipart/mixed", "application/x-www-form-urlencoded"]
)
def test_other_types_are_refused(client, kind):
    answer = client.post("/", content=PICTURE, headers={"content-type": kind})
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no part at all"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\ntorn',
        ),
        ("multipart/form-data; boundary=", b"--\r\n"),
        ("multipart/form-data; boundary=" + "b" * 5000, b"--b"),
        ("multipart/form-data; boundary=b; charset=\xff", b"--b\r\nx: y\r\n\r\nx\r\n--b--"),
        ("application/json", b""),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"\xff\xfe"),
        ("application/json", b'{"file": "http://example.org/photo.jpg"}'),
        ("application/json", b'{"file": "/etc/passwd.jpg?"}'),
        ("application/json", b'{"file": 5}'),
        ("application/json", b'{"file": {"a": "b"}}'),
        ("application/json", b'{"file": ["QQ==", [["QQ=="]]]}'),
        ("application/json", b'{"file": "QQ=\xc3\xa9"}'),
        ("application/json", b'{"file": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("application/json", b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
        ("application/json", b"NaN"),
        ("application/json", b'{"file": 1' + b"0" * 10_000 + b"}"),
    ],
)
def test_broken_bodies(client, kind, body):
    answer = client.post("/", content=body, headers={"content-type": kind.encode("latin-1")})
    assert answer.status_code in (200, 422)
    assert answer.status_code == 422 or answer.json() == {"files": {}, "fields": {}}
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("charset", ["undefined", "punycode", "idna", "no-such-charset"])
def test_a_charset_that_decodes_nothing(client, charset):
    body = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\xfe-x-\r\n--b--\r\n'
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    assert client.post("/", content=body, headers={"content-type": kind}).status_code in (200, 422)


def test_bounds_of_multipart(client):
    assert client.post("/", data={"name": "x" * 70_000}, files={"file": b"a"}).status_code == 422
    assert client.post("/", data={f"f{n}": "x" for n in range(40)}, files={"file": b"a"}).status_code == 422
    assert client.post("/", files=[("file", b"a")] * 1100).status_code == 422


def test_one_and_all():
    holder = Upload({"file": [b"a", b"b"], "a": [b"c"]})
    assert holder.one("a") == b"c"
    assert holder.all() == [b"a", b"b"]
    for name, ask in (("file", holder.one), ("gone", holder.one), ("gone", holder.all)):
        with pytest.raises(ApiError):
            ask(name)


def test_base64():
    assert from_base64(f" {TEXT[:5]}\n{TEXT[5:]} ") == PICTURE
    assert from_base64(f"data:;base64,{TEXT}") == PICTURE
    for wrong in ("A", "****", "QQ", None, 3, b"QQ==", "data:image/png;base64", "\ud800"):
        if wrong != "data:image/png;base64":
            with pytest.raises(ApiError, match="no image in base64"):
                from_base64(wrong)
    assert from_json(b'{"name": "Anna"}').fields == {"name": "Anna"}


def test_the_description_lists_what_is_read():
    content = described("file")["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json", "image/*"}
    pair = described("a", "b")["requestBody"]["content"]
    assert pair["application/json"]["schema"]["required"] == ["a", "b"]
    assert set(pair) == {"multipart/form-data", "application/json"}
    enrolment = described("file", several=True, fields={"name": "who"})["requestBody"]["content"]
    assert enrolment["multipart/form-data"]["schema"]["properties"]["file"]["type"] == "array"
