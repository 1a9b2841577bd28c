"""What a GPU does at every step may be recorded and replayed; it is the same training as without."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from facelet.learn import recorded
from facelet.learn.recorded import Recorded

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_a_cpu_calls_the_function_as_it_is():
    seen = []
    double = Recorded(lambda x, none: seen.append(x) or 2 * x)
    for number in range(recorded.WARM + 3):
        assert double(torch.tensor([float(number)]), None) == 2 * number
    assert len(seen) == recorded.WARM + 3
    assert not double.replays


@needs_gpu
def test_a_gpu_runs_it_without_python():
    seen = []
    double = Recorded(lambda x, none: seen.append(x) or 2 * x)
    found = [double(torch.tensor([float(number)], device="cuda"), None).item() for number in range(10)]
    assert found == [2.0 * number for number in range(10)]
    assert len(seen) == recorded.WARM + 1
    assert double.replays


@needs_gpu
def test_what_reads_a_value_is_called_as_it_is():
    said = []
    reads = Recorded(lambda x: x * x.sum().item(), say=said.append)
    assert [reads(torch.full((2,), 2.0, device="cuda"))[0].item() for _ in range(6)] == [8.0] * 6
    assert len(said) == 1
    assert "not recorded" in said[0]
    assert torch.rand(3, device="cuda").sum() > 0


@needs_gpu
@pytest.mark.parametrize(
    "fields",
    [
        {"augment": 0},
        {"augment": {"blur": 0.2, "downscale": 0.2, "jpeg": 0.2, "grey": 0.5}, "precision": "bf16"},
        {"do": "self-distill", "net": "resnet18-finegrained", "net_options": {"width": 0.125}},
        {"net": "shufflenet-v2", "net_options": {}, "clip": 1.0, "optimizer": "sgd", "lr": 0.01},
    ],
)
def test_a_recorded_training_is_the_same_training(step, job, monkeypatch, fields):
    torch.backends.cudnn.deterministic = True
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    with_it = step(epochs=4, **fields).run(job("with", device="cuda"))
    monkeypatch.setattr(recorded, "WARM", 1 << 30)
    without = step(epochs=4, **fields).run(job("without", device="cuda"))
    first, second = load_file(with_it.net), load_file(without.net)
    apart = [(first[name].float() - second[name].float()).abs().max().item() for name in first]
    torch.backends.cudnn.deterministic = False
    assert max(apart) < 1e-3, max(apart)
