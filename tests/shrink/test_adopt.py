"""Somebody else's file: its batch is freed, its answers stay, and what it is fed is written into it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from pydantic import ValidationError

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.models import model_file
from facelet.models.session import unproven_models_allowed
from facelet.runtime.model import Model
from facelet.shrink.adopt import Adopt
from facelet.step import StepContext

FIELDS = {
    "do": "adopt", "as": "theirs", "task": "identity", "size": 16, "channels": 1, "mean": [0.0], "std": [1 / 255],
}  # fmt: skip


def written(path, reshape=(1, 64), external=False):
    """A file as older exporters wrote them: a batch of one, weights among the inputs."""
    rng = np.random.default_rng(0)
    weights = {
        "kernel": rng.normal(size=(4, 1, 4, 4)).astype(np.float32),
        "shape": np.array(reshape, np.int64),
        "fc": rng.normal(size=(64, 8)).astype(np.float32),
    }
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 1, 16, 16])]
    inputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, [64, 8]) for name in ("fc", "packed_away")]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["data", "kernel"], ["maps"], strides=[4, 4]),
            helper.make_node("Reshape", ["maps", "shape"], ["flat"]),
            helper.make_node("MatMul", ["flat", "fc"], ["answer"]),
            helper.make_node("Relu", ["answer"], ["other"]),
        ],
        "theirs",
        inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in ("answer", "other")],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    if external:
        model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def faces():
    return load("toy?faces=60", size=16)


def adopted(tmp_path, faces, **fields):
    step = Adopt.model_validate({**FIELDS, "file": tmp_path / "theirs.onnx", **fields})
    job = StepContext("theirs", tmp_path / "job", faces, {}, say=lambda line: None)
    job.folder.mkdir(exist_ok=True)
    return step, job


@pytest.mark.parametrize("reshape", [(1, 64), (1, -1), (-1, 64), (0, 64)])
def test_it_answers_many_faces_as_it_answered_one(tmp_path, faces, reshape):
    path = written(tmp_path / "theirs.onnx", reshape)
    step, job = adopted(tmp_path, faces, licence="Apache-2.0")
    made = step.run(job)
    model = Model.load(made.onnx)
    answers = model.logits(faces.images[:5])
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    pixels = faces.images[:5, :, :, 0].astype(np.float32)
    blocks = pixels.reshape(5, 4, 4, 4, 4).transpose(0, 1, 3, 2, 4).reshape(5, 16, 16)
    maps = blocks @ weights["kernel"].reshape(4, 16).T
    np.testing.assert_allclose(answers, maps.transpose(0, 2, 1).reshape(5, 64) @ weights["fc"], rtol=1e-3, atol=1)
    info = model_file.read(made.onnx)
    assert (info.task, info.input.name, info.crop.align, info.licence) == (
        "identity",
        "data",
        "five-points",
        "Apache-2.0",
    )
    assert info.params == 4 * 16 + 64 * 8
    assert info.macs == 16 * 4 * 16 + 64 * 8
    assert "weights unchanged" in made.notes[0]


def test_it_is_in_the_plan(tmp_path, faces):
    written(tmp_path / "theirs.onnx")
    specs = {}
    plan = adopted(tmp_path, faces)[0].plan(faces, specs)
    assert plan.text == "theirs.onnx, unchanged"
    assert plan.macs == 16 * 4 * 16 + 64 * 8
    assert specs == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 20}, r"has the inputs data \[1, 1, 16, 16\]; expected one input \(N, 1, 20, 20\)"),
        ({"file": "gone.onnx"}, "no model file"),
        ({"file": "torn"}, "is not a whole ONNX file"),
        ({"file": "outside"}, "stores weights in other files"),
    ],
)
def test_what_is_no_such_model_is_refused_before_anything_is_spent(tmp_path, faces, change, said):
    written(tmp_path / "theirs.onnx")
    (tmp_path / "torn").write_bytes(b"\xff\xff\xff")
    written(tmp_path / "outside", external=True)
    if "file" in change:
        change = {"file": tmp_path / change["file"]}
    step, _ = adopted(tmp_path, faces, **change)
    with pytest.raises(FaceletError, match=said):
        step.plan(faces, {})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"labels": ["a"]}, "labels are required for expression"),
        ({"task": "expression"}, "labels are required for expression"),
        ({"mean": [0.0, 0.0]}, "2 means"),
        ({"std": [0.0]}, "greater than or equal"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, fields, said):
    with pytest.raises(ValidationError, match=said):
        Adopt.model_validate({**FIELDS, "file": tmp_path / "theirs.onnx", **fields})


def test_a_file_that_can_saturate_is_warned_of(tmp_path, faces, monkeypatch):
    """It is used where kernels are exact, and refused where they are not, unless that is allowed."""
    weights = np.full((256, 8), 100, np.int8)
    stored = {"w": weights, "s": np.float32(0.1), "z": np.uint8(0)}
    nodes = [
        helper.make_node("Flatten", ["data"], ["flat"]),
        helper.make_node("QuantizeLinear", ["flat", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["wd"]),
        helper.make_node("MatMul", ["d", "wd"], ["answer"], name="last"),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("data", ["n", 1, 16, 16]), ("answer", ["n", 8]))
    ]
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], kept)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "theirs.onnx"
    )
    step, job = adopted(tmp_path, faces)
    heard = []
    job.say = heard.append
    monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda: False)
    made = step.run(job)
    assert "1 layers can saturate on x86 without VNNI, MatMul last (weight pair 200, safe up to 128) first" in heard[0]
    assert heard[0].endswith(made.notes[1])
    assert model_file.read(made.onnx).selftest
    monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda: True)
    monkeypatch.setattr("facelet.models.session._proven", set())
    with pytest.raises(FaceletError, match="saturate on this machine"):
        step.run(job)
    with unproven_models_allowed():
        assert model_file.read(step.run(job).onnx).selftest is None  # answers of this machine are no reference
