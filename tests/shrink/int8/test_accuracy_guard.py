"""What int8 may cost: by right answers, or by pairs and how near embeddings stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.models import model_file
from facelet.shrink.export import export
from facelet.shrink.int8.accuracy_guard import ValidationScore, guard_for
from facelet.shrink.quantize import Quantize
from facelet.step import StepContext, StepResult


@pytest.fixture(scope="module")
def people():
    return load("toy?faces=300&identities=30&noise=0", size=16)


@pytest.fixture(scope="module")
def fp32(people, tmp_path_factory):
    torch.manual_seed(0)
    spec = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    path = tmp_path_factory.mktemp("guard") / "net.onnx"
    info = {"task": "identity", "labels": (), "name": "net"}
    export(spec.build().eval(), spec, path, info, people.images[:4])
    return path


def test_the_parent_is_as_near_to_itself_as_can_be(people, fp32):
    score = guard_for(model_file.read(fp32), people, fp32)(fp32)
    assert score.cosine == pytest.approx(1)
    assert score.unit == "pairs"
    assert 0.4 < score.share <= 1


def test_embeddings_that_moved_are_too_far(people):
    before = ValidationScore(90, 100, 1.0)
    assert ValidationScore(90, 100, 0.99).within(0.1, before, 0.98)
    assert not ValidationScore(95, 100, 0.97).within(0.1, before, 0.98)
    assert not ValidationScore(89, 100, 0.99).within(0.1, before, 0.98)
    assert str(ValidationScore(90, 100, 0.98765)) == "90.00 %, cosine 0.9877"


@pytest.mark.slow
def test_a_model_of_identity_is_quantized_and_keeps_its_task(people, fp32, tmp_path):
    step = Quantize.model_validate(
        {"do": "quantize", "as": "small", "of": "net", "faces": 40, "allowance": 5, "cosine": 0.5}
    )
    job = StepContext("small", tmp_path, people, {"net": StepResult(onnx=fp32)}, say=lambda line: None)
    made = step.run(job)
    info = model_file.read(made.onnx)
    assert (info.task, info.labels, info.precision) == ("identity", (), "int8")
    assert any("pairs, allowance 5 points, cosine 0.5" in note for note in made.notes)


def test_a_model_of_identity_needs_people_to_be_held_against(fp32, people):
    from dataclasses import replace

    with pytest.raises(FaceletError, match="too few"):
        guard_for(model_file.read(fp32), replace(people, identities=None), fp32)
    assert np.isfinite(guard_for(model_file.read(fp32), people, fp32)(fp32).cosine)
