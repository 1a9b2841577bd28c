"""The step ``prune-at-init``: what it cuts, from which values it trains, its controls, and going on after a kill."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

import facelet.shrink  # noqa: F401  (registers the steps)
from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.shrink import prune_at_init
from facelet.shrink.pruning.channels import Channels
from facelet.step import STEPS, StepContext

TINY = {
    "net": "resnet18",
    "net_options": {"width": 0.25, "stem_stride": 1},
    "round_to": 2,
    "batch": 32,
    "precision": "fp32",
    "epochs": 1,
    "probe": 4,
}


@pytest.fixture(scope="module")
def faces():
    return load("toy?faces=160", size=16)


def step(**fields):
    return STEPS["prune-at-init"].model_validate({"do": "prune-at-init", "as": "slim", **TINY, **fields})


@pytest.fixture
def job(faces, tmp_path):
    def make(name="slim", **fields):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return StepContext("slim", folder, faces, {}, **{"device": "cpu", "say": lambda line: None, **fields})

    return make


def cut_of(step, job, faces):
    """The net before it is cut, the cut one, and its spec."""
    spec = step.spec_for(faces, step.training_faces(faces), None)
    torch.manual_seed(3)
    whole = spec.build()
    torch.manual_seed(3)
    net, cut = step.start(job, spec, None, step.training_faces(faces))
    return whole, net, cut


@pytest.mark.parametrize("fields", [{}, {"score": "random"}, {"score": "uniform"}, {"scope": "layer"}])
def test_it_meets_its_budget_and_trains_what_is_left(job, faces, fields):
    specs, said = {}, []
    made_by = step(macs=0.5, **fields)
    plan = made_by.plan(faces, specs)
    work = job(say=said.append)
    made = made_by.run(work)
    net, spec = nets.load(made.net)
    trial = made_by.trial(made_by.spec_for(faces, made_by.training_faces(faces), None))
    macs = [trial.cost(widths).macs for widths in (trial.whole, Channels(net, spec).widths)]
    assert 0.4 * macs[0] < macs[1] <= 0.5 * macs[0]
    assert ("or thereabouts" in plan.text) == (fields in ({}, {"score": "random"}))
    if "or thereabouts" not in plan.text:
        assert spec == plan.spec
        assert plan.params == sum(weight.numel() for weight in net.parameters())
    assert made.notes[0].startswith("cut before training to 50 % of its MACs by ")
    assert "an epoch of training" in made.notes[2]
    assert ("gates vary by" in made.notes[0]) == ("score" not in fields)
    assert not list(work.folder.glob("cut-*"))
    assert made_by.run(work) == made


def test_what_is_kept_starts_from_its_first_values(job, faces):
    whole, net, cut = cut_of(step(ratio=0.5), job(), faces)
    first, kept = whole.layer1[0].conv1.weight, net.layer1[0].conv1.weight
    assert kept.shape < first.shape
    assert cut.widths
    _, fresh, _ = cut_of(step(ratio=0.5, weights="fresh"), job("fresh"), faces)
    assert not torch.isin(fresh.layer1[0].conv1.weight, first).any()
    assert torch.isin(kept, first).all()


def test_shuffled_scores_keep_each_layers_width_and_change_its_channels(job, faces):
    _, one, first = cut_of(step(ratio=0.5), job("se"), faces)
    _, two, second = cut_of(step(ratio=0.5, score="shuffled"), job("shuffled"), faces)
    assert first == second
    assert not torch.equal(one.layer2[0].conv1.weight, two.layer2[0].conv1.weight)


def test_killed_after_the_cut_it_goes_on_with_the_same_net(job, faces, monkeypatch):
    whole = step(ratio=0.4).run(job("whole"))

    def stop(*_):
        raise KeyboardInterrupt

    broken = job("broken")
    with monkeypatch.context() as patch:
        patch.setattr("facelet.learn.engine.fit.train", stop)
        with pytest.raises(KeyboardInterrupt):
            step(ratio=0.4).run(broken)
    assert list(broken.folder.glob("cut-*.safetensors"))
    monkeypatch.setattr(prune_at_init, "probe", stop)
    again = step(ratio=0.4).run(broken)
    first, second = load_file(whole.net), load_file(again.net)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "give exactly one budget"),
        ({"net": None, "net_options": {}, "of": "large", "ratio": 0.5}, "prune-at-init needs `net`"),
        ({"ratio": 0.5, "scope": "layer", "weights": "fresh"}, "no score makes a difference"),
        ({"ratio": 1.0}, "less than 1"),
        ({"ratio": 0.5, "probe": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        step(**fields)


def test_a_budget_below_what_any_width_allows_is_refused(faces):
    with pytest.raises(
        FaceletError, match=r"slim: .* is at most .*; the smallest that cap 0.9 and round_to 2 allow is"
    ):
        step(params=0.001).plan(faces, {})
