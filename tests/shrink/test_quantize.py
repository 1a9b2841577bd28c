from __future__ import annotations

import numpy as np
import onnx
import pytest
import tiny
from pydantic import ValidationError

from facelet.errors import FaceletError
from facelet.models import model_file, saturation
from facelet.runtime.model import Model
from facelet.shrink import quantize as room
from facelet.shrink.int8 import qdq
from facelet.shrink.int8.accuracy_guard import ValidationScore
from facelet.shrink.quantize import Quantize
from facelet.step import STEPS, StepContext, StepResult


def step(**fields):
    return Quantize.model_validate({"do": "quantize", "as": "small", "of": "tiny", **fields})


def job(fp32, folder, faces=None):
    said = []
    made = StepContext("small", folder, faces or tiny.faces(), {"tiny": StepResult(onnx=fp32)}, say=said.append)
    return made, said


def test_the_step_writes_an_int8_file_that_answers_nearly_as_its_parent(fp32, tmp_path):
    work, said = job(fp32, tmp_path)
    made = step(allowance=3).run(work)
    info = model_file.read(made.onnx)
    assert (info.precision, info.parent, info.name, info.step) == ("int8", "tiny", "small", "quantize")
    assert info.params == model_file.read(fp32).params
    val = tiny.faces().split("val")
    a, b = (Model.load(path).logits(val.images) for path in (fp32, made.onnx))
    assert (a.argmax(1) == b.argmax(1)).mean() > 0.95
    assert said[0].startswith("plan: u8s8, per channel, cannot saturate")
    assert any("validation" in note and "80 faces" in note for note in made.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.onnx"]


def test_it_is_registered_and_names_its_parent():
    assert STEPS["quantize"] is Quantize
    assert step().needs() == ["tiny"]
    assert "300" in step().plan(tiny.faces(3000), {"tiny": tiny.SPEC}).text


def test_a_quantized_model_is_no_net_for_later_steps():
    specs = {"tiny": tiny.SPEC}
    step().plan(tiny.faces(), specs)
    assert list(specs) == ["tiny"]
    with pytest.raises(FaceletError, match="'small' is a model file without a net"):
        step(of="small").plan(tiny.faces(), specs)


def test_the_same_step_gives_the_same_bytes(fp32, tmp_path):
    files = []
    for name in "ab":
        (tmp_path / name).mkdir()
        work, _ = job(fp32, tmp_path / name)
        files.append(step(types="u8s8", allowance=100).run(work).onnx.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("split", [0, 1])
def test_without_train_or_val_faces_it_refuses(fp32, tmp_path, split):
    faces = tiny.faces()
    work, _ = job(fp32, tmp_path, faces.take(faces.splits != split))
    with pytest.raises(FaceletError, match=r"quantize needs (train|val) faces"):
        step().run(work)
    with pytest.raises(FaceletError, match=r"quantize needs (train|val) faces"):
        step().plan(work.faces, {})


def test_an_int8_parent_or_one_without_a_file_is_refused(fp32, tmp_path):
    work, _ = job(fp32, tmp_path)
    work.models["tiny"] = StepResult()
    with pytest.raises(FaceletError, match="needs the model file of 'tiny'"):
        step().run(work)
    work.models["tiny"] = StepResult(onnx=tmp_path / "int8.onnx")
    model_file.write(
        onnx.load(fp32), model_file.read(fp32).model_copy(update={"precision": "int8"}), tmp_path / "int8.onnx"
    )
    with pytest.raises(FaceletError, match="int8 already"):
        step().run(work)


def test_faces_with_other_labels_are_refused(fp32, tmp_path):
    faces = tiny.faces()
    faces.classes = ("a", "b", "c")
    work, _ = job(fp32, tmp_path, faces)
    with pytest.raises(FaceletError, match="dark, bright, striped; the faces have the classes a, b, c"):
        step().run(work)


@pytest.mark.parametrize("fields", [{"faces": 2}, {"allowance": -1}, {"types": "u8u8"}, {"bits": 4}])
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValidationError):
        step(**fields)


def test_layers_stay_in_float_until_the_allowance_holds(fp32, tmp_path, monkeypatch):
    scored = []

    def score(self, path):
        floats = sum(node.op_type in qdq.COMPUTING for node in onnx.load(path).graph.node) - _quantized(path)
        scored.append(floats)
        return ValidationScore(80 if path == fp32 else 70 + 3 * floats, 80)

    monkeypatch.setattr(room._Work, "score", score)
    work, said = job(fp32, tmp_path)
    made = step(allowance=2, types="u8s8").run(work)
    assert made.spent["floats"] == 3  # 80 - 79 of 80 is 1.25 points
    assert "3 left in float: " in said[-2]
    assert any("3 left in float" in note for note in made.notes)


def test_with_every_layer_in_float_the_file_says_fp32_and_no_gain(fp32, tmp_path, monkeypatch):
    monkeypatch.setattr(room._Work, "score", lambda self, path: ValidationScore(80 if path == fp32 else 0, 80))
    work, _ = job(fp32, tmp_path)
    made = step(types="u8s8").run(work)
    assert model_file.read(made.onnx).precision == "fp32"
    assert made.notes[-1] == "no gain: every layer stayed in float"


def test_the_allowance_is_in_points():
    assert ValidationScore(997, 1000).within(0.3, ValidationScore(1000, 1000))
    assert not ValidationScore(996, 1000).within(0.3, ValidationScore(1000, 1000))
    assert ValidationScore(10, 10).within(0, ValidationScore(9, 10))


@pytest.mark.parametrize(
    ("target", "types", "pair"), [("portable", "u8s8", 128), ("vnni", "u8s8", 254), ("arm64", "s8s8", 254)]
)
def test_the_target_decides_what_weights_may_be(fp32, tmp_path, monkeypatch, target, types, pair):
    """Not the machine that quantizes."""
    monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda: False)
    work, said = job(fp32, tmp_path)
    made = step(target=target, allowance=100).run(work)
    info, data = model_file.read(made.onnx), made.onnx.read_bytes()
    assert (info.precision, info.target) == ("int8", target)
    assert (saturation.worst_pair(data) <= 128) == (pair == 128)
    assert bool(saturation.risks(data)) == (target != "portable")
    assert said[0].startswith(f"plan: {types}, per channel")
    assert made.notes[0].startswith(f"target {target}: ")


def test_portable_files_are_the_same_wherever_they_are_made(fp32, tmp_path, monkeypatch):
    files = []
    for saturates in (False, True):
        monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda saturates=saturates: saturates)
        (tmp_path / str(saturates)).mkdir()
        files.append(step(allowance=100).run(job(fp32, tmp_path / str(saturates))[0]).onnx.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("target", ["vnni", "arm64"])
def test_a_target_that_cannot_be_measured_here_is_refused_before_anything_is_spent(fp32, tmp_path, monkeypatch, target):
    monkeypatch.setattr("facelet.models.saturation.kernels_saturate", lambda: True)
    for act in (
        lambda: step(target=target).plan(tiny.faces(), {"tiny": tiny.SPEC}),
        lambda: step(target=target).run(job(fp32, tmp_path)[0]),
    ):
        with pytest.raises(FaceletError, match=f"target {target} cannot be measured on this machine"):
            act()


def test_the_key_that_targets_replace_is_told():
    with pytest.raises(
        ValidationError, match="reduce_range was removed: files are portable by default; use target: vnni"
    ):
        step(reduce_range=True)


def test_a_file_carries_the_fp32_nets_outputs_on_golden_faces(fp32, tmp_path):
    made = step(allowance=100).run(job(fp32, tmp_path)[0])
    parent, child = (model_file.read(path).selftest for path in (fp32, made.onnx))
    assert (child.faces, child.outputs) == (parent.faces, parent.outputs)
    assert child.tolerance > parent.tolerance
    model_file.write(
        onnx.load(fp32), model_file.read(fp32).model_copy(update={"selftest": None}), tmp_path / "old.onnx"
    )
    older = step(allowance=100).run(job(tmp_path / "old.onnx", tmp_path)[0])
    np.testing.assert_allclose(model_file.read(older.onnx).selftest.outputs, parent.outputs, atol=1e-4)


def _quantized(path):
    model = onnx.load(path)
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    return sum(
        node.op_type in qdq.COMPUTING and made_by.get(node.input[1]) == "DequantizeLinear" for node in model.graph.node
    )
