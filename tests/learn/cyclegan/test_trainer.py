"""The training of a translation: it resumes exactly, undoes a divergence, keeps to its time, and stops when asked."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from facelet.errors import FaceletError
from facelet.learn.cyclegan import trainer
from facelet.learn.cyclegan.model import CycleGan, CycleGanOptions
from facelet.learn.cyclegan.trainer import CycleGanConfig, CycleGanTraining, translate
from facelet.learn.cyclegan.unpaired_batches import Pairs
from facelet.learn.device.precision import Precision
from facelet.learn.engine import checkpoint, stopwatch
from facelet.learn.engine.checkpoint import TrainingFolder

CPU = torch.device("cpu")


@pytest.fixture
def always(monkeypatch):
    """A checkpoint after every step."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "COST", 0.0)


@pytest.fixture
def plan(faces):
    train = faces.labelled("train")

    def make(job, steps=12, **more):
        torch.manual_seed(0)
        return CycleGanConfig(
            name="made, sadness",
            translation=CycleGan(1, CycleGanOptions(width=4, blocks=1, layers=1, pool=6)),
            pairs=Pairs(train.images[train.labels == 0], train.images[train.labels == 1], 4, 1),
            **{"steps": steps, "seconds": None, "precision": Precision(False, True), "seed": 1, **more},
            folder=TrainingFolder(job.folder, "it"),
        )

    return make


def weights(job):
    return load_file(job.folder / "net.safetensors")


@pytest.mark.slow
def test_broken_off_and_resumed_it_ends_with_the_same_weights(plan, job, always, monkeypatch):
    whole, broken = job("whole"), job("broken")
    assert translate(plan(whole), whole, CPU)["steps"] == 12
    real = CycleGanTraining.step

    def torn(self, done, schedule):
        if done == 7:
            raise RuntimeError("the machine goes down")
        return real(self, done, schedule)

    monkeypatch.setattr(CycleGanTraining, "step", torn)
    with pytest.raises(RuntimeError, match="goes down"):
        translate(plan(broken), broken, CPU)
    monkeypatch.setattr(CycleGanTraining, "step", real)
    said: list[str] = []
    broken.say = said.append
    translate(plan(broken), broken, CPU)
    assert said == ["  made, sadness: continues after step 7 of 12"]
    first, second = weights(whole), weights(broken)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert sorted(path.name for path in broken.folder.iterdir()) == ["net.safetensors", "plan.json", "result.json"]
    monkeypatch.setattr(trainer, "make_fabric", lambda *_, **__: pytest.fail("it trains again"))
    assert translate(plan(broken), broken, CPU)["steps"] == 12


def spoil(monkeypatch, spoilt):
    """Losses of the steps for which ``spoilt(step, setbacks)`` are no numbers."""
    real = CycleGanTraining.step

    def step(self, done, schedule):
        bad = spoilt(done, self.divergence.setbacks)
        loss, norm = real(self, done, schedule)
        if bad:
            loss = torch.tensor(float("nan"))
            with torch.no_grad():
                next(self.config.translation.parameters()).fill_(float("nan"))
        return loss, norm

    monkeypatch.setattr(CycleGanTraining, "step", step)


def test_a_divergence_is_undone(plan, job, always, monkeypatch):
    monkeypatch.setattr(trainer, "KEEP", 4)
    spoil(monkeypatch, lambda step, setbacks: step == 5 and setbacks == 0)
    said: list[str] = []
    work = job(say=said.append)
    result = translate(plan(work), work, CPU)
    assert (result["steps"], result["setbacks"]) == (12, 1)
    assert "is nan at step 6" in said[0]
    assert "restored step 4, learning rate halved (1 of 3)" in said[0]
    assert all(torch.isfinite(weight).all() for weight in weights(work).values())


def test_one_that_always_diverges_is_given_up(plan, job, always, monkeypatch):
    monkeypatch.setattr(trainer, "KEEP", 1)
    spoil(monkeypatch, lambda step, setbacks: step == 2)
    work = job()
    with pytest.raises(
        FaceletError, match=r"made, sadness: diverged 4 times .*good state is kept.*lower lr than 0.0002"
    ):
        translate(plan(work), work, CPU)
    assert (work.folder / "state.pt").exists()
    assert not (work.folder / "net.safetensors").exists()


@pytest.mark.slow
def test_where_a_divergence_goes_back_to_is_no_matter_of_the_clock(plan, job, monkeypatch):
    """A checkpoint after every step, or none: the same state is restored, and the same weights come out."""
    monkeypatch.setattr(trainer, "KEEP", 3)
    spoil(monkeypatch, lambda step, setbacks: step == 8 and setbacks == 0)
    slow, quick = job("slow"), job("quick")
    translate(plan(slow), slow, CPU)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "COST", 0.0)
    translate(plan(quick), quick, CPU)
    first, second = weights(slow), weights(quick)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def machine(monkeypatch):
    """``machine(pace)``: a clock on which a step takes ``pace(now)`` seconds and all else nothing."""
    real = CycleGanTraining.step

    def make(pace):
        now = [0.0]
        monkeypatch.setattr(stopwatch, "clock", lambda: now[0])

        def step(self, done, schedule):
            losses = real(self, done, schedule)
            now[0] += pace(now[0])
            return losses

        monkeypatch.setattr(CycleGanTraining, "step", step)

    return make


@pytest.mark.slow
def test_a_broken_probe_begins_anew(plan, job, machine, monkeypatch):
    machine(lambda now: 1.0)
    spoil(monkeypatch, lambda step, setbacks: step == 1 and setbacks == 0)
    said: list[str] = []
    work = job(say=said.append)
    result = translate(plan(work, steps=None, seconds=40.0), work, CPU)
    assert any("restored step 0" in line for line in said)
    assert all(torch.isfinite(weight).all() for weight in weights(work).values())
    assert (result["steps"], result["seconds"]) == (38, 40.0), "the two steps that were undone took time"


def test_asked_to_stop_at_its_end_it_keeps_what_it_has(plan, job, monkeypatch):
    real = CycleGanTraining.finish

    def end(self, spent):
        real(self, spent)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(CycleGanTraining, "finish", end)
    work = job()
    with pytest.raises(FaceletError, match="stopped at its end"):
        translate(plan(work), work, CPU)
    assert translate(plan(work), work, CPU)["steps"] == 12


def test_without_any_checkpoint_it_goes_back_to_the_start(plan, job, monkeypatch):
    spoil(monkeypatch, lambda step, setbacks: step == 3 and setbacks == 0)
    said: list[str] = []
    work = job(say=said.append)
    translate(plan(work), work, CPU)
    assert "restored step 0" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.1, 10])
def test_minutes_are_kept_to(plan, job, machine, factor):
    """Also when the machine becomes ten times as fast, or as slow, midway."""
    machine(lambda now: 0.3 if now < 15 else 0.3 * factor)
    said: list[str] = []
    work = job(say=said.append)
    result = translate(plan(work, steps=None, seconds=30.0), work, CPU)
    assert result["seconds"] == pytest.approx(30, rel=0.1)
    kept = json.loads((work.folder / "plan.json").read_text())["schedule"]
    assert kept["total"] == result["steps"] == kept["marks"][-1]["total"] != kept["marks"][0]["total"]
    assert said[0].startswith("  made, sadness: 300 ms a step: 9")
    assert any("made, sadness: the pace changed from 300 to" in line for line in said)


@pytest.mark.slow
def test_a_divergence_costs_its_time(plan, job, machine, monkeypatch):
    """Marks behind the state that is restored are undone with their steps, and what is left of the time is laid out anew."""
    machine(lambda now: 0.3 if now < 15 else 0.06)
    monkeypatch.setattr(trainer, "KEEP", 20)
    spoil(monkeypatch, lambda step, setbacks: step == 80 and setbacks == 0)
    work = job()
    result = translate(plan(work, steps=None, seconds=30.0), work, CPU)
    assert result["setbacks"] == 1
    assert result["seconds"] == pytest.approx(30, rel=0.1)
    marks = [mark["step"] for mark in json.loads((work.folder / "plan.json").read_text())["schedule"]["marks"]]
    assert marks == sorted(set(marks))


def test_it_stops_when_it_is_asked(plan, job, monkeypatch):
    real = CycleGanTraining.step

    def step(self, done, schedule):
        losses = real(self, done, schedule)
        if done == 3:
            signal.raise_signal(signal.SIGTERM)
        return losses

    monkeypatch.setattr(CycleGanTraining, "step", step)
    work = job()
    with pytest.raises(
        FaceletError, match=r"stopped after step 4 of 12; `facelet run --resume RUN` continues from its last checkpoint"
    ):
        translate(plan(work), work, CPU)
    assert int(torch.load(work.folder / "state.pt", weights_only=True)["done"]) == 4


def test_the_learning_rate_is_held_and_then_falls(plan, job):
    work = job()
    training = CycleGanTraining(plan(work))
    training.divergence = trainer.Divergence(CPU)
    schedule = trainer.Schedule(100, 10, 50)
    rates = [training.rate(done, schedule) for done in (0, 49, 50, 75, 99)]
    np.testing.assert_allclose(rates, [1, 1, 1, 0.5, 0.02])


def test_being_out_of_memory_is_told(plan, job, monkeypatch):
    def step(self, done, schedule):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(CycleGanTraining, "step", step)
    work = job()
    with pytest.raises(FaceletError, match="made, sadness: out of memory with a batch of 4; try half"):
        translate(plan(work), work, CPU)
