"""The step ``train``: it learns, keeps what it promises, resumes exactly, and says what is wrong."""

from __future__ import annotations

import csv
import itertools
import json
import signal
import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facelet import nets
from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.device import precision
from facelet.learn.engine import checkpoint, stopwatch
from facelet.learn.engine.ema import Ema
from facelet.step import StepResult


def curves(folder):
    with (folder / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{key: float(value) for key, value in row.items() if key != "seconds"} for row in rows]


def same_weights(one, other):
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_it_learns_and_leaves_what_it_promises(step, job):
    faces = load("toy?faces=500&noise=0.2", size=24)
    work = job(faces=faces)
    made = step(epochs=12, lr=0.01, augment=0.3).run(work)
    rows = curves(work.folder)
    assert sorted(path.name for path in work.folder.iterdir()) == [
        "curves.csv",
        "net.safetensors",
        "plan.json",
        "result.json",
    ]
    assert list(rows[0]) == ["epoch", "step", "lr", "train_loss", "val_loss", "val_accuracy"]
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] - 0.5
    assert made.spent["steps"] == rows[-1]["step"] == 12 * (int((faces.splits == 0).sum()) // 32)
    net, spec = nets.load(made.net)
    assert spec.mean == pytest.approx(((faces.split("train").images / 255).mean(),), abs=1e-4)
    val = faces.split("val")
    pixels = torch.from_numpy(val.images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        right = (net((pixels - spec.mean[0]) / spec.std[0]).argmax(1).numpy() == val.labels).mean()
    assert right == pytest.approx(rows[-1]["val_accuracy"], abs=1e-5)
    majority = np.bincount(val.labels).max() / len(val)
    assert right > majority + 0.2


def test_a_finished_training_is_not_repeated(step, job, monkeypatch):
    work = job()
    first = step(epochs=1).run(work)
    monkeypatch.setattr("facelet.learn.engine.fit.train", lambda *_: pytest.fail("it trains again"))
    assert step(epochs=1).run(work) == first


def test_the_same_seed_gives_the_same_weights_and_another_does_not(step, job):
    one, two = job("one"), job("two")
    torch.manual_seed(1)
    state = torch.get_rng_state()
    step(epochs=1).run(one)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    step(epochs=1).run(two)
    assert same_weights(one.folder / "net.safetensors", two.folder / "net.safetensors")
    step(epochs=1).run(job("three", seed=1))
    assert not same_weights(one.folder / "net.safetensors", job("three").folder / "net.safetensors")


TRAINS = """
import sys
from pathlib import Path
import facelet.learn, facelet.learn.engine.checkpoint as checkpoint
from facelet.faces import load
from facelet.step import STEPS, StepContext
checkpoint.SECONDS = checkpoint.COST = 0.0
step = STEPS["train"].model_validate_json(sys.argv[1])
step.run(StepContext("net", Path(sys.argv[2]), load("toy?faces=160", size=16), {}, device="cpu"))
"""


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(step, job, killed):
    lesson = step(epochs=12, net_options={"width": 0.0625, "stem_stride": 1, "dropout": 0.3})
    broken, unbroken = job("broken"), job("unbroken")
    killed(TRAINS, [lesson.model_dump_json(by_alias=True), broken.folder], broken.folder / "state.pt", write=9)
    assert not (broken.folder / "net.safetensors").exists()
    said: list[str] = []
    broken.say = said.append
    lesson.run(broken)
    assert any("continues after step 9 of 24" in line for line in said)
    lesson.run(unbroken)
    assert same_weights(broken.folder / "net.safetensors", unbroken.folder / "net.safetensors")
    assert curves(broken.folder) == curves(unbroken.folder)


@pytest.fixture
def machine(monkeypatch):
    """``machine(pace)``: a clock on which a step takes ``pace(step, now)`` seconds and all else nothing."""
    plain = Ema.update

    def make(pace):
        now = [0.0]
        monkeypatch.setattr(stopwatch, "clock", lambda: now[0])

        def update(self, step):
            plain(self, step)
            now[0] += pace(step, now[0])

        monkeypatch.setattr(Ema, "update", update)

    return make


@pytest.mark.slow
@pytest.mark.parametrize("stop", [1, 5, 6, 11])
def test_stopped_within_an_epoch_and_resumed(step, job, monkeypatch, machine, stop):
    """In one process: Ctrl-C after any step, before and after the minutes' schedule was laid, and what is said then."""
    machine(lambda step, now: 1.0)
    lesson = step(minutes=0.25)
    whole, parts = job("whole"), job("parts")
    lesson.run(whole)
    with monkeypatch.context() as here:
        interrupt_after(here, stop)
        kept = "its last checkpoint" if stop > 5 else "the start of this training"
        with pytest.raises(FaceletError, match=f"stopped after step {stop}.*resume RUN` continues from {kept}"):
            lesson.run(parts)
    lesson.run(parts)
    assert same_weights(whole.folder / "net.safetensors", parts.folder / "net.safetensors")
    assert curves(whole.folder) == curves(parts.folder)
    assert len(json.loads((parts.folder / "plan.json").read_text())["schedule"]["marks"]) == 1


@pytest.mark.slow
def test_killed_behind_a_mark_it_ends_with_the_numbers_of_an_unbroken_one(step, job, monkeypatch, machine):
    """The schedule was laid anew after the last checkpoint. An unbroken training with the same plan ends with the same weights."""
    machine(lambda step, now: 0.5 if step < 45 else 0.1)
    lesson, broken, unbroken = step(minutes=0.6), job("broken"), job("unbroken")
    steps = itertools.count(1)
    with monkeypatch.context() as here:
        here.setattr(checkpoint.Checkpoints, "due", property(lambda self: next(steps) == 40))
        advance = Ema.update

        def update(self, step):
            if step == 61:
                raise RuntimeError("the machine goes down")
            advance(self, step)

        here.setattr(Ema, "update", update)
        with pytest.raises(RuntimeError, match="goes down"):
            lesson.run(broken)
    assert torch.load(broken.folder / "state.pt", weights_only=True)["done"] == 40
    before = json.loads((broken.folder / "plan.json").read_text())["schedule"]["marks"]
    assert 45 < before[-1]["step"] <= 60
    lesson.run(broken)
    after = json.loads((broken.folder / "plan.json").read_text())["schedule"]["marks"]
    assert after[: len(before)] == before
    (unbroken.folder / "plan.json").write_bytes((broken.folder / "plan.json").read_bytes())
    monkeypatch.setattr("facelet.learn.engine.time_budget.TimeBudget.due", lambda *_: False)
    lesson.run(unbroken)
    assert same_weights(broken.folder / "net.safetensors", unbroken.folder / "net.safetensors")
    assert curves(broken.folder) == curves(unbroken.folder)


def interrupt_after(monkeypatch, stop):
    plain = Ema.update

    def update(self, step):
        plain(self, step)
        if step == stop:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Ema, "update", update)


def test_a_machine_without_bf16_trains_in_fp32_and_says_so(step, job, monkeypatch):
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    monkeypatch.setattr(precision, "cpu_name", lambda: "avx2")
    said: list[str] = []
    asked, plain = job("asked", say=said.append), job("plain")
    step(epochs=1, precision="bf16").run(asked)
    assert said[0] == "  bf16 is not native on this CPU (avx2); training in fp32"
    step(epochs=1, precision="fp32").run(plain)
    assert same_weights(asked.folder / "net.safetensors", plain.folder / "net.safetensors")
    said.clear()
    step(epochs=1, precision="auto").run(job("run", say=said.append, precision="bf16"))
    assert said[0] == "  bf16 is not native on this CPU (avx2); training in fp32"


def test_resumed_on_a_machine_without_bf16_it_goes_on_in_fp32_and_says_so(step, job, monkeypatch):
    """And the other way round it stays in what it was begun in."""
    lesson, said = step(epochs=4, precision="bf16"), []
    monkeypatch.setattr(precision, "cpu_name", lambda: "avx2")
    for name, before, after in (("newer", True, False), ("older", False, True)):
        work = job(name, say=said.append)
        with monkeypatch.context() as here:
            here.setattr(precision, "has_bf16", lambda device, found=before: found)
            interrupt_after(here, 5)
            with pytest.raises(FaceletError, match="stopped after step 5"):
                lesson.run(work)
        said.clear()
        with monkeypatch.context() as here:
            here.setattr(precision, "has_bf16", lambda device, found=after: found)
            made = lesson.run(work)
        assert made.spent["steps"] == 8
        assert not json.loads((work.folder / "plan.json").read_text())["precision"]["bf16"]
        words = "this training was begun in bf16, which is not native on this CPU (avx2); it continues in fp32, and its figures"
        assert any(words in line for line in said) == before
        assert any("continues after step 5" in line for line in said)


def test_signals_are_given_back(step, job, monkeypatch):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    interrupt_after(monkeypatch, 2)
    with pytest.raises(FaceletError, match="stopped after step 2"):
        step(epochs=2).run(job())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_it_trains_outside_the_main_thread(step, job):
    found: list[StepResult] = []
    thread = threading.Thread(target=lambda: found.append(step(epochs=1).run(job())))
    thread.start()
    thread.join()
    assert found[0].net.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "minutes"), [(0.1, 0.5), (10, 2)])
def test_minutes_end_on_time(step, job, machine, factor, minutes):
    """Also when the machine becomes ten times as fast, or as slow, midway."""
    machine(lambda step, now: 0.3 if now < 30 * minutes else 0.3 * factor)
    said: list[str] = []
    work = job(say=said.append)
    lesson = step(minutes=minutes)
    assert lesson.plan(work.faces, {}).seconds == pytest.approx(60 * minutes)
    made = lesson.run(work)
    assert made.spent["seconds"] == pytest.approx(60 * minutes, rel=0.1)
    schedule = json.loads((work.folder / "plan.json").read_text())["schedule"]
    assert schedule["total"] == made.spent["steps"] == schedule["marks"][-1]["total"]
    assert len([line for line in said if line.startswith("  the pace changed from 300 to")]) == 1
    rates = [row["lr"] for row in curves(work.folder)]
    assert rates[-1] < 0.1 * max(rates)


def test_a_training_that_sees_not_every_face_says_so(step, job, machine, faces):
    machine(lambda step, now: 3.0)
    said: list[str] = []
    made = step(minutes=0.5, batch=4).run(job(say=said.append))
    words = f"{made.spent['epochs']:.2f} epochs here, so not every face is seen"
    assert any(line == f"  warning: 30 s are {words}" for line in said)
    assert made.notes == (
        f"trained for {made.spent['epochs']:.2f} of an epoch in 0.5 minutes: not every face was seen",
    )
    assert step(minutes=0.5).run(job("whole")).notes == ()


@pytest.mark.parametrize("clip", [0, 5])
def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(step, job, monkeypatch, clip):
    from facelet.learn.tasks.task import ClassificationTask

    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    plain, calls = ClassificationTask.forward, []

    def forward(self, net, batch):
        losses = plain(self, net, batch)
        calls.append(1)
        return {"ce": losses["ce"] * (float("nan") if len(calls) == 6 else 1)}

    monkeypatch.setattr(ClassificationTask, "forward", forward)
    work = job()
    with pytest.raises(
        FaceletError, match=r"nan at step 6 \(epoch 2\.50\); the last checkpoint is kept.*lower lr.*new --out"
    ):
        step(epochs=4, clip=clip).run(work)
    kept = torch.load(work.folder / "state.pt", weights_only=True)
    assert 1 <= kept["done"] <= 5
    assert all(value.isfinite().all() for value in kept["net"].values())


def test_a_gradient_that_is_not_finite_stops_without_a_limit_too(step, job, monkeypatch):
    from facelet.learn.tasks.task import ClassificationTask

    plain = ClassificationTask.forward
    monkeypatch.setattr(ClassificationTask, "forward", lambda *given: {"ce": Steep.apply(plain(*given)["ce"])})
    with pytest.raises(FaceletError, match="gradient is nan at step 1 "):
        step(epochs=1, clip=0).run(job())


class Steep(torch.autograd.Function):
    """A finite loss whose gradient is not."""

    @staticmethod
    def forward(context, loss):
        return loss.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * float("inf")


def test_being_out_of_memory_is_told(step, job, monkeypatch):
    from facelet.learn.tasks.task import ClassificationTask

    def forward(self, net, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ClassificationTask, "forward", forward)
    with pytest.raises(FaceletError, match="net: out of memory with a batch of 32; try half"):
        step(epochs=1).run(job())


def test_other_pixels_under_the_same_names_are_another_training(step, job, faces):
    step(epochs=1).run(job())
    redrawn = faces.take(np.arange(len(faces)))
    redrawn.images = redrawn.images ^ 1
    with pytest.raises(FaceletError, match="other settings, faces or seed"):
        step(epochs=1).run(job(faces=redrawn))


@pytest.mark.parametrize("targets", ["labels", "votes"])
@pytest.mark.parametrize("balance", ["none", "class-weights", "sampler", "balanced-softmax"])
def test_targets_and_balance_train(step, job, targets, balance):
    made = step(epochs=1, targets=targets, balance=balance, label_smoothing=0.1, optimizer="sgd").run(job())
    assert made.spent["epochs"] == 1


def test_fine_tuning_starts_from_an_earlier_model(step, job, faces):
    first = step(epochs=1).run(job("first"))
    work = job("second", models={"first": first})
    tuned = step(of="first", epochs=1, lr=1e-9, weight_decay=0, ema=0)
    assert tuned.needs() == ["first"]
    tuned.run(work)
    before, after = load_file(first.net), load_file(work.folder / "net.safetensors")
    assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in before if key.endswith("weight"))


def test_another_number_of_classes_gets_a_fresh_classifier(step, job, faces):
    first = step(epochs=1).run(job("first"))
    fewer = faces.take(np.flatnonzero(faces.labels < 4))
    fewer.classes, fewer.votes = faces.classes[:4], None
    said: list[str] = []
    work = job("second", faces=fewer, models={"first": first}, say=said.append)
    made = step(of="first", epochs=1).run(work)
    assert nets.load(made.net)[1].classes == 4
    assert any("fresh classifier" in line for line in said)


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_a_start(step, job, faces, tmp_path):
    """Of a net that embeds, too: all that is left fresh is the classifier."""
    before = nets.resolve("mobilefacenet", classes=0, size=16, width=0.125, embedding=64)
    net = before.build()
    nets.save(net, before, tmp_path / "people.safetensors")
    lesson = step(epochs=1, net=None, net_options={}, checkpoint=tmp_path / "people.safetensors", lr=1e-9, ema=0)
    assert "mobilefacenet from" in lesson.plan(faces, {}).text
    said: list[str] = []
    made = lesson.run(job(say=said.append))
    after, spec = nets.load(made.net)
    assert spec.classes == len(faces.classes)
    assert any("fresh classifier" in line for line in said)
    assert any(note.startswith("weights start from people.safetensors (") for note in made.notes)  # without its folder
    kept = dict(net.named_parameters())
    same = [torch.allclose(value, kept[name], atol=1e-5) for name, value in after.named_parameters() if name in kept]
    assert all(same)
    assert len(same) == len(kept)
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FaceletError, match="checkpoint"):
            step(epochs=1, net=None, net_options={}, checkpoint=path).plan(faces, {})


def test_a_checkpoint_may_be_moved_but_not_changed(step, job, tmp_path, monkeypatch):
    start = {"epochs": 1, "net": None, "net_options": {}}
    first = step(epochs=1).run(job("before")).net
    work, moved = job(), tmp_path / "moved.safetensors"
    made = step(checkpoint=first, **start).run(work)
    moved.write_bytes(first.read_bytes())
    other = step(epochs=1, lr=0.1).run(job("other")).net
    with pytest.raises(FaceletError, match="other settings"):
        step(checkpoint=other, **start).run(work)
    monkeypatch.setattr("facelet.learn.engine.fit.train", lambda *_: pytest.fail("it trains again"))
    assert step(checkpoint=moved, **start).run(work).net == made.net


def test_a_net_may_see_larger_faces_than_there_are(step, job, faces):
    lesson = step(epochs=1, size=faces.size + 8)
    made = lesson.run(job())
    assert nets.load(made.net)[1].size == faces.size + 8
    assert nets.load(step(epochs=1).run(job("as_they_are")).net)[1].size == faces.size
    tuned = step(epochs=1, of="net", size=faces.size - 4)
    assert nets.load(tuned.run(job("tuned", models={"net": made})).net)[1].size == faces.size - 4


def test_a_folder_of_another_training_is_refused(step, job):
    work = job()
    step(epochs=1).run(work)
    with pytest.raises(FaceletError, match="other settings"):
        step(epochs=2).run(work)


def test_a_damaged_state_is_named(step, job, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    interrupt_after(monkeypatch, 2)
    work = job()
    with pytest.raises(FaceletError, match="stopped"):
        step(epochs=4).run(work)
    state = work.folder / "state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(FaceletError, match=r"state\.pt is damaged"):
        step(epochs=4).run(work)


def test_a_full_disk_is_a_clear_error(step, job, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)

    def full(state, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(FaceletError, match="disk is full"):
        step(epochs=1).run(job())


def test_tensorboard_writes_events(step, job):
    work = job()
    step(epochs=1, tensorboard=True).run(work)
    assert list((work.folder / "tensorboard").glob("events*"))


@pytest.mark.slow
def test_a_shape_is_trained_from_fresh_weights(step, job, tmp_path):
    """The control of pruning: the widths of an earlier model, none of its weights; it learns as any net does."""
    faces = load("toy?faces=500&noise=0.2", size=24)
    spec = nets.resolve("resnet18", classes=len(faces.classes), size=24, width=0.125)
    net = spec.build()
    for conv, norm in ((block.conv1, block.bn1) for block in net.layer4):
        conv.out_channels = norm.num_features = 24
        conv.weight = torch.nn.Parameter(conv.weight[:24].detach())
        for name in ("weight", "bias"):
            setattr(norm, name, torch.nn.Parameter(getattr(norm, name)[:24].detach()))
        norm.running_mean, norm.running_var = norm.running_mean[:24], norm.running_var[:24]
    for block in net.layer4:
        block.conv2.in_channels = 24
        block.conv2.weight = torch.nn.Parameter(block.conv2.weight[:, :24].detach())
    nets.save(net, spec, tmp_path / "cut.safetensors")
    lesson = step(epochs=12, lr=0.01, augment=0.3, net=None, net_options={}, widths_of="cut")
    specs = {"cut": nets.load(tmp_path / "cut.safetensors")[1]}
    plan = lesson.plan(faces, specs)
    assert plan.text.startswith("resnet18 with the widths of cut, fresh weights, 12 epochs of ")
    assert lesson.needs() == ["cut"]
    work = job(faces=faces, models={"cut": StepResult(net=tmp_path / "cut.safetensors")})
    made = lesson.run(work)
    assert made.notes == ("fresh weights, widths of cut",)
    found, own = nets.load(made.net)
    assert own.widths == specs["cut"].widths
    assert plan.params == sum(weight.numel() for weight in found.parameters())
    assert (
        curves(work.folder)[-1]["val_accuracy"]
        > np.bincount(faces.labelled("val").labels).max() / len(faces.labelled("val")) + 0.2
    )
