"""The bar over faces: it is drawn on terminals alone, and every long measurement moves it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from facelet.faces import load, load_pairs
from facelet.learn.teachers.predictions import answer
from facelet.measure.evaluation import evaluate_file, evaluate_model, evaluate_sources
from facelet.measure.pair_conditions import pair_conditions
from facelet.measure.pair_evaluation import evaluate_pairs_model
from facelet.measure.progress import faces_bar
from facelet.models import model_file
from facelet.runtime.model import BATCH, Model
from facelet.shrink.int8.accuracy_guard import guard_for


@pytest.fixture
def moved(monkeypatch):
    """``[(label, total, [faces, ...]), ...]`` of the bars that were drawn."""
    bars: list[tuple[str, int, list[int]]] = []

    class Progress:
        def __init__(self, *columns, **options):
            assert options["console"].is_terminal

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def add_task(self, label, total):
            bars.append((label, total, []))
            return len(bars) - 1

        def advance(self, task, faces):
            bars[task][2].append(faces)

    monkeypatch.setattr("facelet.measure.progress.Progress", Progress)
    return bars


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def test_it_counts_faces_and_leaves_no_trace():
    console = terminal()
    with faces_bar("their [bold] net", 300, console) as advance:
        advance(200)
        advance(100)
    said = console.file.getvalue()
    assert "their [bold] net" in said
    assert "300/300" in said
    assert said.endswith("\x1b[2K")  # the line is erased


@pytest.mark.parametrize("console", [None, Console(file=io.StringIO())])
def test_without_a_terminal_nothing_is_drawn(console):
    with faces_bar("net", 3, console) as advance:
        advance(3)
    assert console is None or console.file.getvalue() == ""


def test_a_split_moves_it_after_every_batch(expression, moved):
    path, faces = expression("theirs.onnx", labels=("happiness", "sadness")), load("toy?faces=600", size=32, channels=1)
    plain = evaluate_model(Model.load(path), faces)
    assert not moved
    shown = evaluate_model(Model.load(path), faces, "test", terminal())
    np.testing.assert_array_equal(shown.probabilities, plain.probabilities)
    ((label, total, steps),) = moved
    assert (label, total, sum(steps)) == ("theirs, test", plain.all.n, plain.all.n)
    assert max(steps) <= BATCH


def test_files_on_sources(expression, shades, moved):
    evaluate_file(str(expression()), f"folder:{shades}", console=terminal())
    evaluate_sources(str(expression()), [f"folder:{shades}"] * 2, "test", console=terminal())
    assert [(label, sum(steps)) for label, _, steps in moved] == [("expression, test", 20)] * 3


def test_pairs(identity, small_lfw, moved):
    pairs = load_pairs(f"lfw:{small_lfw()}")
    evaluate_pairs_model(Model.load(identity()), pairs, mirror=True, console=terminal())
    ((label, total, steps),) = moved
    assert (label, total, sum(steps)) == ("identity, faces of pairs", 2 * len(pairs.images), 2 * len(pairs.images))


def test_conditions_of_pairs(identity, small_lfw, moved):
    pairs = load_pairs(f"lfw:{small_lfw()}")
    pair_conditions(Model.load(identity()), pairs, terminal())
    ((label, total, steps),) = moved
    assert (label, sum(steps)) == ("identity, conditions", total)


def test_the_check_of_a_quantized_file(expression, shades, moved):
    path = expression(labels=("bright", "dark"))
    faces = load(f"folder:{shades}", size=32, channels=1)
    guard_for(model_file.read(path), faces, path, terminal())(path)
    assert [(label, total, sum(steps)) for label, total, steps in moved] == [("expression, val", 8, 8)]


def test_a_teachers_stored_predictions(shades, moved):
    faces = load(f"folder:{shades}", size=32, channels=1)
    answer(lambda images: (np.zeros((len(images), 2)), None), faces, batch=16, console=terminal())
    assert [(label, total, sum(steps)) for label, total, steps in moved] == [
        ("teacher", 2 * len(faces), 2 * len(faces))
    ]
