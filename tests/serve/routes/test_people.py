"""Native API: enrolling, listing, renaming and deleting people, with scopes and an audit."""

from __future__ import annotations

import base64


def enroll(client, name: str, *photos: bytes, **query):
    files = [("file", ("x.png", photo)) for photo in photos]
    return client.post("/v1/people", data={"name": name}, files=files, params=query)


def test_a_life(client, studio, file_bytes, lines):
    assert client.get("/v1/people").json() == {"people": []}
    answer = enroll(client, " Anna ", file_bytes(studio.shot(1)), file_bytes(studio.shot(1)))
    assert answer.status_code == 201
    assert answer.json() == {"name": "Anna", "faces": 2, "already": 0, "alike": [], "notes": []}
    (person,) = client.get("/v1/people").json()["people"]
    assert (person["name"], person["faces"]) == ("Anna", 2)
    assert client.patch("/v1/people/Anna", json={"name": "Anna B/C"}).json() == {"name": "Anna B/C", "faces": 2}
    assert client.delete("/v1/people/Anna").status_code == 404
    assert client.delete("/v1/people/Anna%20B%2FC").json() == {"name": "Anna B/C", "faces": 2}
    assert client.get("/v1/people").json() == {"people": []}
    assert [(line["act"], line["key"], line["name"], line["faces"]) for line in lines] == [
        ("enroll", "local", "Anna", 2),
        ("rename", "local", "Anna", 2),
        ("delete", "local", "Anna B/C", 2),
    ]


def test_json_and_repeated_faces(client, studio, file_bytes):
    photo = file_bytes(studio.shot(3))
    body = {"name": "Zoë", "file": [base64.b64encode(photo).decode()]}
    assert client.post("/v1/people", json=body).json()["faces"] == 1
    again = client.post("/v1/people", json=body).json()
    assert (again["faces"], again["already"]) == (0, 1)


def test_all_photos_or_none(client, studio, file_bytes):
    good, two, none = (file_bytes(studio.shot(*people)) for people in ((1,), (1, 2), ()))
    for bad, code in ((two, "several_faces"), (none, "no_face"), (b"torn", "unreadable_image")):
        answer = enroll(client, "Anna", good, bad)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert client.get("/v1/people").json() == {"people": []}
    assert enroll(client, "Anna", two, largest=True).json()["notes"]


def test_names(client, studio, file_bytes):
    photo = file_bytes(studio.shot(1))
    for name in ("", " ", "x" * 201, "a\nb", "a\x00"):
        assert enroll(client, name, photo).json()["error"]["code"] == "invalid_name"
    assert client.post("/v1/people", files={"file": photo}).json()["error"]["code"] == "invalid_name"
    odd = "'; DROP TABLE face; --"
    assert enroll(client, odd, photo).json()["name"] == odd
    assert enroll(client, "Bo", file_bytes(studio.shot(2))).status_code == 201
    answer = client.patch("/v1/people/Bo", json={"name": odd})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "name_in_use")
    assert client.patch("/v1/people/Bo", json={"name": "a\nb"}).status_code == 422
    assert client.patch("/v1/people/Bo", json={"name": "Bob", "more": 1}).status_code == 422
    assert client.patch("/v1/people/Bo", json={"name": "Bo"}).json()["faces"] == 1
    assert client.patch("/v1/people/Nobody", json={"name": "Bob"}).status_code == 404
    assert len(client.get("/v1/people").json()["people"]) == 2


def test_lookalikes_are_for_readers(keyed, studio, file_bytes, keys_file):
    client = keyed("read", "enroll")
    assert enroll(client, "Anna", file_bytes(studio.shot(1))).status_code == 201
    (other,) = enroll(client, "Eve", file_bytes(studio.shot(1))).json()["alike"]
    assert other["name"] == "Anna"
    keys_file.write_text(keys_file.read_text().replace("read,enroll", "enroll"))
    client.app.state.service.keys._looked = 0.0
    assert enroll(client, "Eva", file_bytes(studio.shot(1))).json()["alike"] == []


def test_scopes(keyed, studio, file_bytes):
    reader = keyed("read")
    photo = file_bytes(studio.shot(1))
    assert enroll(reader, "Anna", photo).status_code == 403
    assert reader.patch("/v1/people/Anna", json={"name": "B"}).status_code == 403
    assert reader.delete("/v1/people/Anna").status_code == 403
    assert reader.get("/v1/people").status_code == 200


def test_too_many_photos(serve, studio, file_bytes):
    photo = file_bytes(studio.shot(1))
    assert enroll(serve(photos=2), "Anna", *[photo] * 3).status_code == 422


def test_a_gallery_that_cannot_be_used_tells_no_path(client, studio, settings, file_bytes, caplog):
    service = client.app.state.service
    assert enroll(client, "Anna", file_bytes(studio.shot(1))).status_code == 201
    service.gallery.close()
    service.gallery.file.write_bytes(b"SQLite format 3\0" + bytes(2000))
    answer = client.get("/v1/people")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gallery_unavailable")
    assert str(service.gallery.file) not in answer.text
    assert str(service.gallery.file) in caplog.text
