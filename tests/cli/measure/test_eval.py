"""`facelet eval` on faces with classes: what it prints."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from numbered_faces import CLASSES, faces_of, looking_up
from rich.console import Console
from typer.testing import CliRunner

from facelet.cli.app import app
from facelet.cli.measure.eval import command, show, show_sources
from facelet.errors import FaceletError
from facelet.measure.classification import evaluate
from facelet.measure.cross_set import CrossSetRow
from facelet.measure.metrics.intervals import Estimate


def test_show_prints_the_figures_and_does_not_read_markup():
    classes = ("neutral", "[red]joy", "anger")
    faces = faces_of([0, 0, 1, 1, 2], classes)
    result = evaluate(
        looking_up(np.eye(3)[[0, 1, 1, 1, 2]]), faces, ("neutral", "[red]joy", "sad"),
        identical=np.array([1, 0, 0, 0, 0], bool), annotator=0.785,
    )  # fmt: skip
    out = io.StringIO()
    show(result, Console(file=out, width=140), "student [bold]")
    text = out.getvalue()
    for part in (
        "student [bold]",
        "60.0%",
        "of 5",
        "no anger",
        "[red]joy",
        "78.5%",
        "1 are identical",
        result.protocol,
    ):
        assert part in text


def test_a_test_split_that_is_all_training_faces_is_said_aloud():
    faces = faces_of([0, 1])
    result = evaluate(looking_up(np.eye(3)[[0, 1]]), faces, CLASSES, identical=np.ones(2, bool))
    out = io.StringIO()
    show(result, Console(file=out, width=140))
    assert "all 2 are identical to a train face" in out.getvalue()


def test_a_model_that_learned_nothing_is_called_so():
    """42.4 % of four classes is nothing where one class has 40.4 % of the faces."""
    labels = np.repeat([0, 1, 2], [404, 396, 200])
    predicted = np.where(np.arange(1000) < 424, labels, 0)
    predicted[predicted == 2] = 0
    classes = ("[bold]sad", "happy", "angry")
    result = evaluate(looking_up_rows(np.eye(3)[predicted]), many_faces(labels, classes), classes)
    assert (result.all.baseline, result.all.largest.name, result.all.beats_baseline) == (0.404, "[bold]sad", False)
    assert result.to_json()["all"]["baseline"] == {"always": "[bold]sad", "accuracy": 0.404, "beaten": False}
    text = printed(result)
    assert "baseline           40.4%" in text
    assert "! no better than always predicting '[bold]sad' (40.4%)" in text
    assert "! no face recognized of: angry" in text
    good = evaluate(looking_up_rows(np.eye(3)[labels]), many_faces(labels, classes), classes)
    assert good.all.beats_baseline
    assert "!" not in printed(good)


def many_faces(labels, classes):
    faces = faces_of(np.zeros(len(labels), np.int64), classes)
    faces.images[:, 0, 1, 0] = np.arange(len(labels)) // 256
    return replace(faces, labels=np.asarray(labels, np.int64))


def looking_up_rows(probabilities):
    return lambda images: probabilities[images[:, 0, 0, 0].astype(int) + 256 * images[:, 0, 1, 0].astype(int)]


def printed(result) -> str:
    out = io.StringIO()
    show(result, Console(file=out, width=140))
    return out.getvalue()


def test_several_sources_are_rows_of_a_table(monkeypatch):
    rows = [row("ferplus", "test", 0.88), row("ck[plus]", "all", 0.6, missing=("contempt",))]
    out = io.StringIO()
    show_sources(rows, Console(file=out, width=160), "student")
    lines = [line.split("  ") for line in out.getvalue().splitlines()]
    assert [part.strip() for part in lines[3] if part.strip()] == [
        "ck[plus], all", "2 of 3", "1,000", "60.0 % (59.0–61.0)", "59.0 % (58.0–60.0)", "50.0 % (49.0–51.0)", "3.0 % (2.0–4.0)",
    ]  # fmt: skip


def row(source, split, accuracy, missing=()):
    figures = [
        Estimate(value, value - 0.01, value + 0.01) for value in (accuracy, accuracy - 0.01, accuracy - 0.1, 0.03)
    ]
    return CrossSetRow(source, split, "ab", ("a", "b"), missing, 1000, *figures, None)


def test_all_splits_and_chosen_classes(make_model, make_info, tmp_path):
    """`--split all` counts every face, `--classes` the faces of some, with predictions among them."""
    path = str(make_model(tmp_path / "toy.onnx", make_info(labels=("happiness", "neutral", "anger"))))
    source = "toy?faces=90"

    def typed(*words):
        return CliRunner().invoke(app, ["eval", *words]).stdout

    whole = json.loads(typed(path, "--faces", source, "--split", "all", "--json"))
    assert whole["all"]["n"] == 90
    few = json.loads(typed(path, "--faces", source, "--split", "all", "--classes", "happiness,anger", "--json"))
    assert few["labels"] == ["happiness", "anger"]
    assert few["all"]["n"] == sum(each["n"] for each in whole["all"]["per_class"] if each["name"] in few["labels"])


def test_pairs_have_no_class_prior():
    with pytest.raises(FaceletError, match="--prior is about classes"):
        command(
            "identity", ["lfw:none.zip"], split="test", classes="", threads=1, speed=None, mirror=False, conditions=False,
            prior="uniform", as_json=False, console=Console(file=io.StringIO()),
        )  # fmt: skip
