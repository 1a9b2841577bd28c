"""The step ``exit``: a file that answers as the exit does, and holds nothing beyond it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.measure.efficiency.cost import file_cost
from facelet.models import model_file
from facelet.runtime.model import Model
from facelet.shrink.export import export_checkpoint, torch_logits
from facelet.step import STEPS, StepContext, StepResult


@pytest.fixture(scope="module")
def light(tmp_path_factory) -> tuple[dict[str, Any], dict[str, StepResult], Any]:
    """Specs, models and faces of a run that has made "light", with three exits."""
    folder, faces = tmp_path_factory.mktemp("light"), load("toy?faces=60", size=32)
    spec = replace(nets.resolve("resnet18-light", classes=8, size=32, width=0.25), exits="eca")
    torch.manual_seed(3)
    net = spec.build().eval()
    nets.save(net, spec, folder / "net.safetensors")
    export_checkpoint(folder / "net.safetensors", folder / "light.onnx", faces)
    made = {"light": StepResult(onnx=folder / "light.onnx", net=folder / "net.safetensors")}
    return {"light": spec}, made, faces


def step(**fields: Any):
    return STEPS["exit"].model_validate({"do": "exit", "as": "one", "of": "light", "at": 1, **fields})


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2, 3])
def test_the_file_answers_as_the_exit_and_holds_nothing_beyond(light, tmp_path, at):
    specs, models, faces = light
    step(at=at).plan(faces, dict(specs))
    made = step(at=at).run(StepContext("one", tmp_path, faces, models))
    net, spec = nets.load(models["light"].net)
    expected = torch_logits(net, spec, faces.images[:8])  # the deepest
    model = Model.load(made.onnx)
    answers = [each.numpy() for each in _answers(net, spec, faces.images[:8])]
    np.testing.assert_allclose(model.logits(faces.images[:8]), answers[at - 1], atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(answers[-1], expected, atol=1e-6)
    stages = [net.net.stem, net.net.layer1, net.net.layer2, net.net.layer3][: at + 1]
    parts = [*stages, net.heads.exits[at - 1]]
    assert model.info.params == sum(weight.numel() for part in parts for weight in part.parameters())
    assert model.info.macs == file_cost(made.onnx).macs < model_file.read(models["light"].onnx).macs


def _answers(net, spec, faces):
    images = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return net.answers((images - spec.mean[0]) / spec.std[0])


def test_the_model_file_of_the_net_itself_has_no_exits(light):
    _, models, _ = light
    net, _ = nets.load(models["light"].net)
    assert model_file.read(models["light"].onnx).params == sum(weight.numel() for weight in net.net.parameters())


@pytest.mark.parametrize(("fields", "said"), [({"at": 4}, "exits 1 to 3, not 4"), ({"of": "plain"}, "keep: true")])
def test_what_cannot_be_is_refused_before_anything_is_spent(light, fields, said):
    specs, _, faces = light
    specs = {**specs, "plain": nets.resolve("resnet18", classes=8, size=32)}
    with pytest.raises(FaceletError, match=said):
        step(**fields).plan(faces, specs)
