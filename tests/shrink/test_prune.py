"""The step ``prune``: what it promises and refuses, and whole recipes with it, also killed between its rounds."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

import facelet.shrink  # noqa: F401  (registers the steps)
from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.tasks.distillation import DistillationTask
from facelet.nets import NETS
from facelet.recipes.runner import run
from facelet.shrink.pruning import budget as budgets
from facelet.shrink.pruning.rounds import Round
from facelet.step import STEPS, StepContext, StepResult, TrainingLength

NET = {"width": 0.125, "stem_stride": 1}
TINY = {"of": "large", "round_to": 2, "batch": 32, "precision": "fp32", "epochs": 0.5}
RECIPE = """
title: Cut
faces: {source: toy, size: 16, channels: 1, faces: 240, noise: 0}
steps:
  - {do: train, as: large, net: vgg11, net_options: {width: 0.125}, epochs: 4, batch: 32, lr: 0.01}
  - {do: prune, as: small, of: large, params: 0.6, rounds: 2, round_to: 2, epochs: 6, batch: 32, kd: 0.3}
  - {do: quantize, as: small-int8, of: small, faces: 32, allowance: 100, types: u8s8}
controls:
  - {do: prune, as: any, of: large, params: 0.5, round_to: 2, epochs: 1, batch: 32, score: random, scope: global}
  - {do: train, as: scratch, widths_of: small, epochs: 1, batch: 32}
"""


@pytest.fixture(scope="module")
def faces():
    return load("toy?faces=160", size=16)


@pytest.fixture(scope="module")
def large(faces, tmp_path_factory):
    """A net as after training, with its checkpoint."""
    spec = nets.resolve("resnet18", classes=8, size=16, channels=1, **NET)
    torch.manual_seed(0)
    net = spec.build()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    path = tmp_path_factory.mktemp("large") / "net.safetensors"
    nets.save(net, spec, path)
    return SimpleNamespace(path=path, spec=nets.load(path)[1], net=net)


def step(**fields):
    return STEPS["prune"].model_validate({"do": "prune", "as": "small", **TINY, **fields})


@pytest.fixture
def job(faces, large, tmp_path):
    def make(name="small", **fields):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        models = {"large": StepResult(net=large.path)}
        return StepContext("small", folder, faces, models, **{"device": "cpu", "say": lambda line: None, **fields})

    return make


def params(path):
    return sum(weight.numel() for weight in nets.load(path)[0].parameters())


@pytest.mark.slow
def test_plan_and_run_agree_on_the_final_net(faces, large, job):
    said, specs, whole = [], {"large": large.spec}, params(large.path)
    made_by = step(params=0.4, rounds=2, kd=0.5)
    plan = made_by.plan(faces, specs)
    assert plan.text.startswith("large to 40 % of its parameters (l2, 2 rounds, 0.5 epochs of ")
    assert "parameters, channels −" in plan.text
    work = job(say=said.append)
    made = made_by.run(work)
    net, spec = nets.load(made.net)
    assert spec == plan.spec
    assert plan.params == sum(weight.numel() for weight in net.parameters())
    assert 0.36 * whole < plan.params <= 0.4 * whole
    assert [line.split(":")[0].strip() for line in said if "→" in line] == [
        "plan",
        *(["channels −" + plan.text.rsplit("−", 1)[1]]),
        "round 1 of 2",
        "round 2 of 2",
    ]
    assert "(1 − (1 − p)² would be" in made.notes[2]
    assert "distilled from the unpruned net with weight" in made.notes[0]
    with (work.folder / "curves.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert made.spent["steps"] == float(rows[-1]["step"])
    assert {path.name for path in work.folder.iterdir()} == {
        "round1",
        "round2",
        "widths.json",
        "curves.csv",
        "net.safetensors",
    }
    again = made_by.run(work)
    assert again == made
    assert made_by.check_kept(work)
    with pytest.raises(FaceletError, match="other settings"):
        step(params=0.4, rounds=2, kd=0.4).check_kept(work)
    (work.folder / "round2/net.safetensors").unlink()
    assert not made_by.check_kept(work)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [{"score": "taylor"}, {"score": "bn", "scope": "global"}, {"score": "random", "ratio": 0.3, "params": None}],
)
def test_scores_and_scopes_cut_other_channels_to_the_same_budget(large, job, fields):
    asked = {"params": 0.5, **fields}
    made = step(rounds=1, **{key: value for key, value in asked.items() if value}).run(job("one"))
    if "ratio" not in fields:
        assert params(made.net) <= 0.5 * params(large.path)
    plain = step(rounds=1, params=0.5).run(job("two"))
    assert load_file(made.net)["stem.conv.weight"].shape[1:] == load_file(plain.net)["stem.conv.weight"].shape[1:]
    first, second = load_file(made.net), load_file(plain.net)
    assert any(first[key].shape != second[key].shape or not torch.equal(first[key], second[key]) for key in first)


@pytest.mark.slow
def test_a_latency_is_found_by_timing_once(faces, large, job, monkeypatch):
    timed, specs = [], {"large": large.spec}

    def file_latency(spec):
        timed.append(spec)
        return sum(weight.numel() for weight in spec.skeleton().parameters()) / 1e5

    monkeypatch.setattr(budgets, "file_latency", file_latency)
    whole = params(large.path) / 1e5
    asked = step(latency_ms=0.5 * whole, rounds=2)
    plan = asked.plan(faces, specs)
    assert not timed
    assert plan.params == 0
    assert "found by timing at run time" in plan.text
    assert plan.spec.widths
    work = job()
    made = asked.run(work)
    count = len(timed)
    assert 0.45 * whole < params(made.net) / 1e5 <= 0.5 * whole
    assert f"budget {0.5 * whole:.2f} ms, reached" in made.notes[1]
    asked.run(work)
    assert len(timed) == count


def test_distillation_is_from_the_unpruned_net(faces, large, job):
    objective = step(params=0.5, kd=0.25).objective(large.net, large.spec, faces.labelled("train"), job())
    assert isinstance(objective, DistillationTask)
    assert objective.factors == {"ce": 0.75, "kd": 0.25}
    assert step(params=0.5).optimization().lr == pytest.approx(0.0005)
    assert step(params=0.5, lr=0.01).optimization().lr == 0.01


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"params": 0.001}, r"small: 0.1 % of its parameters is at most 176 parameters; the minimum with cap 0.9 and"),
        ({"ratio": 0.95}, "5 % of its channels is at most .* channels; the minimum"),
        (
            {"params": 10_000_000},
            "small: the net costs 176 k parameters, within the budget of 10.0 M parameters; there is nothing to prune",
        ),
        (
            {"ratio": 0.5, "round_to": 64},
            "small: no layer of resnet18 can be narrowed with cap 0.9 and round_to 64; its widest layer has 64 channels",
        ),
    ],
)
def test_a_budget_that_cannot_be_met_is_refused_by_the_plan(faces, large, fields, message):
    with pytest.raises(FaceletError, match=message):
        step(**fields).plan(faces, {"large": large.spec})


@pytest.mark.slow
def test_nets_that_cannot_be_cut_are_refused_by_the_plan(faces, large, monkeypatch):
    specs = {"large": large.spec}
    specs["small"] = step(params=0.5).plan(faces, specs).spec
    with pytest.raises(FaceletError, match="twice: 'small' is already pruned; prune the original model"):
        step(ratio=0.5, of="small", **{"as": "twice"}).plan(faces, specs)
    with pytest.raises(FaceletError, match="'int8', and that step makes only a model file"):
        step(ratio=0.5, of="int8").plan(faces, specs)
    vit = nets.resolve("timm/vit_tiny_patch16_224", classes=8, size=16)
    with pytest.raises(FaceletError, match="small: timm/vit_tiny_patch16_224 cannot be pruned: its weight"):
        step(ratio=0.5).plan(faces, {"large": vit})
    bare = {**NETS._entries, "bare": lambda *given: _without_norms(NETS["resnet18"](*given, **NET))}
    monkeypatch.setattr(NETS, "_entries", bare)
    with pytest.raises(FaceletError, match="score bn reads batch norms, and bare has none; try l2"):
        step(ratio=0.5, score="bn").plan(faces, {"large": nets.resolve("bare", classes=8, size=16)})


def _without_norms(net):
    for name, module in list(net.named_modules()):
        if isinstance(module, torch.nn.BatchNorm2d):
            net.set_submodule(name, torch.nn.Identity())
    return net


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "cut.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory) -> Path:
    return run(str(recipe), out=tmp_path_factory.mktemp("whole") / "run", console=Console(quiet=True))


@pytest.mark.slow
def test_a_recipe_prunes_quantizes_and_controls(finished):
    rows = {row["name"]: row for row in json.loads((finished / "ledger.json").read_text())}
    checkpoints = {name: finished / "steps" / name / "net.safetensors" for name in ("large", "small", "scratch")}
    assert params(checkpoints["small"]) <= 0.6 * params(checkpoints["large"])
    file = (finished / "small.onnx").stat().st_size  # with its metadata and figures, for which a budget sets room aside
    assert file < budgets.file_bytes(nets.load(checkpoints["small"])[1]) < file + budgets.METADATA
    assert (rows["small"]["parent"], rows["small-int8"]["parent"]) == ("large", "small")
    assert [rows[name]["compare"] for name in ("any", "scratch")] == ["small", "small"]
    assert nets.load(checkpoints["scratch"])[1] == nets.load(checkpoints["small"])[1]
    assert "large pruned to 60 % of its parameters by l2" in (finished / "ledger.md").read_text()


CHECKPOINT_ALWAYS = """
from facelet.cli.app import main
from facelet.learn.engine import checkpoint
checkpoint.SECONDS = checkpoint.COST = 0.0
main()
"""


@pytest.mark.slow
def test_killed_within_and_between_rounds_it_ends_with_the_same_weights(recipe, finished, tmp_path, killed):
    folder = tmp_path / "run"
    place = folder / "steps" / "small"
    words = ["run", recipe, "--out", folder]
    for path in (place / "round1" / "state.pt", place / "round1" / "net.safetensors", place / "done.json"):
        killed(CHECKPOINT_ALWAYS, words, path)
        words = ["run", "--resume", folder]
        if path.parent.name == "round1":
            assert not (place / "round2" / "net.safetensors").exists()
    whole = finished / "steps" / "small"
    for name in ("round1/net.safetensors", "net.safetensors"):
        assert (place / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.slow
def test_rounds_of_a_control_share_the_steps_that_it_is_told(job, tmp_path):
    for count in (1, 2, 3, 7):
        assert sum(Round(number, count, tmp_path).part(41) for number in range(1, count + 1)) == 41
    control = step(params=0.5, rounds=2, epochs=None, minutes=5)
    made = control.run(job(match=TrainingLength("pruned", 5)))
    assert made.spent["steps"] == 5
    assert "trained for 5 steps, as many as pruned" in made.notes
