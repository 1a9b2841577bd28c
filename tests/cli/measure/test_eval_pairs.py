"""`facelet eval` of an identity model: a tiny one that embeds a face as its mean colour."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from facelet.cli.app import app
from facelet.cli.options import console
from facelet.errors import FaceletError
from facelet.faces import load_pairs
from facelet.measure.pair_evaluation import evaluate_pairs_model
from facelet.models import model_file
from facelet.models.model_file import CropInfo, InputInfo, ModelInfo
from facelet.runtime.model import Model


@pytest.fixture
def make(tmp_path):
    """``make(task="identity", ...)`` is a model file that answers with three means, one a channel."""

    def make(**changes):
        fields = {
            "task": "identity",
            "labels": (),
            "input": InputInfo(size=32, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3),
            "crop": CropInfo(align="five-points"),
        }
        info = ModelInfo(**{**fields, **changes})
        nodes = [
            helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
        ]
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 32, 32])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 3])],
            [numpy_helper.from_array(np.eye(3, dtype=np.float32), "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        model_file.write(model, info, tmp_path / "model.onnx")
        return str(tmp_path / "model.onnx")

    return make


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """A terminal that breaks no lines."""
    monkeypatch.setattr(console, "_width", 220)


def asked(*words: str):
    return CliRunner().invoke(app, ["eval", *words])


def test_figures_are_printed(make, small_lfw):
    source = f"lfw:{small_lfw(folds=10, each=12)}"
    path = make(threshold=0.9)
    result = evaluate_pairs_model(Model.load(path), load_pairs(source, size=32))
    assert result.accuracy > 0.9
    shown = asked(path, "--faces", source).stdout
    for part in (
        f"{100 * result.accuracy:.2f} ± {100 * result.standard_error:.2f} %",
        "10 folds",
        "equal error rate",
        f"{result.auc:.4f}",
        "the file's threshold",
        f"accepts {result.at_threshold(0.9).accepted} of 120 pairs",
        "too few to measure a FAR below 2.5 %",
        "no figure for comparison",
        result.protocol,
    ):
        assert part in shown
    assert "mirror" not in shown
    assert "with mirror images" in asked(path, "--faces", source, "--mirror").stdout


def test_rates_are_printed_where_the_pairs_support_them(make, small_lfw):
    source = f"lfw:{small_lfw(folds=10, each=30, size=32)}?align=no"
    path = make()
    point = evaluate_pairs_model(Model.load(path), load_pairs(source)).at_far(1e-2)
    shown = asked(path, "--faces", source).stdout
    assert "TAR at FAR 1 %" in shown
    assert "TAR at FAR 0.1 %" not in shown
    assert f"threshold {point.threshold:.4f} accepts {point.accepted} of 300 pairs of different people" in shown


def test_as_json(make, small_lfw):
    value = json.loads(asked(make(), "--faces", f"lfw:{small_lfw()}", "--json").stdout)
    assert value["pairs"] == 12
    assert len(value["folds"]) == 2


@pytest.mark.slow
def test_several_sources_are_rows_of_a_table(make, small_lfw):
    sources = [f"lfw:{small_lfw(folds=10, each=number, name=str(number))}" for number in (12, 30)]
    words = [make(threshold=0.9), "--faces", sources[0], "--faces", sources[1]]
    lines = asked(*words).stdout.splitlines()
    heading = next(line for line in lines if "TAR at FAR 1 %" in line)
    assert "FAR at the file's threshold" in heading
    assert sum(line.startswith("lfw:") for line in lines) == 2
    result = evaluate_pairs_model(Model.load(words[0]), load_pairs(sources[1]))
    assert f"{100 * result.at_far(1e-2).tar:.2f} % (" in lines[-1]
    assert "TAR" not in asked(*words[:1], *words[1:3]).stdout.splitlines()[1]
    values = json.loads(asked(*words, "--json").stdout)
    assert [value["source"] for value in values] == sources


def test_conditions_have_a_table_of_their_own(make, small_lfw):
    source = f"lfw:{small_lfw(folds=2, each=6)}"
    shown = asked(make(), "--faces", source, "--conditions").stdout
    for part in ("35 px between the eyes", "10 px between the eyes", "both grey", "too small to measure 70 and 50 px"):
        assert part in shown
    value = json.loads(asked(make(), "--faces", source, "--conditions", "--json").stdout)
    assert "20 px between the eyes" in value["conditions"]


def test_a_crop_that_does_not_fit_the_pairs_is_said(make, small_lfw):
    shown = asked(make(crop=CropInfo(align="box", margin=0.2)), "--faces", f"lfw:{small_lfw()}").stdout
    assert "the model crops photos by box" in shown


def test_what_does_not_fit_is_refused(make, small_lfw):
    source = f"lfw:{small_lfw()}"
    expression = make(task="expression", labels=("a", "b", "c"))
    for words, message in (
        ([expression, "--faces", source], "is a model for expression; pairs of faces are for identity models"),
        ([expression, "--faces", "toy", "--mirror"], "--mirror requires an identity model"),
        ([expression, "--faces", "toy", "--conditions"], "--conditions requires an identity model"),
        (
            [expression, "--faces", "toy", "--faces", source],
            "are for identity models; give sources of faces, or of pairs",
        ),
        ([expression, "--faces", source, "--classes", "a"], "--classes is for expression models"),
    ):
        error = asked(*words).exception
        assert isinstance(error, FaceletError)
        assert message in str(error)
    identity = make()
    for words, message in (
        ([identity, "--faces", "toy"], "is measured on pairs of faces, not on classes: --faces lfw:PATH"),
        ([identity, "--faces", source, "--split", "val"], "pairs have no splits"),
        ([identity, "--faces", source, "--speed", "0.5"], "has no early exits"),
    ):
        error = asked(*words).exception
        assert isinstance(error, FaceletError)
        assert message in str(error)
