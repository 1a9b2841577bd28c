"""Two photos: the same person or two, from Python and from the command."""

from __future__ import annotations

import io
import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from rich.console import Console

import facelet
from facelet.errors import FaceletError
from facelet.runtime.model import Model
from facelet.runtime.people import verify


def said(*photos, **options):
    console = Console(file=io.StringIO(), width=120)
    code = verify.command(*photos, console=console, **options)
    return code, console.file.getvalue().strip()


def test_the_score_is_the_cosine_of_the_embeddings(studio):
    one, other = studio.shot(1), studio.shot(1)
    a, b = Model.load(studio.model).logits([one, other]).astype(float)
    found = facelet.verify(one, other)
    assert found.score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-6)
    assert (found.same, found.threshold, found.notes) == (True, 0.5, ())
    assert facelet.verify(other, one).score == pytest.approx(found.score, abs=1e-6)
    with pytest.raises(FrozenInstanceError):
        found.same = False


def test_other_people_and_other_thresholds(studio):
    found = facelet.verify(studio.shot(1), studio.shot(2))
    assert not found.same
    assert facelet.verify(studio.shot(1), studio.shot(2), threshold=-1).same
    one = studio.shot(1)
    assert facelet.verify(one, one, threshold=0.999).score == pytest.approx(1, abs=1e-6)


def test_the_command_says_score_threshold_and_verdict(studio):
    a, b, c = studio.photo("a.png", 1), studio.photo("b.png", 1), studio.photo("c.png", 2)
    code, text = said(a, b)
    assert code == 0
    assert text == f"score {facelet.verify(a, b).score:.3f}, threshold 0.500: same person"
    code, text = said(a, c, threshold=0.75)
    assert code == 1
    assert text.endswith("threshold 0.750: different people")


def test_json(studio, capsys):
    assert said(studio.photo("a.png", 1), studio.photo("b.png", 1, 2), as_json=True, largest=True)[0] == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["same"] is True
    assert document["photos"] == ["a.png", "b.png"]
    assert document["boxes"] == [[0, 0, 24, 24]] * 2
    assert document["notes"] == ["b.png: 2 faces, the largest is taken"]
    assert document["model"] == str(studio.model)
    assert captured.err == "b.png: 2 faces, the largest is taken\n"


def test_small_faces_are_said(studio, make_identity, tmp_path, capsys):
    a, b = studio.photo("a.png", 1), studio.photo("b.png", 1)
    assert facelet.verify(a, b).to_json()["warnings"] == [[], []]
    told = "small: 24 px, measured from 30 px"
    said(a, b, as_json=True, model=str(make_identity(tmp_path / "strict.onnx", smallest=30)))
    captured = capsys.readouterr()
    assert json.loads(captured.out)["warnings"] == [[told]] * 2
    assert captured.err == f"a.png: {told}\nb.png: {told}\n"


def test_several_faces_none_and_no_threshold(studio, make_identity, tmp_path):
    one, two, none = studio.photo("one.png", 1), studio.photo("two.png", 1, 2), studio.photo("none.png")
    with pytest.raises(FaceletError, match=r"two.png: 2 faces"):
        said(one, two)
    with pytest.raises(FaceletError, match=r"none.png: no face found"):
        said(none, one, largest=True)
    bare = str(make_identity(tmp_path / "bare.onnx", threshold=None))
    with pytest.raises(FaceletError, match="has no threshold of its own"):
        said(one, one, model=bare)
    assert said(one, one, model=bare, threshold=0.3)[0] == 0
