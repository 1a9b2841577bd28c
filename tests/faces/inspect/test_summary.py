from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from facelet.cli.faces import show
from facelet.faces import load
from facelet.faces.inspect.summary import describe, training_warnings


def printed(faces) -> str:
    console = Console(file=io.StringIO(), width=100)
    show(describe(faces), console)
    return console.file.getvalue()


@pytest.mark.slow
def test_says_what_there_is(face_set):
    faces = face_set(count=60, size=48)
    description = describe(faces)
    assert (description.faces, description.size, description.identities, description.groups) == (60, 48, 6, 60)
    assert set(description.agreement) == {"train", "val", "test"}
    text = printed(faces)
    for part in (
        "somewhere (majority), 3 classes",
        faces.protocol.hash,
        "anger",
        "60 faces, 48 x 48 px, grey",
        "made up",
    ):
        assert part in text
    assert "No leaks between the splits." in text


def test_warns(face_set):
    faces = face_set(count=60, size=48)
    faces.images[faces.splits == 2] = faces.images[0]
    faces.images[1] = 0
    text = printed(faces)
    assert "12 test faces are pixel by pixel in train (8 under another label)" in text
    assert "1 faces are one flat colour" in text
    assert "No leaks" not in text


def test_warns_of_one_photo_in_two_classes(lay_out):
    folder = lay_out(f"train/{name}/{number}.png" for name in ("happy", "sad") for number in range(10))
    (folder / "train/sad/1.png").write_bytes((folder / "train/happy/1.png").read_bytes())
    text = " ".join(printed(load(f"folder:{folder}?val=0")).split())
    assert "1 train faces are copies, pixel by pixel, of another train face" in text
    contradiction = "2 train faces are also there under another label: train/happy/1.png and train/sad/1.png"
    assert contradiction in text
    assert training_warnings(load(f"folder:{folder}?val=0"))[0] == contradiction


def test_brackets_in_names_are_not_markup(face_set):
    faces = face_set()
    faces.classes = ("[red]anger", "fear", "[/]")
    faces.licence = "[bold]mine"
    assert "[red]anger" in printed(faces)


def test_as_json(face_set):
    value = json.loads(json.dumps(describe(face_set()).to_json()))
    assert value["protocol"]["hash"] == face_set().protocol.hash
    assert value["leaks"]["shared"][0]["first"] == "train"


def test_people_who_are_among_the_pairs(lay_out, small_lfw):
    folder = lay_out([f"{person}/{n}.png" for person in ("Person_Aa", "Ann", "Bo", "Cy") for n in range(3)])
    description = describe(load(f"identities:{folder}"), against=f"lfw:{small_lfw()}")
    assert description.overlap == "1 of 4 training people are among LFW's by name: Person_Aa"
    console = Console(file=io.StringIO(), width=100)
    show(description, console)
    text = console.file.getvalue()
    assert description.overlap in text
    assert "12 faces, 48 x 48 px, grey, 4 people, 4 groups, 12 without label" in text
