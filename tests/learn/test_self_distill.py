"""The step ``self-distill``: its loss by the formula, and a net without exits at the end."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from facelet import nets
from facelet.learn.data.batches import Batch
from facelet.learn.tasks.self_distillation import SelfDistillationTask
from facelet.nets.layers.exits import ExitHeads, ExitNet


def test_the_loss_by_its_formula():
    torch.manual_seed(0)
    spec = nets.resolve("resnet18", classes=5, size=16, width=0.0625, stem_stride=1, mean=(0.4,), std=(0.2,))
    net = spec.build().eval()
    exits = ExitHeads.of(net, 16, 1, 5).eval()
    objective = SelfDistillationTask(spec, exits, share=0.3, temperature=3.0, feature=0.1)
    labels = torch.tensor([0, 4, 2, 1])
    batch = Batch(torch.rand(4, 1, 16, 16), labels, torch.arange(4), torch.zeros(4).bool(), None)
    losses = objective(net, batch)
    stages = net.stages((batch.faces - 0.4) / 0.2)
    deep = net.embed(stages)
    logits = net.classify(deep)
    assert losses["ce"].item() == pytest.approx(F.cross_entropy(logits, labels).item(), abs=1e-5)
    for number, answer in enumerate(exits(stages), start=1):
        p, log_q = F.softmax(logits / 3, 1), F.log_softmax(answer.logits / 3, 1)
        expected = 0.7 * F.cross_entropy(answer.logits, labels) + 0.3 * 9 * F.kl_div(log_q, p, reduction="batchmean")
        expected = expected + 0.1 * F.mse_loss(answer.feature, deep)
        assert losses[f"exit{number}"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert len(losses) == 4


def test_the_deepest_answer_learns_from_labels_alone():
    torch.manual_seed(0)
    spec = nets.resolve("resnet18", classes=5, size=16, width=0.0625, stem_stride=1)
    net = spec.build()
    objective = SelfDistillationTask(spec, ExitHeads.of(net, 16, 1, 5), share=1.0, temperature=3.0, feature=1.0)
    batch = Batch(torch.rand(4, 1, 16, 16), torch.zeros(4).long(), torch.arange(4), torch.zeros(4).bool(), None)
    losses = objective(net, batch)
    sum(loss for name, loss in losses.items() if name != "ce").backward()
    assert net.fc.weight.grad is None
    assert net.layer4[0].bn2.weight.grad is None
    assert net.layer1[0].bn2.weight.grad.abs().sum() > 0


def test_the_exits_are_left_behind(step, job, faces):
    lesson = step("self-distill", epochs=2)
    plan = lesson.plan(faces, {})
    made = lesson.run(job())
    net, spec = nets.load(made.net)
    assert sum(weight.numel() for weight in net.parameters()) == plan.params
    assert spec == plan.spec
    assert "3 exits, which are left behind" in made.notes[-2]


@pytest.mark.parametrize("attention", ["eca", "se"])
def test_the_exits_are_kept_when_asked(step, job, faces, attention):
    lesson = step("self-distill", epochs=2, keep=True, attention=attention)
    plan = lesson.plan(faces, {})
    made = lesson.run(job())
    net, spec = nets.load(made.net)
    assert spec == plan.spec
    assert spec.exits == attention
    assert sum(weight.numel() for weight in net.net.parameters()) == plan.params
    assert sum(weight.numel() for module in net.heads.attentions for weight in module.parameters()) == int(
        re.search(rf"attention \({attention}\) ([\d,]+) ", made.notes[-1])[1].replace(",", "")
    )
    norms = [module for module in net.heads.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all((norm.running_mean != 0).any() for norm in norms)  # settled, with the net's


def test_the_net_learns_the_same_whether_its_exits_are_kept_or_not():
    spec = nets.resolve("resnet18", classes=5, size=16, width=0.0625, stem_stride=1)
    kept = replace(spec, exits="eca").build().eval()
    batch = Batch(torch.rand(4, 1, 16, 16), torch.zeros(4).long(), torch.arange(4), torch.zeros(4).bool(), None)
    options = {"share": 0.3, "temperature": 3.0, "feature": 0.1}
    mine = SelfDistillationTask(spec, None, **options)(kept, batch)
    other = SelfDistillationTask(spec, kept.heads, **options)(kept.net, batch)
    assert {name: value.item() for name, value in mine.items()} == {name: value.item() for name, value in other.items()}


def test_what_follows_starts_from_the_net_alone(step, job, faces):
    first = step("self-distill", epochs=1, keep=True)
    specs = {"net": first.plan(faces, {}).spec}
    work = job()
    work.models["net"] = first.run(work)
    after = step("train", epochs=1, of="net")
    after.plan(faces, specs)
    net, spec = nets.load(after.run(job("after", models=work.models)).net)
    assert spec.exits is None
    assert not isinstance(net, ExitNet)
