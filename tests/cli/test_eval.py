"""`facelet eval` on faces with classes: what it prints."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from numbered_faces import CLASSES, faces_of, looking_up
from rich.console import Console

from facelet.cli.eval import show
from facelet.measure.classification import evaluate


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
