"""`facelet models`, and that a name of its list is taken wherever a model is."""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import pytest
from rich.console import Console

import facelet
from facelet.cli import models as catalogue
from facelet.cli import predict
from facelet.errors import FaceletError
from facelet.measure.efficiency import latency
from facelet.measure.evaluation import evaluate_file
from facelet.models import bundled
from facelet.runtime.analyzer import Analyzer

FIGURES = {"test_accuracy": 0.8791, "test_accuracy_low": 0.8682, "test_accuracy_high": 0.8894, "test_faces": 3153.0}


@pytest.fixture
def models(ship, make_model, make_info, make_identity, tmp_path):
    """expression, its fp32 twin, and identity."""
    told = {"figures": FIGURES, "licence": "FERPlus labels MIT", "params": 360_000, "macs": 12_300_000}
    for precision, target, name in (("int8", "portable", "expression"), ("fp32", "", "expression-fp32")):
        info = make_info(precision=precision, target=target, recipe="T-SNet", name=f"student-{precision}", **told)
        ship(make_model(tmp_path / f"student-{precision}.onnx", info), name, f"a student in {precision}")
    ship(make_identity(tmp_path / "id.onnx", figures={"test_accuracy": 0.97, "test_pairs": 6000.0}), "identity")


def said(name="", width=140, **options):
    console = Console(file=io.StringIO(), width=width)
    catalogue.command(name, console=console, **options)
    return console.file.getvalue()


def test_the_list(models):
    head, int8, fp32, identity, *licences = said().splitlines()
    assert head.split()[:4] == ["model", "task", "file", "params"]
    assert int8.split()[:2] == ["expression", "expression"]
    assert "0.36 M  12.3 M  24 px  87.9% (86.8–88.9)  3,153 faces" in int8
    assert fp32.split()[0] == "expression-fp32"
    assert identity.split()[-4:] == ["97.0%", "6,000", "pairs", "0.500"]
    assert identity.split()[-1] == "0.500"
    assert licences[0] == "training faces of expression, expression-fp32: FERPlus labels MIT"
    narrow = said(width=80).splitlines()
    assert [line.split()[0] for line in narrow[:4]] == ["model", "expression", "expression-fp32", "identity"]
    assert narrow[1].rstrip().endswith("24 px 87.9% (86.8–88.9) 3,153 faces")
    assert max(map(len, narrow[:4])) <= 80


def test_the_list_as_json(models, capsys):
    assert said(as_json=True) == ""
    int8, fp32, identity = json.loads(capsys.readouterr().out)
    assert (int8["name"], int8["default"], int8["twin"], int8["precision"]) == (
        "expression",
        True,
        "expression-fp32",
        "int8",
    )
    assert (fp32["default"], fp32["twin"], fp32["size"], fp32["measured_from"]) == (False, "", 24, 24)
    assert int8["figures"] == FIGURES
    assert (identity["threshold"], identity["licence"], len(identity["sha256"])) == (0.5, "unknown", 64)


def test_none_yet(shelf, capsys):
    assert said() == "this installation has no bundled models; make one with: facelet run tsnet\n"
    said(as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_one_model(models, shelf, capsys):
    text = said("expression")
    assert text.startswith("expression: a student in int8\n")
    for words in (str(shelf / "expression.onnx"), "dark, bright", "24 px, grey", "expression-fp32", "FERPlus", "87.9%"):
        assert words in text
    said("expression", as_json=True)
    assert json.loads(capsys.readouterr().out)["metadata"]["labels"] == ["dark", "bright"]


def test_a_file_of_ones_own(make_model, make_info, tmp_path):
    info = make_info(protocol={"source": 3, "notes": None}, figures={"val_accuracy": 0.5}, card="# For whom\x1b[31m\n")
    text = said(str(make_model(tmp_path / "mine.onnx", info)))
    assert text.startswith("tiny\n")
    assert "val accuracy 0.5" in text
    assert "in fp32" not in text
    assert text.endswith("\n# For whom[31m\n")


@pytest.mark.parametrize(
    ("place", "written"),
    [("phone", "phone/expression.onnx"), ("there", "there/expression.onnx"), ("a/face.onnx", "a/face.onnx")],
)
def test_a_copy(models, shelf, tmp_path, monkeypatch, place, written):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    assert said("expression", copy=place).endswith(f"bytes in {written}\n")
    assert (tmp_path / written).read_bytes() == (shelf / "expression.onnx").read_bytes()
    assert len(list((tmp_path / written).parent.iterdir())) == 1


@pytest.mark.parametrize("name", ["../../elsewhere", "/tmp/elsewhere"])
def test_a_copy_goes_where_it_was_told_to_whatever_the_file_calls_itself(make_model, make_info, tmp_path, name):
    file = make_model(tmp_path / "mine.onnx", make_info(name=name))
    said(str(file), copy=str(tmp_path / "phone"))
    assert [one.name for one in (tmp_path / "phone").iterdir()] == [file.name]


def test_copies_that_cannot_be(models, tmp_path):
    with pytest.raises(FaceletError, match="--copy needs the name of a model"):
        said(copy="phone")
    with pytest.raises(FaceletError, match="did you mean 'expression'"):
        said("expresion", copy=str(tmp_path))
    (tmp_path / "text").touch()
    with pytest.raises(FaceletError, match="cannot write"):
        said("expression", copy=str(tmp_path / "text"))


def test_a_name_is_taken_where_a_model_is(models, shelf):
    photo = np.full((24, 24, 3), 250, np.uint8)
    assert facelet.load("expression-fp32").path == shelf / "expression-fp32.onnx"
    (face,) = Analyzer("expression", identity="identity").cropped([photo])
    assert (face.expression, face.identity.shape) == ("bright", (64,))
    assert [
        row.path for row in latency.bench([*map(bundled.found, ("expression", "expression-fp32"))], seconds=0.01)
    ] == [
        str(shelf / "expression.onnx"),
        str(shelf / "expression-fp32.onnx"),
    ]
    with pytest.raises(FaceletError, match="identity is a model for identity, which is measured on pairs"):
        evaluate_file("identity", "toy")


def test_the_models_that_answer_where_none_is_given(models, shelf, studio, monkeypatch, capsys):
    monkeypatch.delenv("FACELET_MODEL", raising=False)
    monkeypatch.delenv("FACELET_IDENTITY_MODEL")
    photo = studio.photo("anna.png", 1)
    assert facelet.analyze(photo)[0].expression in ("dark", "bright")
    assert facelet.verify(photo, photo).same
    with facelet.Gallery() as gallery:
        gallery.enroll("Anna", photo)
        assert gallery.model.file == "identity.onnx"
        assert gallery.identify(photo)[0].name == "Anna"
    predict.command([photo], form="json", console=Console(file=io.StringIO()))
    assert json.loads(capsys.readouterr().out)["model"]["file"] == str(shelf / "expression.onnx")


def test_a_model_that_was_tampered_with_answers_nothing(models, shelf, studio, monkeypatch):
    monkeypatch.delenv("FACELET_MODEL", raising=False)
    photo = studio.photo("anna.png", 1)
    with (shelf / "expression.onnx").open("ab") as file:
        file.write(b"\0")
    acts = (
        lambda: facelet.analyze(photo),
        lambda: facelet.load("expression"),
        lambda: said(),
        lambda: said("expression"),
    )
    for act in acts:
        with pytest.raises(FaceletError, match="is not the file that Facelet was released with"):
            act()


def test_models_made_for_some_processors_are_named(models, make_model, make_info, shelf):
    manifest = json.loads((shelf / "models.json").read_text())
    path = make_model(shelf / "expression.onnx", make_info(precision="int8", target="vnni"))
    manifest[0] |= {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (shelf / "models.json").write_text(json.dumps(manifest))
    assert "not for every processor: expression for vnni" in said()
