"""`facelet verify`: score, threshold, verdict and exit code; JSON; notes."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

import facelet
from facelet.cli import verify
from facelet.errors import FaceletError


def said(*photos, **options):
    console = Console(file=io.StringIO(), width=120)
    code = verify.command(*photos, console=console, **options)
    return code, console.file.getvalue().strip()


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
    assert document["notes"] == ["b.png: 2 faces, using the largest"]
    assert document["model"] == str(studio.model)
    assert captured.err == "b.png: 2 faces, using the largest\n"


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
    with pytest.raises(FaceletError, match="has no threshold; give one"):
        said(one, one, model=bare)
    assert said(one, one, model=bare, threshold=0.3)[0] == 0
