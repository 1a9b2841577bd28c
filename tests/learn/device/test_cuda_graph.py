"""What a GPU does at every step may be recorded and replayed; it is the same training as without."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.device import cuda_graph
from facelet.learn.device.cuda_graph import CudaGraph
from facelet.learn.tasks.distillation_losses import TERMS
from facelet.learn.teachers.predictions import answer
from facelet.step import StepResult

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: CUDA_VISIBLE_DEVICES=0 pytest")


def test_a_cpu_calls_the_function_as_it_is():
    seen = []
    double = CudaGraph(lambda x, none: seen.append(x) or 2 * x)
    for number in range(cuda_graph.WARM + 3):
        assert double(torch.tensor([float(number)]), None) == 2 * number
    assert len(seen) == cuda_graph.WARM + 3


def asked_for(monkeypatch, run):
    """Whether a training asked that its step be recorded."""
    wanted = []

    def note(function, name, record):
        wanted.append((name, record))
        return CudaGraph(function, name, False)

    monkeypatch.setattr("facelet.learn.engine.supervised.CudaGraph", note)
    run()
    return wanted


@pytest.mark.slow
def test_a_training_is_recorded_unless_it_says_no(step, job, monkeypatch):
    assert asked_for(monkeypatch, lambda: step(epochs=1).run(job("one"))) == [("one", True)]
    assert asked_for(monkeypatch, lambda: step(epochs=1, record=False).run(job("two"))) == [("two", False)]


def test_whether_a_step_is_recorded_does_not_change_which_training_it_is(step, job, monkeypatch):
    work = job()
    step(epochs=1).run(work)
    monkeypatch.setattr("facelet.learn.engine.fit.train", lambda *_: pytest.fail("it trains again"))
    step(epochs=1, record=False).run(work)


@pytest.mark.slow
def test_one_term_that_counts_in_python_is_enough(step, job, monkeypatch):
    teacher = StepResult(net=step(epochs=1).run(job("teacher")).net)

    def taught(name):
        lesson = step("distill", epochs=1, losses={"ce": 1.0, "kd": 1.0}, **{"from": "teacher"})
        return lambda: lesson.run(job(name, models={"teacher": teacher}))

    assert asked_for(monkeypatch, taught("one"))[-1] == ("one", True)
    monkeypatch.setattr(TERMS["kd"], "repeats", False)
    assert asked_for(monkeypatch, taught("two"))[-1] == ("two", False)


@pytest.mark.slow
def test_identities_are_not_recorded(step, job, monkeypatch):
    people = load("toy?faces=300&identities=30&noise=0", size=16)
    lesson = step("embed", epochs=1, losses={"cosface": 1.0}, net="mobilefacenet", net_options={"width": 0.125})
    assert asked_for(monkeypatch, lambda: lesson.run(job(faces=people))) == [("net", False)]


@pytest.fixture
def replays(monkeypatch):
    """Replays so far, in a list."""
    seen: list[object] = []
    before = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: seen.append(graph) or before(graph))
    return seen


@needs_gpu
def test_a_gpu_runs_it_without_python(replays):
    seen = []
    double = CudaGraph(lambda x, none: seen.append(x) or 2 * x)
    found = [double(torch.tensor([float(number)], device="cuda"), None) for number in range(10)]
    assert [one.item() for one in found] == [2.0 * number for number in range(10)]
    assert len(seen) == cuda_graph.WARM + 1
    assert len(replays) == 10 - cuda_graph.WARM


@needs_gpu
def test_what_reads_a_value_cannot_be_recorded():
    reads = CudaGraph(lambda x: x * x.sum().item(), "net")
    ones = torch.ones(2, device="cuda")
    for _ in range(cuda_graph.WARM):
        reads(ones)
    with pytest.raises(FaceletError, match=r"net: its step cannot be captured.*record: false"):
        reads(ones)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@needs_gpu
@pytest.mark.parametrize(
    "fields",
    [
        {"augment": 0},
        {"augment": {"blur": 0.2, "downscale": 0.2, "jpeg": 0.2, "grey": 0.5}, "precision": "bf16"},
        {"do": "self-distill", "net": "resnet18-finegrained", "net_options": {"width": 0.125}},
        {"net": "shufflenet-v2", "net_options": {"dropout": 0.3}, "clip": 1.0, "optimizer": "sgd", "lr": 0.01},
        {"do": "distill", "from": "teacher", "mirror": True},
        {"do": "distill", "answers": "kept", "mirror": True},
    ],
)
def test_a_recorded_training_is_the_same_training(step, job, monkeypatch, replays, tmp_path, faces, fields):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    teacher = step(epochs=1).run(job("teacher", device="cuda"))
    replays.clear()
    if "answers" in fields:
        fields = {**fields, "answers": str(tmp_path / "kept.npz")}
        answer(teacher.net, faces.split("train"), protocol=faces.protocol.split_hash).save(fields["answers"])
    lesson = step(**{"epochs": 4, **fields})
    models = {"teacher": teacher}
    first = load_file(lesson.run(job("with", device="cuda", models=models)).net)
    assert len(set(map(id, replays))) == 2  # of the step and of the augmentation
    replays.clear()
    plain = lesson.model_copy(update={"record": False})
    second = load_file(plain.run(job("without", device="cuda", models=models)).net)
    assert not replays
    assert all((first[name].float() - second[name].float()).abs().max() < 1e-3 for name in first)
