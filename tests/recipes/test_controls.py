"""Controls: which model each is compared with, and that it trains as many steps, however slow the machine has become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from facelet.errors import FaceletError
from facelet.learn.engine import checkpoint, stopwatch
from facelet.learn.engine.ema import Ema
from facelet.measure.efficiency.latency import bench
from facelet.recipes.context import RunContext, read_faces
from facelet.recipes.controls import compared_with, counted
from facelet.recipes.result import write_done
from facelet.recipes.runner import run
from facelet.recipes.schema import check
from facelet.shrink.export import export_checkpoint
from facelet.step import Hardware, StepResult, TrainingLength

NET = {"net": "resnet18", "epochs": 1}
TINY = {"net": "resnet18", "net_options": {"width": 0.0625, "stem_stride": 1}, "batch": 32, "precision": "fp32"}
FACES = {"source": "toy", "size": 16, "channels": 1, "faces": 160}


@pytest.mark.parametrize(
    ("control", "other"),
    [
        ({"do": "train", **NET}, "student"),
        ({"do": "train", **NET, "net_options": {"width": 0.5}}, "thin"),
        ({"do": "train", **NET, "net_options": {"width": 0.25}}, ""),
        ({"do": "quantize", "of": "student", "types": "u8s8"}, "int8"),
        ({"do": "prune", "of": "student", "ratio": 0.5, "epochs": 1, "score": "random"}, "pruned"),
        ({"do": "train", "widths_of": "pruned", "epochs": 1}, "pruned"),
    ],
)
def test_a_control_is_compared_with_the_last_model_of_its_net(control, other):
    steps = [
        {"do": "train", "as": "teacher", **NET},
        {"do": "train", "as": "thin", **NET, "net_options": {"width": 0.5}},
        {"do": "distill", "as": "student", **NET, "from": "teacher"},
        {"do": "prune", "as": "pruned", "of": "student", "ratio": 0.5, "epochs": 1},
        {"do": "quantize", "as": "int8", "of": "student"},
        {"do": "train", "as": "longer", "of": "student", "epochs": 1},
    ]
    recipe = check({"title": "x", "steps": steps, "controls": [{"as": "control", **control}]})
    assert compared_with(recipe.controls[0], True, recipe) == other
    assert compared_with(recipe.steps[2], False, recipe) == ""


def test_a_step_may_name_what_it_is_compared_with():
    steps = [{"do": "train", "as": "light", "against": "original", **NET}, {"do": "train", "as": "later", **NET}]
    controls = [{"do": "train", "as": "original", "against": "light", **NET}]
    recipe = check({"title": "x", "steps": steps, "controls": controls})
    assert compared_with(recipe.steps[0], False, recipe) == "original"
    assert compared_with(recipe.controls[0], True, recipe) == "light"
    for other, said in (("orginal", "did you mean 'original'"), ("light", "no other model 'light'")):
        with pytest.raises(FaceletError, match=said):
            check({"title": "x", "steps": [{**steps[0], "against": other}], "controls": controls[:1]})


def recipe_of(step, control, **others):
    """A tiny ``student`` and its control ``alone``."""
    steps, controls = (
        [{"do": "train", "as": name, **TINY, **fields}] for name, fields in (("student", step), ("alone", control))
    )
    return check({"title": "x", "faces": FACES, "steps": steps, "controls": controls, **others})


@pytest.fixture
def slower(monkeypatch):
    """``slower.pace = 4`` makes a step take four seconds, on a clock on which nothing else takes time."""

    class Machine:
        pace, now, stop, steps = 1.0, 0.0, 0, 0

    plain = Ema.update

    def update(self, step):
        plain(self, step)
        Machine.now += Machine.pace
        Machine.steps += 1
        if Machine.steps == Machine.stop:
            raise RuntimeError("the machine goes down")

    monkeypatch.setattr(stopwatch, "clock", lambda: Machine.now)
    monkeypatch.setattr(Ema, "update", update)
    return Machine


@pytest.mark.parametrize(
    ("control", "names", "less"),
    [
        ({"net": "resnet18"}, "student", ()),
        ({"net": "shufflenet-v2", "against": "int8"}, "student", ()),
        ({"net": "shufflenet-v2", "against": "pruned-int8"}, "student and pruned", ()),
        ({"widths_of": "pruned"}, "student and pruned", ()),
        ({"do": "prune", "of": "student", "ratio": 0.5, "score": "random"}, "pruned", ()),
        ({"of": "teacher", "against": "student"}, "student", ("teacher",)),
        ({"of": "student", "against": "student"}, None, ()),
        ({"of": "pruned", "against": "student"}, None, ()),
        ({"net": "resnet18", "against": "later"}, None, ()),
        ({"net": "resnet18", "against": "theirs"}, None, ()),
        ({"net": "resnet18", "minutes": None, "epochs": 1}, None, ()),
    ],
)
def test_whose_steps_a_control_takes(control, names, less):
    """Those since fresh weights that it does not share: a teacher's are of other weights, int8 has none of its own."""
    steps = [
        {"do": "train", "as": "teacher", "net": "shufflenet-v2", "minutes": 1},
        {"do": "distill", "as": "student", "net": "resnet18", "from": "teacher", "minutes": 1},
        {"do": "quantize", "as": "int8", "of": "student"},
        {"do": "prune", "as": "pruned", "of": "student", "ratio": 0.5, "minutes": 1},
        {"do": "quantize", "as": "pruned-int8", "of": "pruned"},
        {
            "do": "adopt",
            "as": "theirs",
            "file": "theirs.onnx",
            "size": 8,
            "channels": 1,
            "mean": [0],
            "std": [1],
            "labels": ["sad", "happy"],
        },
    ]
    asked = {"do": "train", "as": "control", "minutes": 1, **control}
    later = {"do": "train", "as": "later", "net": "resnet18", "minutes": 1}
    recipe = check({"title": "x", "steps": steps, "controls": [asked, later]})
    found = counted(recipe.controls[0], recipe)
    assert (found and found.names) == names
    assert tuple(step.name for step in found.less if found) == less if found else not less
    assert all(counted(step, recipe) is None for step in recipe.steps)


@pytest.mark.parametrize("leads", [True, False])
def test_all_processes_and_seeds_take_the_steps_that_the_folder_tells(tmp_path, leads):
    """A model of fewer seeds stands beside all of the control, so its steps do, too."""
    recipe = recipe_of({"minutes": 1, "seeds": 1}, {"minutes": 1}, seeds=3)
    work = RunContext(recipe, read_faces(recipe.faces), tmp_path, Hardware(device="cpu"), print, leads=leads)
    student, alone = recipe.steps[0], recipe.controls[0]
    place = work.place(student, 0)
    place.mkdir(parents=True)
    write_done(place, "student", 0, StepResult(spent={"steps": 32.0, "seconds": 60.0}))
    assert [work.job(alone, seed, {}).match for seed in range(3)] == 3 * [TrainingLength("student", 32)]
    assert work.job(student, 0, {}).match is None


@pytest.mark.slow
def test_a_control_on_a_machine_that_became_slow_has_as_many_steps(tmp_path, slower, monkeypatch):
    """Stopped within the control and resumed. Twice the student's minutes would be half its steps by the clock."""
    recipe = recipe_of({"minutes": 0.5}, {"minutes": 1})
    said: list[str] = []
    work = RunContext(recipe, read_faces(recipe.faces), tmp_path, Hardware(device="cpu"), said.append)
    student, alone = recipe.steps[0], recipe.controls[0]
    for one in (student, alone):
        work.place(one, 0).mkdir(parents=True)
    made = student.run(work.job(student, 0, {}))
    write_done(work.place(student, 0), "student", 0, made)
    steps = made.spent["steps"]
    assert steps == pytest.approx(30, abs=3)
    slower.pace, slower.stop = 4.0, slower.steps + 7
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "COST", 0.0)
    with pytest.raises(RuntimeError, match="goes down"):
        alone.run(work.job(alone, 0, {}))
    plan = json.loads((work.place(alone, 0) / "plan.json").read_text())["schedule"]
    assert (plan["total"], plan["marks"]) == (steps, [])
    control = alone.run(work.job(alone, 0, {}))
    assert control.spent["steps"] == steps
    assert f"  continues after step 6 of {steps}" in said
    assert f"  {steps} steps, {steps / 2:.2f} epochs: as many as student" in said
    assert control.notes == (f"trained for {steps} steps, as many as student",)


@pytest.mark.slow
def test_a_run_says_where_there_is_no_verdict(tmp_path, slower, monkeypatch):
    """``later`` has a quarter of the steps of ``student``; it is a step of its own right, so the clock set its length."""
    plain = RunContext.job

    def job(self, step, seed, models):
        slower.pace = 1.0 if step.name == "student" else 4.0
        return plain(self, step, seed, models)

    exported: list[Path] = []

    def export(net, target, *others, **more):
        if not exported:  # an export takes seconds, and whose answers are measured is all the same here
            export_checkpoint(net, target, *others, **more)
        else:
            target.write_bytes(exported[0].read_bytes())
        exported.append(target)

    monkeypatch.setattr(RunContext, "job", job)
    monkeypatch.setattr("facelet.recipes.runner.export_checkpoint", export)
    monkeypatch.setattr("facelet.recipes.finish.bench", lambda paths, faces: bench(paths, rounds=1, faces=faces))
    steps = (
        "{do: train, as: student, minutes: 0.5, TINY}",
        "{do: train, as: later, minutes: 0.5, against: student, TINY}",
    )
    tiny = "net: resnet18, net_options: {width: 0.0625, stem_stride: 1}, batch: 32, precision: fp32"
    path = tmp_path / "x.yaml"
    path.write_text(
        "title: x\nfaces: {source: toy, size: 16, channels: 1, faces: 160}\nsteps:\n"
        + "".join(f"  - {step}\n" for step in steps).replace("TINY", tiny)
        + f"controls:\n  - {{do: train, as: alone, minutes: 0.5, against: student, {tiny}}}\n"
    )
    folder = run(str(path), out=tmp_path / "run", console=Console(quiet=True))
    rows = {row["name"]: row for row in json.loads((folder / "ledger.json").read_text())}
    many, few = rows["student"]["steps"], rows["later"]["steps"]
    assert rows["alone"]["steps"] == many > 3 * few
    words = f"no verdict: {few} training steps against the {many} of student, with a length set by minutes"
    assert words in rows["later"]["verdict"]
    assert "no verdict" not in rows["alone"]["verdict"]
    for name in ("ledger.md", "report.html"):
        assert words in (folder / name).read_text()
