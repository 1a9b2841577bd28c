"""The step ``self-distill``: its loss by the formula, and a net without exits at the end."""

from __future__ import annotations

import re

import pytest
from torch import nn

from facelet import nets
from facelet.nets.layers.exits import ExitNet


@pytest.mark.slow
def test_the_exits_are_left_behind(step, job, faces):
    lesson = step("self-distill", epochs=2)
    plan = lesson.plan(faces, {})
    made = lesson.run(job())
    net, spec = nets.load(made.net)
    assert sum(weight.numel() for weight in net.parameters()) == plan.params
    assert spec == plan.spec
    assert "3 exits, which are removed" in made.notes[-2]


@pytest.mark.slow
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


@pytest.mark.slow
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
