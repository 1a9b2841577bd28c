"""Framing: whole photos are told from cut faces, and nothing is said where nothing can be known."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from facelet.cli.crop import command
from facelet.cli.faces import show
from facelet.faces import load
from facelet.faces.inspect.framing import FEW, SAMPLE, Framing, framing
from facelet.faces.inspect.summary import describe, training_warnings
from facelet.runtime.crop import FaceCropper
from facelet.runtime.detector import Detection


def seeing(share: float):
    """A detector whose faces fill ``share`` of the side of every image that is not black."""

    def find(image):
        side = share * image.shape[0]
        return [Detection((0.0, 0.0, 0.8 * side, side), 0.9, np.zeros((5, 2), np.float32))] if image.any() else []

    return find


def test_cut_faces_are_nothing_to_speak_of(face_set):
    faces = face_set(count=90)
    assert framing(faces, seeing(0.9)) == Framing(SAMPLE, 0, 0)
    assert framing(faces.take(np.arange(5)), seeing(0.6)) == Framing(5, 0, 0)
    assert not framing(faces, seeing(0.9)).warning


def test_whole_photos_and_images_without_a_face_are(face_set):
    faces = face_set(count=60)
    look = framing(faces, seeing(0.3))
    assert (look.looked, look.none, look.small, look.examples) == (60, 0, 60, tuple(faces.names[:3]))
    assert "the face is much smaller than the image in 60 of 60 images looked at" in look.warning
    faces.images[:40] = 0
    look = framing(faces, seeing(0.3))
    assert (look.none, look.small) == (40, 20)
    assert "no face was found in 40 and the face is much smaller than the image in 20 of 60" in look.warning
    assert "facelet crop PHOTOS --out DIR" in look.warning
    assert framing(face_set(count=3), lambda image: []).warning


def test_a_few_are_not_spoken_of():
    few = int(FEW * SAMPLE)
    assert not Framing(SAMPLE, few, 0).warning
    assert Framing(SAMPLE, few, 1).warning


def test_without_the_detectors_file_nothing_is_said_and_nothing_fetched(face_set, monkeypatch, tmp_path):
    monkeypatch.setenv("FACELET_YUNET", "")
    monkeypatch.setattr("facelet.runtime.yunet._cache_folder", lambda: tmp_path)
    monkeypatch.setattr("facelet.runtime.yunet._download", lambda *_: pytest.fail("went to the network"))
    faces = face_set()
    assert framing(faces) is None
    assert describe(faces).framing is None
    assert training_warnings(faces) == []


def test_the_page_and_the_plan_say_it(face_set, monkeypatch):
    monkeypatch.setattr("facelet.faces.inspect.framing.Detector", lambda file, score, turns: seeing(0.2))
    monkeypatch.setattr("facelet.runtime.yunet.find", lambda **_: "yunet.onnx")
    faces = face_set()
    console = Console(file=io.StringIO(), width=60)  # a command in it is not cut
    show(describe(faces), console)
    warning = framing(faces).warning
    assert warning
    assert warning in console.file.getvalue()
    assert training_warnings(faces) == [warning]
    assert describe(faces).to_json()["framing"]["small"] == 30


@pytest.mark.slow
def test_real_photos_against_the_faces_cut_from_them(yunet, photos_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELET_YUNET", str(yunet))
    whole = load(f"faces:{photos_folder / 'verify'}", size=48, channels=3)
    assert framing(whole).warning
    quiet = Console(file=io.StringIO())
    command([str(photos_folder / "verify")], out=str(tmp_path), cutter=FaceCropper(several="largest"), console=quiet)
    assert framing(load(f"faces:{tmp_path}", size=48, channels=3)).warning == ""
    animals = load(f"faces:{photos_folder / 'noface'}", size=48, channels=3)
    assert framing(animals).none >= 4
    assert not framing(load("toy?faces=90", size=48)).warning


@pytest.mark.slow
@pytest.mark.parametrize("source", ["ferplus:ferplus.zip", "rafdb:rafdb_train.zip", "ckplus:ckplus48.zip"])
def test_real_sets_of_faces_are_cut(real, yunet, source, monkeypatch):
    monkeypatch.setenv("FACELET_YUNET", str(yunet))
    name, _, file = source.partition(":")
    look = framing(load(f"{name}:{real(file)}", size=48))
    assert (look.none, look.small) == (0, 0)
