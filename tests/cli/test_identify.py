"""``facelet identify``: table, JSON and drawn photos; broken files and odd names among them."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from facelet.cli import identify
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.runtime.people.gallery import Gallery
from facelet.runtime.people.results import Match


@pytest.fixture
def gallery(studio):
    with Gallery() as opened:
        opened.enroll("Anna", studio.shot(1))
        opened.enroll("[bold]B[/]", studio.shot(2))
        for name, people in (("day/party.png", (1, 3, 2)), ("day/anna.jpg", (1,)), ("day/black.png", ())):
            studio.photo(name, *people)
        yield opened


def said(gallery, *places, **options):
    console = Console(file=io.StringIO(), width=120)
    identify.command(places, gallery, console=console, **options)
    return console.file.getvalue()


def test_table(gallery):
    lines = [line for line in said(gallery, "day").splitlines() if line.strip()]
    head, anna, black, one, two, three, summary = lines
    assert head.split()[:5] == ["photo", "face", "detected", "name", "score"]
    assert anna.split()[:4] == ["anna.jpg", "1", "0.90", "Anna"]
    assert "no face found" in black
    assert one.split()[:4] == ["party.png", "1", "0.90", "Anna"]
    assert two.split()[:3] == ["2", "0.90", "unknown"]
    assert "[bold]B[/]" in three
    assert "48, 0, 24 x 24" in three
    assert summary == "3 photos, 4 faces, 3 known, threshold 0.500"


def test_faces_of_low_quality_are_left_out(gallery):
    assert said(gallery, "day", min_quality=1.0).count("no face found") == 3
    assert "4 faces" in said(gallery, "day", min_quality=0.01)


def test_json(gallery, studio, capsys):
    assert said(gallery, "day", as_json=True) == ""
    document = json.loads(capsys.readouterr().out)
    assert document["model"]["name"] == "tiny-identity"
    assert len(document["model"]["sha256"]) == 64
    assert document["threshold"] == 0.5
    party = document["photos"][2]
    assert party["file"] == "day/party.png"
    assert [face["name"] for face in party["faces"]] == ["Anna", None, "[bold]B[/]"]
    assert party["faces"][0].keys() == {"box", "detector_score", "name", "score", "warnings"}
    assert document["photos"][1]["faces"] == []


def test_drawn_photos(gallery, studio, monkeypatch):
    written = []
    monkeypatch.setattr("facelet.runtime.drawing.draw.put", lambda image, text, *rest: written.append(text))
    text = said(gallery, "day", save="out")
    assert "0.90" in written
    written = [words for words in written if words != "0.90"]
    assert "drawn: out" in text
    assert sorted(file.name for file in (studio.folder / "out").iterdir()) == [
        "anna.faces.jpg",
        "black.faces.png",
        "party.faces.png",
    ]
    assert pixels.read(studio.folder / "out" / "party.faces.png").shape == (213, 640, 3)
    assert sorted(words.rsplit(" ", 1)[0] for words in written) == ["Anna", "Anna", "[bold]B[/]", "unknown"]


def test_small_faces_are_said(studio, make_identity, tmp_path, capsys):
    told = "small: 24 px, measured from 30 px"
    with Gallery(model=make_identity(tmp_path / "strict.onnx", smallest=30)) as strict:
        assert strict.enroll("Anna", studio.photo("anna.png", 1)).notes == (f"anna.png: {told}",)
        assert told in said(strict, "anna.png")
        said(strict, "anna.png", as_json=True)
    assert json.loads(capsys.readouterr().out)["photos"][0]["faces"][0]["warnings"] == [told]


def test_a_long_name_is_cut_where_it_is_drawn():
    words = identify.caption(Match(None, "x" * 200, 0.5))
    assert words == "x" * 29 + "... 0.50"


def test_broken_files_are_passed_over(gallery, studio, capsys):
    (studio.folder / "day" / "torn.png").write_bytes(b"torn")
    text = said(gallery, "day")
    assert "cannot be read" in text
    assert re.search(r"^3 photos, .*, 1 skipped, threshold", text, re.M)  # a photo that was not read is none of them
    assert "skipped: day/torn.png: not a readable image" in capsys.readouterr().err
    with pytest.raises(FaceletError, match=r"^day/torn.png: not a readable image"):
        said(gallery, "day/torn.png")


def test_a_video_names_who_came_by(gallery, studio, film):
    """Each face by the mean of its vectors; somebody of whom nothing is known stays unknown."""
    place = film(lambda number: studio.shot(1, 9))
    head, anna, other, summary = said(gallery, str(place)).splitlines()
    assert head.split() == ["face", "from", "to", "frames", "name"]
    assert anna.split()[:5] == ["1", "0:00.0", "0:01.9", "20", "Anna"]
    assert other.split()[4] == "unknown"
    assert summary == "20 frames, 2 faces tracked"


def test_the_folder_is_made_after_the_gallery_is_found(gallery, studio, tmp_path):
    with Gallery(tmp_path / "other.db") as other, pytest.raises(FaceletError, match="no gallery"):
        said(other, "day", save="out")
    assert not (studio.folder / "out").exists()
