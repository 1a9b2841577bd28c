"""The command: table, JSON, CSV and drawn photos; broken, empty and oddly named files among them."""

from __future__ import annotations

import csv
import io
import json
import sys

import cv2
import numpy as np
import pytest
from rich.console import Console

from facelet.cli import predict
from facelet.errors import FaceletError
from facelet.io import pixels
from facelet.runtime.detector import Detection


def detector(photo):
    """A face in the middle of every photo that is not black."""
    height, width = photo.shape[:2]
    if not photo.any():
        return []
    corners = np.array([(0.4, 0.4), (0.6, 0.4), (0.5, 0.5), (0.42, 0.6), (0.58, 0.6)], np.float32)
    return [Detection((width / 4, height / 4, width / 2, height / 2), 0.9, corners * (width, height))]


@pytest.fixture
def album(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACELET_MODEL", str(tiny))
    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: detector)
    for name, grey in (("bright.jpg", 250), ("sub/bright.jpg", 240), ("dim.png", 20), ("black.png", 0)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(name, np.full((60, 80, 3), grey, np.uint8))
    return tmp_path


def said(*places, **options):
    console = Console(file=io.StringIO(), width=120)
    predict.command(places, console=console, **options)
    return console.file.getvalue()


def test_table(album):
    text = said("bright.jpg", "dim.png", "black.png")
    bright, dim, black, summary = [line for line in text.splitlines() if line.strip()][1:5]
    assert "bright.jpg" in bright
    assert " bright " in bright
    assert "20, 15, 40 x 30" in bright
    assert " dark " in dim
    assert "no face found" in black
    assert summary.startswith("3 photos, 2 faces, 1 without a face, ")


def test_faces_of_low_quality_are_left_out(album):
    assert "no face found" in said("bright.jpg", min_quality=1.0)
    assert "no face found" not in said("bright.jpg", min_quality=0.01)


def test_json_is_one_document(album, capsys, tiny):
    assert said("bright.jpg", "black.png", form="json") == ""
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == {"file": str(tiny), "name": "tiny", "labels": ["dark", "bright"]}
    bright, black = document["photos"]
    assert (bright["file"], bright["width"], bright["height"]) == ("bright.jpg", 80, 60)
    assert bright["faces"][0]["expression"] == "bright"
    assert bright["faces"][0]["box"] == [20, 15, 40, 30]
    assert black["faces"] == []


def test_of_the_training_faces_only_is_said_that_they_are_no_people(album, capsys, make_model, make_info):
    drawn, split = "cartoons: says nothing about faces of people", "unreadable, left out: 1 (anna-2019.png)"
    for notes, expected in (([split, drawn], f"the model's training faces: {drawn}\n"), ([split], ""), (None, "")):
        info = make_info(protocol={"notes": notes})
        said("bright.jpg", model=make_model(album / "model.onnx", info))
        assert capsys.readouterr().err == expected


def test_csv(album, capsys):
    said("bright.jpg", "black.png", form="csv")
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["file"], first["face"], first["expression"], first["left"]) == ("bright.jpg", "1", "bright", "20.0")
    assert 0 <= float(first["quality"]) <= 1
    assert float(first["dark"]) + float(first["bright"]) == pytest.approx(1, abs=1e-4)
    assert (second["file"], second["face"], second["error"]) == ("black.png", "", "")


def test_a_small_face_is_answered_with_a_warning(album, capsys, make_model, make_info, monkeypatch):
    """In table, JSON, CSV and on the drawn photo; without one there is no column for it."""
    told = "small: 40 px, measured from 48 px"
    assert "warnings" not in said("bright.jpg")
    written = []
    monkeypatch.setattr("facelet.runtime.drawing.draw.put", lambda image, text, *rest: written.append(text))
    model = str(make_model(album / "strict.onnx", make_info(smallest=48)))
    text = said("bright.jpg", "dim.png", model=model, save="out")
    assert "warnings" in text
    assert text.count(told) == 2
    assert [words for words in written if words.endswith(", small")] == ["bright 98%, small", "dark 97%, small"]
    for form in ("json", "csv"):
        said("bright.jpg", "black.png", model=model, form=form)
    document, head, bright, black = capsys.readouterr().out.splitlines()
    assert json.loads(document)["photos"][0]["faces"][0]["warnings"] == [told]
    assert head.endswith(",bright,quality,warnings,error")
    assert bright.endswith(f',"{told}",')
    assert black.count(",") == head.count(",")


@pytest.mark.parametrize("cropped", [False, True])
def test_broken_files_are_passed_over(album, capsys, cropped):
    for name in ("0.jpg", "c.jpg", "z.jpg"):
        (album / name).write_bytes(b"torn")
    said(".", form="json", cropped=cropped)
    captured = capsys.readouterr()
    photos = {photo["file"]: photo for photo in json.loads(captured.out)["photos"]}
    assert list(photos) == ["0.jpg", "black.png", "bright.jpg", "c.jpg", "dim.png", "z.jpg", "sub/bright.jpg"]
    assert "not a readable image" in photos["c.jpg"]["error"]
    assert photos["bright.jpg"]["faces"][0]["expression"] == "bright"
    assert photos["dim.png"]["faces"][0]["expression"] == "dark"
    assert captured.err.count("skipped: ") == 3
    assert "3 skipped" in said(".", cropped=cropped)


def test_only_broken_files_are_an_error(album):
    (album / "torn.jpg").write_bytes(b"torn")
    with pytest.raises(FaceletError, match=r"^torn.jpg: not a readable image"):
        said("torn.jpg")
    (album / "empty.jpg").write_bytes(b"")
    with pytest.raises(FaceletError, match="none of the 2 photos can be read"):
        said("torn.jpg", "empty.jpg")


def test_cropped(album, capsys):
    said("bright.jpg", "dim.png", "black.png", cropped=True, form="json")
    photos = json.loads(capsys.readouterr().out)["photos"]
    assert [photo["faces"][0]["expression"] for photo in photos] == ["bright", "dark", "dark"]
    assert photos[0]["faces"][0]["box"] == [0, 0, 80, 60]
    assert photos[0]["faces"][0]["landmarks"] is None


@pytest.mark.parametrize("cropped", [False, True])
def test_saved_photos(album, cropped):
    for _ in range(2):
        text = said(".", save="out", cropped=cropped)
    assert "drawn: out" in text
    saved = sorted(file.name for file in (album / "out").iterdir())
    assert saved == ["black.faces.png", "bright-2.faces.jpg", "bright.faces.jpg", "dim.faces.png"]
    assert pixels.read(album / "out" / "bright.faces.jpg").shape == (480, 640, 3)


def test_saving_beside_the_photos_overwrites_none(album):
    before = {file: file.read_bytes() for file in album.rglob("*.*g")}
    said(".", save=".")
    said(".", save=".")
    assert all(file.read_bytes() == data for file, data in before.items())
    assert len(list(album.glob("*.faces.*"))) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not take")
@pytest.mark.parametrize(
    "name", ["[bold]x.jpg", "new\nline.jpg", "-.jpg", "ümläut \u4e00.jpg", b"\xff\xfe.jpg", "x" * 240 + ".jpg"]
)
def test_odd_names(album, capfd, name):
    file = album / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
    file.write_bytes((album / "bright.jpg").read_bytes())
    for form in ("json", "csv", "table"):
        said(str(file), save="out", form=form)
    capfd.readouterr()[0].encode()
    (saved,) = (album / "out").iterdir()
    assert saved.name.endswith(".faces.jpg")
    assert saved.name.isprintable()


def test_a_folder_that_cannot_be(album):
    with pytest.raises(FaceletError, match=r"cannot save into dim.png"):
        said("bright.jpg", save="dim.png")


def test_no_model_is_said_before_anything_is_read(album, shelf, monkeypatch):
    monkeypatch.delenv("FACELET_MODEL")
    with pytest.raises(FaceletError, match="no model: give one"):
        said("bright.jpg")


def test_an_identity_model_is_refused(album, make_model, make_info):
    model = make_model(album / "id.onnx", make_info(task="identity", labels=()))
    with pytest.raises(FaceletError, match=r"id.onnx is a model for identity; expected a model for expression"):
        said("bright.jpg", model=str(model))


def test_one_failing_photo_does_not_end_the_others(album, capsys, monkeypatch):
    def picky(photo):
        if photo.mean() < 100:
            raise FaceletError("a face too odd")
        return detector(photo)

    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: picky)
    said("dim.png", "bright.jpg", form="csv")
    captured = capsys.readouterr()
    dim, bright = csv.DictReader(io.StringIO(captured.out))
    assert dim["error"] == "dim.png: a face too odd"
    assert bright["expression"] == "bright"
    assert "skipped: dim.png: a face too odd" in captured.err


def test_crops_that_fail_together_are_taken_alone(album, capsys, monkeypatch):
    from facelet.runtime.model import Model

    whole = Model.probabilities

    def picky(self, images, *rest):
        if any(image.mean() < 1 for image in images):
            raise FaceletError("no")
        return whole(self, images, *rest)

    monkeypatch.setattr(Model, "probabilities", picky)
    said("bright.jpg", "black.png", "dim.png", cropped=True, form="json")
    photos = json.loads(capsys.readouterr().out)["photos"]
    assert [("error" in photo) for photo in photos] == [False, True, False]


def test_csv_lines_come_with_the_photos(album, capsys, monkeypatch):
    def stopped(photo):
        if photo.mean() < 100:
            raise KeyboardInterrupt
        return detector(photo)

    monkeypatch.setattr("facelet.runtime.analyzer.Detector", lambda file: stopped)
    with pytest.raises(KeyboardInterrupt):
        said("bright.jpg", "dim.png", form="csv")
    assert capsys.readouterr().out.splitlines()[1].startswith("bright.jpg,1,")


def test_a_missing_detector_is_one_error(album, monkeypatch):
    def missing(file):
        raise FaceletError("no detector")

    monkeypatch.setattr("facelet.runtime.analyzer.Detector", missing)
    with pytest.raises(FaceletError, match=r"^no detector"):
        said("bright.jpg", "dim.png")


def test_a_photo_that_cannot_be_saved_is_passed_over(album, capsys, monkeypatch):
    (album / "out" / "bright.faces.jpg").mkdir(parents=True)
    said("bright.jpg", "dim.png", save="out")
    assert "skipped: bright.jpg: cannot write" in capsys.readouterr().err
    assert (album / "out" / "dim.faces.png").is_file()


def test_saving_never_writes_over_what_was_read(album):
    for _ in range(3):
        said(*sorted(file.name for file in album.glob("*.*g")), save=".")
    assert len(list(album.glob("*.faces.*"))) == 3
    one, two = album / "x.faces.png", album / "x.faces.faces.png"
    for file in (one, two):
        file.write_bytes((album / "dim.png").read_bytes())
    said(str(one), str(two), save=".")
    assert two.read_bytes() == (album / "dim.png").read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not take")
def test_an_undecodable_name_of_a_broken_photo_in_csv(album, monkeypatch):
    (album / b"\xff.png".decode("utf-8", "surrogateescape")).write_bytes(b"torn")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict"))
    said(".", form="csv")


def test_the_folder_is_made_after_the_model_is_found(album):
    with pytest.raises(FaceletError, match="no model file"):
        said("bright.jpg", model="gone.onnx", save="out")
    assert not (album / "out").exists()


def test_what_is_no_photo_is_counted_and_named(album, capsys):
    (album / "clip.mp4").write_bytes(b"x")
    said(".", form="json")
    captured = capsys.readouterr()
    assert (
        "not read: 1 video (clip.mp4); run each video separately\nnot read: 1 other file (tiny.onnx)\n" in captured.err
    )
    assert json.loads(captured.out)["passed_over"] == ["clip.mp4", "tiny.onnx"]


def test_the_detectors_score_is_shown(album, capsys):
    assert "  0.90  " in said("bright.jpg")
    said("bright.jpg", form="json")
    assert json.loads(capsys.readouterr().out)["photos"][0]["faces"][0]["score"] == 0.9


def test_a_prior_changes_probabilities(album, capsys, make_model, make_info):
    counts = {"counts": {"train": {"dark": 90, "bright": 10}}}
    model = str(make_model(album / "counted.onnx", make_info(protocol=counts)))

    def probabilities(prior) -> dict[str, float]:
        said("dim.png", form="json", model=model, prior=prior)
        return json.loads(capsys.readouterr().out)["photos"][0]["faces"][0]["probabilities"]

    dark, bright = probabilities("training").values()
    assert probabilities("uniform")["dark"] == pytest.approx(dark / 9 / (dark / 9 + bright), abs=1e-4)
    assert probabilities({"bright": 1}) == {"dark": 0, "bright": 1}
