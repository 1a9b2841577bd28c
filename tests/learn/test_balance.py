"""The step ``balance``: who gets how many faces, what is let in, where they come from, and what is refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.faces.inspect.leaks import likeness
from facelet.faces.sources.pack import pack
from facelet.learn import balance as room
from facelet.learn.cyclegan import quality, trainer
from facelet.learn.teachers import predictions
from facelet.models import model_file
from facelet.shrink.export import export_checkpoint
from facelet.step import STEPS, StepResult

SMALL = {"teacher": "plain", "steps": 2, "batch": 4, "width": 4, "blocks": 1, "layers": 1}


def balance(**fields):
    return STEPS["balance"].model_validate({"do": "balance", "as": "made", **SMALL, **fields})


@pytest.fixture(scope="module")
def faces():
    return load("toy?faces=1000&noise=0", size=24)


@pytest.fixture(scope="module")
def models(faces, tmp_path_factory):
    """A teacher and a judge that know a little."""
    from facelet.learn import train as supervised
    from facelet.step import StepContext

    made = {}
    for seed, name in enumerate(("plain", "judge")):
        folder = tmp_path_factory.mktemp(name)
        step = supervised.Train.model_validate(
            {"do": "train", "as": name, "net": "resnet18", "net_options": {"width": 0.0625, "stem_stride": 1}}
            | {"batch": 32, "precision": "fp32", "epochs": 8, "lr": 0.01, "augment": 0.3}
        )
        net = step.run(StepContext(name, folder, faces, {}, seed=seed, device="cpu", say=lambda line: None)).net
        export_checkpoint(net, folder / "model.onnx", faces)
        made[name] = StepResult(onnx=folder / "model.onnx", net=net)
    return made


@pytest.fixture
def work(job, faces, models):
    return job("made", faces=faces, models=models)


def counts(faces):
    train = faces.labelled("train")
    return np.bincount(train.labels, minlength=len(faces.classes))


def test_its_faces_say_where_they_come_from(work, faces, monkeypatch):
    """A generator that draws the class: a real face of it stands for every source."""
    train = faces.labelled("train")
    target = next(iter(balance().wanted(train)[1]))
    real = train.images[train.labels == target.label]
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: real[np.arange(len(some)) % len(real)])
    made = balance(classes=[target.name], judge="judge", accept=0.2).run(work)
    found, row = pack(str(made.faces)), json.loads((work.folder / "quality.json").read_text())[0]
    assert found.synthetic.all()
    assert (found.labels == target.label).all()
    assert not found.splits.any()
    assert 0 < len(found) == row["kept"] <= target.more
    sources = [name.removeprefix(f"synthetic/{target.name}/") for name in found.names.tolist()]
    assert set(sources) <= set(train.names[train.labels == counts(faces).argmax()])
    assert len(set(sources)) == len(sources)
    assert (found.source, found.rule) == (
        "synthetic",
        f"CycleGAN, {faces.classes[counts(faces).argmax()]} to each other class",
    )
    assert found.licence == faces.licence
    assert row["tried"] >= row["kept"]
    assert row["near"] == 1.0, "copies of training faces are found out"
    assert row["distance"] < row["from_source"], "they are among the faces of their class"
    assert row["recognised"] > row["recognised_real"] - 0.3
    assert (work.folder / row["picture"]).exists()
    assert made.notes[0].startswith(f"{len(found)} faces made from")
    assert made.onnx is made.net is None
    assert balance(classes=[target.name], judge="judge", accept=0.2).check_kept(work)
    with pytest.raises(FaceletError, match="other settings"):
        balance(classes=[target.name], judge="judge", accept=0.2, batch=5).check_kept(work)


@pytest.mark.slow
def test_translated_faces_are_taken_for_the_class_they_should_be(work, faces):
    """A small CycleGAN after 200 steps: more than a third passes the teacher, and a judge that had no part in it agrees."""
    whole = {"steps": 200, "width": 8, "blocks": 2, "layers": 2, "batch": 8, "lr": 0.001}
    made = balance(classes=["happiness"], judge="judge", to=300, accept=0.3, **whole).run(work)
    row = json.loads((work.folder / "quality.json").read_text())[0]
    assert row["tried"] == counts(faces).max()
    assert len(pack(str(made.faces))) == row["kept"] > 0.33 * row["tried"]
    assert row["recognised"] > 0.4
    assert row["distance"] < 0.7 * row["from_source"]
    assert made.spent["steps"] == 200


def test_only_what_the_teacher_takes_for_the_class_gets_in(work, faces, models, monkeypatch):
    train = faces.labelled("train")
    target = next(iter(balance().wanted(train)[1]))
    from facelet.runtime.model import Model

    everything = np.asarray(train.images)
    teacher = Model.load(models["plain"].onnx)
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: everything[: len(some)])
    made = balance(classes=[target.name], accept=0.4, limit=1000).run(work)
    shares = teacher.probabilities(pack(str(made.faces)).images)
    assert (shares.argmax(1) == target.label).all()
    assert (shares.max(1) >= 0.4).all()
    tried = everything[: (train.labels == counts(faces).argmax()).sum()]
    known = teacher.probabilities(tried)
    wanted = ((known.argmax(1) == target.label) & (known.max(1) >= 0.4)).sum()
    assert len(pack(str(made.faces))) == min(wanted, target.more)


@pytest.mark.slow
@pytest.mark.parametrize(("own", "expected"), [("fp32", "fp32"), ("auto", "bf16")])
def test_the_judge_runs_in_the_precision_of_the_step(work, faces, monkeypatch, own, expected):
    """And in the run's where the step says nothing."""
    wishes: list[str] = []

    def answer(*given, wish, **more):
        wishes.append(wish)
        return predictions.answer(*given, wish=wish, **more)

    monkeypatch.setattr(quality, "answer", answer)
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: np.asarray(some))
    work.precision = "bf16"
    with contextlib.suppress(FaceletError):  # faces as they were may be nobody's idea of another class
        balance(judge="judge", classes=[balance().wanted(faces.labelled("train"))[1][0].name], precision=own).run(work)
    assert set(wishes) == {expected}


@pytest.mark.slow
def test_when_none_gets_in_it_says_so(work, faces, monkeypatch):
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: np.zeros_like(some))
    with pytest.raises(
        FaceletError, match="plain predicts the target class of none of the synthetic faces; train longer"
    ):
        balance(accept=1.0).run(work)


@pytest.mark.slow
def test_killed_between_classes_it_goes_on_at_the_class(work, monkeypatch, faces):
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: np.asarray(some))
    real, trained = trainer.translate, []

    def torn(plan, job, device):
        if len(trained) == 2:
            raise RuntimeError("the machine goes down")
        trained.append(plan.name)
        return real(plan, job, device)

    monkeypatch.setattr(trainer, "translate", torn)
    with pytest.raises(RuntimeError):
        balance(accept=0.0).run(work)
    fits: list[str] = []
    monkeypatch.setattr(trainer, "translate", real)
    monkeypatch.setattr(trainer, "CycleGanTraining", _counting(trainer.CycleGanTraining, fits))
    with contextlib.suppress(FaceletError):  # faces as they were may be nobody's idea of another class
        balance(accept=0.0).run(work)
    assert len(fits) == len(balance().wanted(faces.labelled("train"))[1]) - 2
    assert not set(fits) & set(trained)


def _counting(real, fits):
    def make(plan, *more):
        fits.append(plan.name)
        return real(plan, *more)

    return make


@pytest.mark.slow
def test_a_training_takes_them_too(work, faces, step, job, monkeypatch):
    train = faces.labelled("train")
    target = balance().wanted(train)[1][0]
    real = train.images[train.labels == target.label]
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: real[np.arange(len(some)) % len(real)])
    made = balance(classes=[target.name], accept=0.2).run(work)
    lesson = step(epochs=1, synthetic="made")
    other = job(faces=faces, models={"made": made})
    both = lesson.all_faces(other)
    assert len(both) > len(train)
    assert len(both) == len(train) + len(pack(str(made.faces)))
    assert lesson.needs() == []
    assert lesson.needs_faces() == ["made"]
    result = lesson.run(other)
    assert result.spent["steps"] == len(train) // 32, "an epoch is as long as without them"
    assert result.notes == ("also trained on the synthetic faces of made",)
    assert likeness(both.images[-1:], real)[0] > 0.999
    assert lesson.plan(faces, {}).text.endswith("faces, real and from made")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"minutes": 1.0}, "either steps"),
        ({"judge": "plain"}, "another model than the teacher"),
        ({"to": 0}, "to should be at least 1"),
        ({"to": True}, "valid integer"),
        ({"cycle": 0}, "greater than 0"),
        ({"accept": 1.5}, "less than or equal to 1"),
        ({"to": "most"}, "largest"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        balance(**fields)


def test_what_cannot_be_learned_is_refused_before_anything_is_spent(faces):
    have = counts(faces)
    rare = faces.classes[have.argmin()]
    with pytest.raises(FaceletError, match=f"{rare!r} has {have.min()} training faces, fewer than a batch of 64"):
        balance(batch=64).plan(faces, {})
    with pytest.raises(FaceletError, match=r"made: unknown class 'sadnes', did you mean 'sadness'\?"):
        balance(classes=["sadnes"]).plan(faces, {})
    with pytest.raises(FaceletError, match="'neutral' is the class that is translated"):
        balance(classes=["neutral"]).plan(faces, {})
    with pytest.raises(FaceletError, match="24 px are too small for discriminators of 4 layers"):
        balance(layers=4).plan(faces, {})
    with pytest.raises(FaceletError, match="the judge 'int8' is a model file without a torch net"):
        balance(judge="int8").plan(faces, {})
    made = replace(faces, synthetic=faces.splits == 0)
    with pytest.raises(FaceletError, match="synthetic already"):
        balance().plan(made, {})
    with pytest.raises(FaceletError, match=r"every class has 1 faces or more already"):
        balance(to=1).plan(faces, {})
    same = replace(faces, labels=np.zeros(len(faces), np.int64))
    with pytest.raises(FaceletError, match="all training faces are 'neutral'; there is nothing to balance"):
        balance().plan(same, {})
    with pytest.raises(FaceletError, match=r"the side should be a multiple of 4: --set faces.size=24"):
        balance().plan(load("toy?faces=60", size=22), {})


def test_its_plan_is_a_sentence(faces):
    plan = balance(minutes=3.0, steps=None).plan(faces, {})
    most = sum(each.more for each in balance().wanted(faces.labelled("train"))[1])
    assert plan.text == f"neutral to 7 classes, 3 minutes; up to {most:,} faces accepted by plain"
    assert plan.seconds == 180
    assert balance().plan(faces, {}).seconds > 0


def test_a_machine_without_bf16_translates_in_fp32_and_says_so(work, faces, monkeypatch):
    monkeypatch.setattr("facelet.learn.device.precision.has_bf16", lambda device: False)
    monkeypatch.setattr("facelet.learn.device.precision.cpu_name", lambda: "avx2")
    plans: list[trainer.CycleGanConfig] = []
    monkeypatch.setattr(trainer, "translate", lambda plan, job, device: plans.append(plan) or {})
    said: list[str] = []
    work.say = said.append
    train, step = faces.labelled("train"), balance(precision="bf16")
    source, wanted = step.wanted(train)
    step._translate(work, train, source, wanted[0], len(wanted))
    assert not plans[0].precision.bf16
    assert said == ["  bf16 is not native on this CPU (avx2); training in fp32"]


def test_a_full_disk_loses_nothing(work, faces, monkeypatch):
    monkeypatch.setattr(room, "translated", lambda net, path, some, device: np.asarray(some))
    target = balance().wanted(faces.labelled("train"))[1][0]

    def full(*_):
        raise FaceletError(
            "the disk is full: could not write faces.pack; free some space, then run the same command again"
        )

    monkeypatch.setattr(room, "write_pack", full)
    monkeypatch.setattr(
        room.Model, "probabilities", lambda self, some: np.eye(8, dtype=np.float32)[[target.label] * len(some)]
    )
    with pytest.raises(FaceletError, match="the disk is full"):
        balance(classes=[target.name]).run(work)
    assert (work.folder / f"{target.label:02d}" / "net.safetensors").exists()
    assert not (work.folder / "faces.pack").exists()


def test_the_teachers_file_is_one(models):
    assert model_file.read(models["plain"].onnx).labels[0] == "neutral"
