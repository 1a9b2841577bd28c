"""The step ``logit-adjust``: the file answers as the formula says, within the allowance, and says what was taken out."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.logit_adjust import TAUS, LogitAdjust, shifted
from facelet.measure.evaluation import evaluate_model
from facelet.models import model_file
from facelet.models.priors import trained, weights
from facelet.runtime.model import Model
from facelet.shrink.export import export_checkpoint
from facelet.step import StepContext, StepResult

FACES = "toy?faces=400&noise=0.5&seed=1"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Model, spec and faces of a run that has made "plain", whose classes are uneven and whose temperature is not 1."""
    folder, faces = tmp_path_factory.mktemp("plain"), load(FACES, size=16)
    spec = nets.resolve("resnet18-light", classes=8, size=16, width=0.125)
    torch.manual_seed(3)
    net = spec.build().eval()
    nets.save(net, spec, folder / "net.safetensors")
    counts = dict(zip(faces.classes, [400, 200, 100, 80, 40, 20, 10, 5], strict=True))
    protocol = {**faces.protocol.to_json(), "counts": {"train": counts}}
    described = {"temperature": 2.5, "protocol": protocol}
    export_checkpoint(folder / "net.safetensors", folder / "plain.onnx", faces, described=described)
    return {"plain": StepResult(onnx=folder / "plain.onnx", net=folder / "net.safetensors")}, spec, faces


def step(**fields) -> LogitAdjust:
    return LogitAdjust.model_validate({"do": "logit-adjust", "as": "fair", "of": "plain", **fields})


def run(plain, folder, **fields):
    said = []
    made = step(**fields).run(StepContext("fair", folder, plain[2], plain[0], say=said.append))
    return made, said


def with_info(plain, path, **fields):
    """The same run, with other metadata in the model's file."""
    models, spec, faces = plain
    before = models["plain"].onnx
    model_file.write(onnx.load(before), model_file.read(before).model_copy(update=fields), path)
    return {"plain": StepResult(onnx=path, net=models["plain"].net)}, spec, faces


@pytest.mark.slow
def test_the_file_answers_as_the_prior_that_the_formula_leaves(plain, tmp_path):
    """tau 0.3 in the file is what ``uniform^0.3`` is in use, and ``uniform`` of it is that of the file before."""
    made, _ = run(plain, tmp_path, tau=0.3)
    before = Model.load(plain[0]["plain"].onnx)
    described = {"temperature": before.info.temperature, "protocol": before.info.protocol, **made.described}
    export_checkpoint(made.net, tmp_path / "fair.onnx", plain[2], described=described)
    after, images = Model.load(tmp_path / "fair.onnx"), plain[2].images[:16]
    assert after.info.adjusted == 0.3
    for prior, given in (("uniform^0.3", np.ones(8)), ("uniform", weights(after.info, "uniform"))):
        expected = before.probabilities(images) * weights(before.info, prior)
        found = after.probabilities(images) * given
        np.testing.assert_allclose(
            found / found.sum(1, keepdims=True), expected / expected.sum(1, keepdims=True), atol=1e-5
        )
    shares = trained(before.info)
    np.testing.assert_allclose(trained(after.info), shares**0.7 / (shares**0.7).sum())


@pytest.mark.slow
def test_what_was_taken_out_before_counts(plain, tmp_path):
    half = with_info(plain, tmp_path / "half.onnx", adjusted=0.5)
    assert run(half, tmp_path, tau=1.0)[0].described == {"adjusted": 1.0}
    assert run(half, tmp_path, tau=0.5)[0].described == {"adjusted": 0.75}


@pytest.mark.slow
@pytest.mark.parametrize("allowance", [0, 2])
def test_the_largest_within_the_allowance_is_chosen(plain, tmp_path, allowance):
    made, said = run(plain, tmp_path, allowance=allowance)
    before = evaluate_model(Model.load(plain[0]["plain"].onnx), plain[2], "val")
    shares = trained(model_file.read(plain[0]["plain"].onnx))
    fine = [tau for tau in TAUS if before.accuracy - shifted(before, shares, tau).accuracy <= allowance / 100 + 1e-9]
    assert made.described["adjusted"] == pytest.approx(max(fine))
    assert said[0] == made.notes[0]
    assert said[0].startswith(f"tau {max(fine):g}: validation accuracy")


def test_what_cannot_be_shifted_is_refused_before_the_run():
    faces = load("toy?faces=60", size=32)
    with pytest.raises(FaceletError, match="not the net of a classifier"):
        step().plan(faces, {})
    with pytest.raises(FaceletError, match="not the net of a classifier"):
        step().plan(faces, {"plain": nets.resolve("mobilefacenet", classes=0, size=32, width=0.125)})
    with pytest.raises(FaceletError, match="not those of a linear layer"):
        step().plan(faces, {"plain": nets.resolve("rescaps", classes=8, size=32, width=0.25)})
    spec = nets.resolve("resnet18-light", classes=8, size=32, width=0.125)
    assert "at most 0.2 points lost" in step().plan(faces, {"plain": spec}).text


@pytest.mark.slow
def test_a_file_without_counts_is_refused(plain, tmp_path):
    with pytest.raises(FaceletError, match="does not state how many"):
        run(with_info(plain, tmp_path / "x.onnx", protocol={}), tmp_path)
