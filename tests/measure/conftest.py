"""For the tests of robustness, groups and cards: model files of one matrix product, and folders of plain faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelet.faces import load
from facelet.faces.pairset import draw_pairs
from facelet.io import files
from facelet.measure.card import card as cards
from facelet.measure.efficiency import latency, machine
from facelet.measure.ledger.ledger import Ledger, Row, compared
from facelet.measure.ledger.row import figures
from facelet.measure.metrics.intervals import paired_difference
from facelet.measure.verification import PairScores
from facelet.models import model_file
from facelet.models.model_file import CropInfo, InputInfo, ModelInfo

SIDE = 32


def by_colour(path: Path, weights, **changes) -> Path:
    """A model file that answers with the mean of each channel times ``weights`` (C, K)."""
    weights = np.asarray(weights, np.float32)
    channels, answers = weights.shape
    fields = {
        "labels": ("dark", "bright"),
        "input": InputInfo(size=SIDE, channels=channels, mean=(0.5,) * channels, std=(0.25,) * channels),
        "name": "tiny",
        "net": "mean",
    }
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", channels, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", answers])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model_file.write(model, ModelInfo(**{**fields, **changes}), path)
    return path


@pytest.fixture
def expression(tmp_path):
    """``expression(name="tiny", ...)`` is a model file that says dark or bright, grey, 32 px."""

    def make(file="expression.onnx", scale=4.0, **changes):
        return by_colour(tmp_path / file, [[-scale, scale]], **changes)

    return make


@pytest.fixture
def identity(tmp_path):
    """``identity(threshold=0.9, ...)`` is a model file that embeds a face as its mean colour, RGB, 32 px."""

    def make(file="identity.onnx", **changes):
        given = {"task": "identity", "labels": (), "crop": CropInfo(align="five-points"), **changes}
        return by_colour(tmp_path / file, np.eye(3), **given)

    return make


def shade(path: Path, value: int, rng: np.random.Generator) -> None:
    """A noisy PNG of one brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    face = np.clip(rng.normal(value, 12, (SIDE, SIDE)), 0, 255).astype(np.uint8)
    path.write_bytes(cv2.imencode(".png", face)[1].tobytes())


@pytest.fixture
def shades(tmp_path):
    """A folder of dark and bright faces, test/dark/3.png; of five bright test faces one is nearly dark."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 4), ("test", 10)):
        for number in range(count):
            shade(tmp_path / "shades" / split / "dark" / f"{number}.png", 40, rng)
            shade(tmp_path / "shades" / split / "bright" / f"{number}.png", 110 if number % 5 == 4 else 200, rng)
    return tmp_path / "shades"


@pytest.fixture
def people(tmp_path):
    """A folder as UTKFace's: bright children, dark adults, and one file whose name says nothing."""
    rng = np.random.default_rng(1)
    for number in range(12):
        age, value = (6, 200) if number % 2 else (30, 132)
        shade(tmp_path / "people" / f"{age}_{number % 2}_{number % 5}_201701161745251{number:02}.jpg.png", value, rng)
    shade(tmp_path / "people" / "39_1_20170116174525125.png", 100, rng)
    return tmp_path / "people"


@pytest.fixture
def quick_card(monkeypatch):
    """Latency in a few runs, on a machine that is not watched."""
    monkeypatch.setattr(cards, "bench", lambda paths, faces: latency.bench(paths, faces=faces, rounds=3))
    monkeypatch.setattr(cards, "machine", lambda: machine.machine(0))


def row(name, parent="", seed=0, **changes):
    """A row of a ledger."""
    fields = {
        "step": "train", "protocol": "15ca4b4b", "split": "test", "n": 100, "accuracy": 0.8, "accuracy_low": 0.7,
        "accuracy_high": 0.87, "params": 10, "macs": 20, "bytes": 300, "p50_ms": 1.0, "p95_ms": 1.0, "machine": "a box",
        "seconds": 60.0,
    }  # fmt: skip
    return Row(name=name, parent=parent, seed=seed, **{**fields, **changes})


@pytest.fixture
def run_folder(tmp_path, expression):
    """A run's folder: teacher, student of two seeds, its int8, a control of the student, and something else."""
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        row("teacher", seconds=600.0),
        row("student", "teacher", accuracy=0.78),
        row("student", "teacher", seed=1, accuracy=0.82),
        row("student-int8", "student", seconds=5.0, step="quantize"),
        row("alone", control=True, compare="student"),
        row("other", control=True, compare="elsewhere"),
    ]
    for number, one in enumerate(rows):
        expression(f"run/{one.label}.onnx", scale=2.0 + number, name=one.name)
    Ledger(rows).save(folder / "ledger.json")
    files.write_json(folder / "run.json", {"command": "facelet run mine", "facelet": "0.1.0", "machine": "a box"})
    files.write_text(folder / "recipe.yaml", "title: Mine\n")
    return folder


@pytest.fixture(scope="session")
def pairs():
    """2,000 pairs of drawn faces."""
    return draw_pairs(load("toy?faces=400&identities=40", size=32), 1000)


def scores(pairs, apart, seed):
    noise = np.random.default_rng(seed).normal(size=len(pairs))
    return PairScores(np.clip(apart * pairs.same + 0.2 * noise, -1, 1), pairs.same, pairs.folds, pairs.protocol.hash)


@pytest.fixture(scope="session")
def pair_scores(pairs):
    """Of a teacher, its student and the student's control."""
    return {"teacher": scores(pairs, 0.8, 0), "student": scores(pairs, 0.6, 1), "alone": scores(pairs, 0.4, 2)}


@pytest.fixture(scope="session")
def pair_ledger(pair_scores):
    """The ledger of ``pair_scores``."""
    parents, rows = {"teacher": "", "student": "teacher", "alone": "student"}, {}
    for number, (name, result) in enumerate(pair_scores.items()):
        row = Row(
            name=name, parent=parents[name], step="embed", params=9_000_000 // (number + 1), macs=10**8, bytes=10**7,
            p50_ms=9 - 3 * number, p95_ms=10, control=name == "alone", machine="a box", **figures(result),
        )  # fmt: skip
        other = rows.get(parents[name])
        between = paired_difference(result.correct, pair_scores[other.name].correct) if other else None
        rows[name] = compared(row, other, between)
    return Ledger(rows.values())
