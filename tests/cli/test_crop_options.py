"""crop as it is typed: what reaches the cropping, whose crop is taken, and how mistakes end."""

from __future__ import annotations

import sys

import pytest

from facelet.cli import app as cli
from facelet.models import bundled, model_file
from facelet.models.model_file import CropInfo
from facelet.recipes import schema


def typed(monkeypatch, capsys, *words):
    """(exit code, standard output, standard error) of ``facelet crop WORDS``."""
    monkeypatch.setattr(sys, "argv", ["facelet", "crop", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.fixture
def asked(monkeypatch):
    given = {}
    monkeypatch.setattr("facelet.cli.crop.command", lambda places, **options: given.update(options, places=places))
    return given


def test_the_options_reach_the_cropping(monkeypatch, capsys, asked):
    words = [
        "a",
        "b.jpg",
        "--out",
        "faces",
        "--align",
        "eyes",
        "--margin",
        "0.2",
        "--size",
        "64",
        "--all",
        "--jpeg",
        "90",
    ]
    assert typed(monkeypatch, capsys, *words, "--overwrite", "--detector", "y.onnx", "--json")[0] == 0
    cutter = asked["cutter"]
    assert (asked["places"], asked["out"]) == (["a", "b.jpg"], "faces")
    assert (asked["detector"], asked["as_json"]) == ("y.onnx", True)
    assert (cutter.crop, cutter.size, cutter.jpeg) == (CropInfo(align="eyes", margin=0.2), 64, 90)
    assert (cutter.several, cutter.overwrite) == ("all", True)
    assert typed(monkeypatch, capsys, "a", "--out", "faces", "--largest")[0] == 0
    assert (asked["cutter"].several, asked["cutter"].crop, asked["cutter"].size) == ("largest", CropInfo(), 0)


def test_a_model_or_a_recipe_says_how_to_cut(monkeypatch, capsys, asked):
    assert typed(monkeypatch, capsys, "a", "--out", "faces", "--like", "identity")[0] == 0
    info = model_file.read(bundled.found("identity"))
    assert (asked["cutter"].crop, asked["cutter"].size) == (info.crop, info.input.cut_size)
    recipe = schema.load("mobileface")
    assert typed(monkeypatch, capsys, "a", "--out", "faces", "--like", "mobileface", "--margin", "0.3")[0] == 0
    assert asked["cutter"].crop == CropInfo(align=recipe.crop.align, margin=0.3)
    assert asked["cutter"].size == recipe.faces.size
    assert typed(monkeypatch, capsys, "a", "--out", "faces", "--like", "mobileface", "--size", "0")[0] == 0
    assert asked["cutter"].size == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gone", "--out", "faces"), "no photo or folder 'gone'"),
        (("gone",), "--out"),
        (("a", "--out", "b", "--all", "--largest"), "use only one of --largest and --all"),
        (("a", "--out", "b", "--align", "ey"), "did you mean 'eyes'"),
        (("a", "--out", "b", "--margin", "9"), "margin 9"),
        (("a", "--out", "b", "--like", "tsnett"), "did you mean 'tsnet'"),
        (("a", "--out", "b", "--like", "gone.onnx"), "no model file"),
    ],
)
def test_mistakes_end_with_2_and_a_word(monkeypatch, capsys, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = typed(monkeypatch, capsys, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
