"""What ``facelet enroll`` and ``facelet gallery`` print: text, JSON, CSV, warnings."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from rich.console import Console

from facelet.cli.gallery import enroll_photos, print_people, remove_people, rename_person, show_people
from facelet.errors import FaceletError
from facelet.runtime.people.gallery import Gallery


@pytest.fixture
def gallery(studio):
    with Gallery() as opened:
        yield opened


def said(act, *arguments, **options):
    console = Console(file=io.StringIO(), width=100)
    act(*arguments, console=console, **options)
    return console.file.getvalue()


def test_enroll(gallery, studio, capsys):
    for number in range(3):
        studio.photo(f"anna/{number}.png", 1)
    text = said(enroll_photos, gallery, "[red]Anna", ["anna"])
    assert text == f"[red]Anna: 3 faces enrolled; {gallery.file}\n"
    text = said(enroll_photos, gallery, "[red]Anna", ["anna/1.png"])
    assert text == f"[red]Anna: 0 faces enrolled, 1 already enrolled; {gallery.file}\n"
    studio.photo("two.png", 1, 2)
    assert "Berta: 1 face enrolled" in said(enroll_photos, gallery, "Berta", ["two.png"], largest=True)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "two.png: 2 faces, using the largest"
    assert told[1].startswith("warning: two.png looks like '[red]Anna', who is already enrolled (score ")


def test_list_and_remove(gallery, studio):
    gallery.enroll("Zoë 王", [studio.shot(1), studio.shot(1)])
    gallery.enroll("[b]", studio.shot(2))
    head, zoe, other, summary = said(show_people, gallery).splitlines()
    assert head.split() == ["name", "faces", "first", "enrolled", "last", "enrolled"]
    assert zoe.split()[:3] == ["Zoë", "王", "2"]
    assert other.split()[:2] == ["[b]", "1"]
    assert summary.startswith("2 names, 3 faces, made with identity.onnx (SHA-256 ")
    assert said(remove_people, gallery, ["[b]", "Zoë 王"]) == "[b]: 1 face removed\nZoë 王: 2 faces removed\n"
    assert said(show_people, gallery) == f"0 names, 0 faces; {gallery.file}\n"


def test_rename(gallery, studio):
    gallery.enroll("[b]Anna", [studio.shot(1), studio.shot(1)])
    assert said(rename_person, gallery, "[b]Anna", " Zoë ") == "Zoë: 2 faces, before: [b]Anna\n"
    gallery.enroll("Berta", studio.shot(2))
    assert said(rename_person, gallery, "Zoë", "Berta", merge=True) == "Berta: 3 faces, before: Zoë\n"


def test_the_list_tells_the_retention_time(gallery, studio):
    gallery.enroll("Anna", studio.shot(1))
    gallery.set_retention(timedelta(days=30))
    assert "1 name, 1 face, kept for 30 days, made with identity.onnx" in said(show_people, gallery)


def test_export(gallery, studio, capsys):
    gallery.enroll("Anna, B", studio.photo("a.png", 1))
    print_people(gallery)
    document = json.loads(capsys.readouterr().out)
    assert document["model"]["file"] == "identity.onnx"
    (person,) = document["people"]
    assert (person["name"], person["faces"]) == ("Anna, B", 1)
    assert person["first"] == person["last"]
    print_people(gallery, as_csv=True)
    text = capsys.readouterr().out
    assert "vector" not in text
    assert next(csv.DictReader(io.StringIO(text)))["name"] == "Anna, B"


def test_export_with_embeddings(gallery, studio, capsys):
    gallery.enroll("Anna", studio.photo("a.png", 1))
    vector = next(gallery.faces()).vector.tolist()
    print_people(gallery, embeddings=True)
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert face == {"name": "Anna", "photo": "a.png", "enrolled": face["enrolled"], "vector": vector}
    print_people(gallery, as_csv=True, embeddings=True)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert json.loads(row["vector"]) == vector


def test_no_gallery(gallery):
    for act in (
        show_people,
        lambda people, console: remove_people(people, ["A"], console=console),
    ):
        with pytest.raises(FaceletError, match="no gallery"):
            said(act, gallery)
