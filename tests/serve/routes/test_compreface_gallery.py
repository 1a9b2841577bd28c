"""CompreFace's API, the face collection: faces, pages, subjects, deletion, scopes and the audit."""

from __future__ import annotations

import uuid

import pytest

API = "/api/v1/recognition"


def enroll(client, name: str, data: bytes, **options):
    return client.post(f"{API}/faces", params={"subject": name}, files={"file": ("a.png", data)}, **options)


@pytest.fixture
def enrolled(client, studio, file_bytes) -> list[dict]:
    """Two faces of Anna and one of Bo, as they were answered."""
    people = (("Anna", 1), ("Bo", 2), ("Anna", 1))
    return [enroll(client, name, file_bytes(studio.shot(person))).json() for name, person in people]


def test_faces_have_identifiers_that_stay(client, enrolled):
    ids = [face["image_id"] for face in enrolled]
    assert len(set(ids)) == 3
    assert all(uuid.UUID(key).version == 5 for key in ids)
    listed = client.get(f"{API}/faces").json()
    assert {(face["image_id"], face["subject"]) for face in listed["faces"]} == {
        (face["image_id"], face["subject"]) for face in enrolled
    }
    assert client.get(f"{API}/faces").json() == listed


def test_pages(client, enrolled):
    first = client.get(f"{API}/faces?page=0&size=2").json()
    second = client.get(f"{API}/faces?page=1&size=2").json()
    assert [face["subject"] for face in first["faces"] + second["faces"]] == ["Anna", "Anna", "Bo"]
    assert (first["page_size"], first["total_pages"], first["total_elements"]) == (2, 2, 3)
    assert client.get(f"{API}/faces?page=9").json()["faces"] == []
    assert client.get(f"{API}/faces?subject=Bo").json()["total_elements"] == 1
    assert client.get(f"{API}/faces?size=0").json()["code"] == 26


def test_an_empty_collection(client):
    assert client.get(f"{API}/faces").json() == {
        "faces": [],
        "page_number": 0,
        "page_size": 20,
        "total_pages": 0,
        "total_elements": 0,
    }
    assert client.get(f"{API}/subjects").json() == {"subjects": []}
    assert client.delete(f"{API}/faces").json() == {"deleted": 0}
    assert client.delete(f"{API}/subjects").json() == {"deleted": 0}


def test_one_face_is_deleted(client, enrolled, lines):
    first = enrolled[0]
    assert client.delete(f"{API}/faces/{first['image_id']}").json() == first
    assert client.delete(f"{API}/faces/{first['image_id']}").json()["code"] == 44
    assert client.get(f"{API}/faces?subject=Anna").json()["total_elements"] == 1
    assert [(line["act"], line["name"], line["faces"]) for line in lines] == [("delete", "Anna", 1)]
    assert client.delete(f"{API}/faces/no-uuid").json()["code"] == 36


def test_several_faces_are_deleted(client, enrolled):
    ids = [face["image_id"] for face in enrolled]
    answer = client.post(f"{API}/faces/delete", json=[ids[2], str(uuid.uuid4()), ids[1]])
    assert [face["image_id"] for face in answer.json()] == [ids[2], ids[1]]
    assert client.get(f"{API}/subjects").json() == {"subjects": ["Anna"]}


def test_faces_of_a_subject_are_deleted(client, enrolled, lines):
    assert client.delete(f"{API}/faces?subject=").json()["code"] == 26, "an empty name is not everybody"
    assert client.delete(f"{API}/faces?subject=Anna").json() == {"deleted": 2}
    assert client.delete(f"{API}/faces").json() == {"deleted": 1}
    assert [(line["act"], line["name"]) for line in lines] == [("delete", "Anna"), ("delete", "Bo")]


def test_subjects(client, enrolled):
    assert client.get(f"{API}/subjects").json() == client.get(f"{API}/subjects/").json() == {"subjects": ["Anna", "Bo"]}
    assert client.post(f"{API}/subjects", json={"subject": "Anna"}).json()["code"] == 43
    assert client.post(f"{API}/subjects", json={"subject": " Cy "}).json() == {"subject": "Cy"}
    assert client.get(f"{API}/subjects").json() == {"subjects": ["Anna", "Bo"]}, "stored with the first face"
    assert client.put(f"{API}/subjects/Bo", json={"subject": "Bo B/C"}).json() == {"updated": True}
    assert client.put(f"{API}/subjects/Bo B/C", json={"subject": "Bo B/C "}).json() == {"updated": False}
    assert client.put(f"{API}/subjects/Nobody", json={"subject": "Cy"}).json()["code"] == 42
    assert client.put(f"{API}/subjects/Anna", json={}).json()["code"] == 26
    assert client.delete(f"{API}/subjects/Bo%20B%2FC").json() == {"subject": "Bo B/C"}
    assert client.delete(f"{API}/subjects/Bo").json()["code"] == 42
    assert client.delete(f"{API}/subjects").json() == {"deleted": 1}


def test_a_renamed_subject_joins_who_has_the_name(client, enrolled, lines):
    assert client.put(f"{API}/subjects/Bo", json={"subject": "Anna"}).json() == {"updated": True}
    assert client.get(f"{API}/subjects").json() == {"subjects": ["Anna"]}
    assert client.get(f"{API}/faces").json()["total_elements"] == 3
    assert [(line["act"], line["name"], line["new"]) for line in lines] == [("rename", "Bo", "Anna")]


def test_who_may_be_enrolled(client, studio, file_bytes):
    assert enroll(client, "Anna", file_bytes(studio.shot(1, 2))).json()["code"] == 31
    assert enroll(client, "Anna", file_bytes(studio.shot())).json()["code"] == 28
    assert enroll(client, "Anna", b"torn").json()["code"] == 21
    for name in ("", " ", "a\nb", "x" * 201):
        assert enroll(client, name, file_bytes(studio.shot(1))).json()["code"] == 26
    assert client.get(f"{API}/subjects").json() == {"subjects": []}


def test_the_name_may_be_a_field_of_the_form(client, studio, file_bytes):
    answer = client.post(
        f"{API}/faces", data={"subject": "Anna"}, files={"file": ("a.png", file_bytes(studio.shot(1)))}
    )
    assert answer.json()["subject"] == "Anna"


def test_the_same_photo_again_is_the_same_face(client, studio, file_bytes):
    photo = file_bytes(studio.shot(1))
    assert enroll(client, "Anna", photo).json() == enroll(client, "Anna", photo).json()
    assert client.get(f"{API}/faces").json()["total_elements"] == 1
    assert enroll(client, "Eve", photo).json()["image_id"] != enroll(client, "Anna", photo).json()["image_id"]


def test_no_pictures(client, enrolled):
    answer = client.get(f"{API}/faces/{enrolled[0]['image_id']}/img")
    assert (answer.status_code, answer.content) == (200, b"")


def test_scopes(keyed, studio, file_bytes):
    reader = keyed("read")
    assert enroll(reader, "Anna", file_bytes(studio.shot(1))).status_code == 403
    for method, path in (
        ("DELETE", "/faces"),
        ("DELETE", f"/faces/{uuid.uuid4()}"),
        ("DELETE", "/subjects"),
        ("DELETE", "/subjects/Anna"),
    ):
        answer = reader.request(method, API + path)
        assert (answer.status_code, answer.json()["code"]) == (403, 32)
    assert reader.post(f"{API}/faces/delete", json=[]).status_code == 403
    assert reader.post(f"{API}/subjects", json={"subject": "A"}).status_code == 403
    assert reader.put(f"{API}/subjects/A", json={"subject": "B"}).status_code == 403
    assert reader.get(f"{API}/subjects").status_code == 200
