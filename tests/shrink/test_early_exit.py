"""The step ``early-exit``: one file that stops at the first exit that is sure, and answers as torch does wherever it stops."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from facelet import nets
from facelet.cli.app import app
from facelet.errors import FaceletError
from facelet.faces import FaceSet, load
from facelet.io import files
from facelet.measure.efficiency.cost import file_cost
from facelet.models import model_file
from facelet.models import session as model_session
from facelet.models.model_file import NEVER
from facelet.nets.layers.exits import ExitNet
from facelet.nets.layers.fusable import fused
from facelet.runtime.model import Model, prepared
from facelet.shrink.early_exit import CURVE, torch_answers
from facelet.shrink.exits.split_graph import staged, work_of
from facelet.shrink.export import export_checkpoint
from facelet.step import STEPS, StepContext, StepResult

NETS = {
    "resnet18-light": {"width": 0.25},
    "vgg11": {"width": 0.125},
    "shufflenet-v2-x0.5": {},
    "repvgg": {"width": 0.25},
    "timm/mobilenetv3_small_050": {},
}


def with_exits(name: str, options: dict[str, Any], size: int) -> tuple[ExitNet, nets.NetSpec]:
    """A net whose exits are sure of some faces and not of others."""
    torch.manual_seed(5)
    spec = replace(nets.resolve(name, classes=8, size=size, **options), exits="eca")
    net = spec.build().eval()
    assert isinstance(net, ExitNet)
    with torch.no_grad():
        for linear in (*(head.fc for head in net.heads.exits), net.uncut()[0]):
            linear.weight *= 40
            linear.bias *= 0
    return net, spec


def made_of(name: str, options: dict[str, Any], folder: Path, faces: FaceSet) -> StepResult:
    net, spec = with_exits(name, options, faces.size)
    nets.save(net, spec, folder / "net.safetensors")
    export_checkpoint(folder / "net.safetensors", folder / "light.onnx", faces)
    return StepResult(onnx=folder / "light.onnx", net=folder / "net.safetensors")


def step(**fields: Any):
    return STEPS["early-exit"].model_validate({"do": "early-exit", "as": "early", "of": "light", **fields})


@pytest.fixture(scope="module")
def faces() -> FaceSet:
    return load("toy?faces=120", size=32)


@pytest.fixture(scope="module")
def light(tmp_path_factory, faces) -> tuple[StepResult, StepResult]:
    """ "light", and what the step makes of it."""
    folder = tmp_path_factory.mktemp("light")
    light = made_of("resnet18-light", NETS["resnet18-light"], folder, faces)
    return light, step(allowance=5).run(StepContext("early", folder, faces, {"light": light}, say=lambda line: None))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(NETS))
def test_every_batch_is_answered_as_torch_answers_face_by_face(name, tmp_path, faces):
    light = made_of(name, NETS[name], tmp_path, faces)
    net, spec = nets.load(light.net)
    answers = torch_answers(net, spec, faces.images[:16])
    powers = np.exp(answers - answers.max(2, keepdims=True))
    sure = np.sort((powers.max(2) / powers.sum(2))[:-1].ravel())
    threshold = float(sure[len(sure) // 2 : len(sure) // 2 + 2].mean())  # between two confidences
    made = step(threshold=threshold).run(StepContext("early", tmp_path, faces, {"light": light}, say=lambda line: None))
    session = model_session.open_session(made.onnx, 1)
    inputs = prepared(faces.images[:16], model_file.read(made.onnx).input)
    expected, stops = [], []
    for face in range(16):
        shares = (powers / powers.sum(2, keepdims=True))[:, face].max(1)
        stop = next((k for k in range(len(answers) - 1) if shares[k] >= threshold), len(answers) - 1)
        expected.append(answers[stop, face])
        stops.append(stop + 1)
    assert len(set(stops)) > 1
    for batch in (1, 3, 16):
        for start in range(0, 16, batch):
            logits, exits = session.run(None, {"images": inputs[start : start + batch]})
            largest = max(1.0, np.abs(answers).max())
            np.testing.assert_allclose(logits / largest, np.array(expected[start : start + batch]) / largest, atol=1e-4)
            assert exits.tolist() == stops[start : start + batch]


def test_it_stops_for_real(light):
    """An exit that is reached runs; what lies behind a stop does not: the profile of a session names no deeper node."""
    _, made = light
    info = model_file.read(made.onnx)
    options = onnxruntime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(made.onnx.parent / "profile")
    session = onnxruntime.InferenceSession(str(made.onnx), options, providers=["CPUExecutionProvider"])
    face = np.zeros((1, 1, info.input.size, info.input.size), np.float32)
    session.run(None, {"images": face, "threshold": np.array(0, np.float32)})
    ran = {event["name"] for event in files.read_json(session.end_profiling()) if event["cat"] == "Node"}
    assert any("stage1/" in name for name in ran)
    assert not any("stage2/" in name for name in ran)


def test_the_file_says_what_it_is(light, faces):
    before, made = light
    info, told = model_file.read(made.onnx), model_file.read(before.onnx)
    assert info.step == "early-exit"
    assert info.labels == told.labels
    assert info.exits.macs[-1] == info.macs == file_cost(made.onnx).macs
    assert all(shallower < deeper for shallower, deeper in pairwise(info.exits.macs))
    val = faces.labelled("val")
    for speed in (0.0, 0.5, 1.0):
        right = (Model.load(made.onnx, speed=speed).logits(val.images).argmax(1) == val.labels).mean()
        nearest = min(info.exits.points, key=lambda point: abs(point.speed - speed))
        assert speed == 0.5 or right == pytest.approx(nearest.val_accuracy)
    deepest, chosen = (Model.load(made.onnx, speed=speed).logits(val.images).argmax(1) for speed in (0, None))
    assert (chosen == val.labels).mean() >= (deepest == val.labels).mean() - 0.05
    assert np.array_equal(deepest, Model.load(before.onnx).logits(val.images).argmax(1))


@pytest.mark.slow
@pytest.mark.parametrize("exits", [[1], [3], [1, 3]])
def test_the_exits_asked_for_are_kept_and_no_others(light, tmp_path, faces, exits):
    before, _ = light
    made = step(exits=exits, allowance=5).run(
        StepContext("early", tmp_path, faces, {"light": before}, say=lambda line: None)
    )
    net, spec = nets.load(before.net)
    info, cost = model_file.read(made.onnx), file_cost(made.onnx)
    heads = [sum(weight.numel() for weight in head.parameters()) for head in net.heads.exits]
    dropped = sum(size for at, size in enumerate(heads, 1) if at not in exits)
    assert info.params == sum(weight.numel() for weight in net.parameters()) - dropped
    assert info.macs == cost.macs == info.exits.macs[-1]
    assert len(info.exits.macs) == len(exits) + 1
    for at, macs in zip(exits, info.exits.macs, strict=False):
        alone = STEPS["exit"].model_validate({"do": "exit", "as": f"exit{at}", "of": "light", "at": at})
        cost = file_cost(
            alone.run(StepContext(f"exit{at}", tmp_path, faces, {"light": before}, say=lambda line: None)).onnx
        )
        assert macs == cost.macs + sum(work_of(staged(net, spec)).heads[k - 1] for k in exits if k < at)


@pytest.mark.slow
@pytest.mark.slow
def test_branches_count_as_what_they_become(tmp_path, faces):
    light = made_of("repvgg", NETS["repvgg"], tmp_path, faces)
    made = step(exits=[1]).run(StepContext("early", tmp_path, faces, {"light": light}, say=lambda line: None))
    net = fused(nets.load(light.net)[0])
    held = [*net.net.parameters(), *net.heads.exits[0].parameters()]
    assert model_file.read(made.onnx).params == sum(weight.numel() for weight in held)


@pytest.mark.parametrize("exits", [[2, 1], [1, 1], [4]])
def test_exits_that_are_not_there_are_refused(light, faces, exits):
    _, spec = nets.load(light[0].net)
    with pytest.raises(FaceletError, match=r"expected some of \[1, 2, 3\], shallow to deep"):
        step(exits=exits).plan(faces, {"light": spec})


def test_its_curve_is_kept_with_times(light):
    _, made = light
    points = files.read_json(made.onnx.parent / CURVE)
    assert points[0]["threshold"] == NEVER
    assert all(point["mean_ms"] > 0 for point in points)
    assert "validation" in made.notes[1]


@pytest.mark.slow
def test_the_same_again_is_the_same_file(light, tmp_path, faces):
    before, made = light
    again = step(allowance=5).run(StepContext("early", tmp_path, faces, {"light": before}, say=lambda line: None))
    assert again.onnx.read_bytes() == made.onnx.read_bytes()


def test_predict_takes_a_speed(light, tmp_path, capsys):
    import cv2

    _, made = light
    cv2.imwrite(str(tmp_path / "face.png"), np.full((32, 32), 128, np.uint8))
    for speed in ("0", "0.5", "1"):
        words = [
            "predict",
            str(tmp_path / "face.png"),
            "--cropped",
            "--json",
            "--model",
            str(made.onnx),
            "--speed",
            speed,
        ]
        app(words, standalone_mode=False)
    assert capsys.readouterr().out.count('"expression"') == 3
    with pytest.raises(FaceletError, match="speed is 2, expected 0"):
        app([*words[:-1], "2"], standalone_mode=False)


@pytest.mark.parametrize("threshold", [-0.1, 1.5])
def test_a_threshold_outside_0_to_1_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        step(threshold=threshold)


def test_a_model_without_exits_is_refused_and_has_one_speed(light, faces):
    before, _ = light
    with pytest.raises(FaceletError, match="'light' has no exits; train it with self-distill and keep: true"):
        step().plan(faces, {"light": nets.resolve("resnet18", classes=8, size=32)})
    with pytest.raises(FaceletError, match="has no early exits"):
        Model.load(before.onnx, speed=0.5)


def test_metadata_that_does_not_fit_the_graph_is_refused(light, tmp_path):
    import onnx

    before, made = light
    info = model_file.read(made.onnx)
    model_file.write(onnx.load(made.onnx), info.model_copy(update={"exits": None}), tmp_path / "silent.onnx")
    model_file.write(onnx.load(before.onnx), info, tmp_path / "boast.onnx")
    for name, said in (("silent", "describes a model with one output"), ("boast", "describes an early-exit model")):
        with pytest.raises(FaceletError, match=said):
            Model.load(tmp_path / f"{name}.onnx")
